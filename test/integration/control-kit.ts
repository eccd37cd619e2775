/** Helpers of the control integration tests: origins, specs on disk, clients that record every failure. */
import { renameSync, writeFileSync } from 'node:fs';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { Gateway, type GatewayOptions } from '../../src/control/gateway.js';
import { KeptLog, temporaryFolder } from '../control/kit.js';

export { isGone, KeptLog, removeFolders, temporaryFolder, until } from '../control/kit.js';

interface Closeable {
  close(): Promise<unknown>;
}

const open = new Set<Closeable>();
const loads = new Set<Load>();

/** Stops everything that a test has left running, also after a failure. */
export async function closeAll(): Promise<void> {
  for (const load of loads) await load.stop();
  loads.clear();
  const all = [...open];
  open.clear();
  await Promise.all(all.map((one) => one.close()));
}

/** What closeAll() closes too. */
export function closedLater<T extends Closeable>(one: T): T {
  open.add(one);
  return one;
}

export interface Origin {
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** A server on a free port, until closeAll(). `ending`: before its connections are closed. */
async function opened(server: Server, ending = (): void => {}): Promise<Origin> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin: Origin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        ending();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  open.add(origin);
  return origin;
}

/** A target, or another server, that replies as the listener does. */
export const serveHttp = (listener: RequestListener): Promise<Origin> => opened(createServer(listener));

/** Replies to every request with its method and path, echoes WebSocket messages, and delays `/slow`. */
export async function startOrigin(name = 'origin'): Promise<Origin> {
  const server = createServer((request, response) => {
    request.resume();
    const answer = (): void => {
      response.end(`${name} ${request.method} ${request.url}`);
    };
    if (request.url?.startsWith('/slow')) setTimeout(answer, 600);
    else answer();
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket: WebSocket) => {
    socket.on('message', (data) => socket.send(`${name} ${String(data)}`));
  });
  return opened(server, () => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  });
}

/** A spec on disk, rewritten like editors do: in place, or by an atomic rename. */
export class SpecFile {
  readonly folder = temporaryFolder();
  readonly path = join(this.folder, 'gateway.toml');
  #writes = 0;

  constructor(text: string) {
    writeFileSync(this.path, text);
  }

  write(text: string): void {
    if (this.#writes++ % 2 === 0) writeFileSync(this.path, text);
    else {
      writeFileSync(`${this.path}~`, text);
      renameSync(`${this.path}~`, this.path);
    }
  }
}

export interface Running {
  readonly gateway: Gateway;
  readonly log: KeptLog;
  readonly url: string;
  readonly port: number;
}

/** A gateway of the spec with its own runtime folder, without an access log. */
export async function startGateway(options: GatewayOptions): Promise<Running> {
  const log = new KeptLog();
  const gateway = await Gateway.start({ log, accessLog: null, runtimeDir: temporaryFolder(), ...options });
  open.add(gateway);
  const address = gateway.addresses[0]?.address ?? '';
  return { gateway, log, url: `http://${address}`, port: Number(address.split(':').at(-1)) };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent | false;
  readonly socketPath?: string;
  readonly body?: string;
}

/** Sends a request; `where` is a URL, or a path with `socketPath`. Rejects if the reply is incomplete. */
export function call(where: string, { socketPath, body, ...options }: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    };
    const all = { agent: false as const, ...options };
    const request = socketPath ? httpRequest({ ...all, socketPath, path: where }, take) : httpRequest(where, all, take);
    request.on('error', reject);
    request.end(body);
  });
}

/** Keep-alive clients that send requests until stopped, and record every failure. */
export class Load {
  sent = 0;
  readonly failures: string[] = [];
  #stopping = false;
  readonly #clients: Promise<void>[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #pause: number;

  /** `pause`: milliseconds between two requests of a client. */
  constructor(pause = 0) {
    this.#pause = pause;
  }

  /** `judge` returns the fault of a reply, or undefined. */
  start(clients: number, url: string, judge: (answer: Answer) => string | undefined, options: CallOptions = {}): void {
    loads.add(this);
    for (let client = 0; client < clients; client++) this.#clients.push(this.#run(url, judge, options));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  async #run(url: string, judge: (answer: Answer) => string | undefined, options: CallOptions): Promise<void> {
    while (!this.#stopping) {
      this.sent++;
      try {
        const problem = judge(await call(url, { agent: this.#agent, ...options }));
        if (problem !== undefined) this.failures.push(problem);
      } catch (error) {
        this.failures.push(error instanceof Error ? error.message : String(error));
      }
      if (this.#pause > 0) await delay(this.#pause);
    }
  }
}
