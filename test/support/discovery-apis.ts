/** Servers of the documented APIs of Consul, Docker and Kubernetes, as far as discovery uses them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

abstract class ApiServer {
  /** Status of every answer instead; 0: connections are cut. Undefined: as documented. */
  broken: number | undefined;
  readonly asked: { readonly url: URL; readonly headers: IncomingMessage['headers'] }[] = [];
  protected readonly server: Server;
  protected readonly waiting = new Set<ServerResponse>();

  constructor() {
    this.server = createServer((request, reply) => {
      const url = new URL(request.url ?? '/', 'http://api');
      this.asked.push({ url, headers: request.headers });
      if (this.broken === 0) request.socket.destroy();
      else if (this.broken !== undefined) reply.writeHead(this.broken).end();
      else this.answer(url, request, reply);
    });
  }

  protected abstract answer(url: URL, request: IncomingMessage, reply: ServerResponse): void;

  /** On a free port, or at the path of a socket. */
  async listen(path?: string): Promise<this> {
    await new Promise<void>((resolve) => {
      if (path === undefined) this.server.listen(0, '127.0.0.1', resolve);
      else this.server.listen(path, resolve);
    });
    return this;
  }

  get address(): string {
    const address = this.server.address();
    return typeof address === 'string' ? `unix:${address}` : `http://127.0.0.1:${(address as AddressInfo).port}`;
  }

  protected json(reply: ServerResponse, body: unknown, headers: { readonly [name: string]: string } = {}): void {
    reply.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  }

  /** Answers with a stream that stays open. */
  protected hold(reply: ServerResponse): void {
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.flushHeaders();
    this.waiting.add(reply);
    reply.on('close', () => this.waiting.delete(reply));
  }

  /** Ends all connections, as a restart does. */
  cut(): void {
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.server.close();
    this.cut();
  }
}

export interface ConsulInstance {
  readonly address?: string;
  readonly node?: string;
  readonly port: number;
  readonly weight?: number;
}

/** `GET /v1/health/service/NAME` with blocking queries. */
export class ConsulApi extends ApiServer {
  index = 1;
  #instances: readonly ConsulInstance[] = [];
  readonly #blocked = new Map<ServerResponse, () => void>();

  set(instances: readonly ConsulInstance[], index = this.index + 1): void {
    this.#instances = instances;
    this.index = index;
    for (const answer of this.#blocked.values()) answer();
    this.#blocked.clear();
  }

  protected answer(url: URL, _request: IncomingMessage, reply: ServerResponse): void {
    const answer = (): void =>
      this.json(
        reply,
        this.#instances.map(({ address = '', node = '10.9.9.9', port, weight }) => ({
          Node: { Node: 'n', Address: node },
          Service: {
            Service: 'orders',
            Address: address,
            Port: port,
            ...(weight === undefined ? {} : { Weights: { Passing: weight, Warning: 1 } }),
          },
        })),
        { 'x-consul-index': String(this.index) },
      );
    const known = Number(url.searchParams.get('index') ?? 0);
    if (known !== this.index) answer();
    else {
      this.#blocked.set(reply, answer);
      reply.on('close', () => this.#blocked.delete(reply));
    }
  }
}

/** `GET /containers/json` and `GET /events`. */
export class DockerApi extends ApiServer {
  #containers: readonly unknown[] = [];

  set(containers: readonly unknown[]): void {
    this.#containers = containers;
    for (const reply of this.waiting) reply.write(`${JSON.stringify({ Type: 'container', Action: 'start' })}\n`);
  }

  protected answer(url: URL, _request: IncomingMessage, reply: ServerResponse): void {
    if (url.pathname === '/containers/json') this.json(reply, this.#containers);
    else if (url.pathname === '/events') this.hold(reply);
    else reply.writeHead(404).end();
  }
}

export interface Slice {
  readonly name: string;
  readonly ports?: readonly unknown[];
  readonly endpoints: readonly unknown[];
}

/** EndpointSlices: a list, and a watch from a version. */
export class KubernetesApi extends ApiServer {
  version = 100;
  token: string | undefined;
  /** Versions below it are compacted. */
  oldest = 0;
  readonly #slices = new Map<string, unknown>();
  readonly #events: { readonly version: number; readonly event: unknown }[] = [];

  set({ name, ports = [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints }: Slice): void {
    const type = this.#slices.has(name) ? 'MODIFIED' : 'ADDED';
    const metadata = { name, resourceVersion: String(++this.version) };
    const slice = { metadata, addressType: 'IPv4', ports, endpoints };
    this.#slices.set(name, slice);
    this.#say({ type, object: slice });
  }

  delete(name: string): void {
    const object = { metadata: { name, resourceVersion: String(++this.version) } };
    this.#slices.delete(name);
    this.#say({ type: 'DELETED', object });
  }

  /** What a watch is told that continues from a version that is not known any more. */
  expire(): void {
    this.oldest = this.version + 1;
    this.#say({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    for (const reply of this.waiting) {
      reply.end();
      this.waiting.delete(reply);
    }
  }

  bookmark(): void {
    this.#say({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(++this.version) } } });
  }

  #say(event: unknown): void {
    this.#events.push({ version: this.version, event });
    for (const reply of this.waiting) this.#tell(reply, event);
  }

  #tell(reply: ServerResponse, event: unknown): void {
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    // In two parts, as it happens on a network.
    reply.write(line.subarray(0, 10));
    reply.write(line.subarray(10));
  }

  protected answer(url: URL, request: IncomingMessage, reply: ServerResponse): void {
    const wanted = this.token === undefined ? undefined : `Bearer ${this.token}`;
    if (request.headers.authorization !== wanted) reply.writeHead(401).end();
    else if (!url.searchParams.has('watch'))
      this.json(reply, { metadata: { resourceVersion: String(this.version) }, items: [...this.#slices.values()] });
    else if (Number(url.searchParams.get('resourceVersion')) < this.oldest) reply.writeHead(410).end();
    else {
      this.hold(reply);
      const known = Number(url.searchParams.get('resourceVersion'));
      for (const { version, event } of this.#events) if (version > known) this.#tell(reply, event);
    }
  }
}
