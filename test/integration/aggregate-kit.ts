/** Real services over sockets, and a gateway whose route aggregates them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'uvu';
import { Plane } from './engine-kit.js';

export interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Handler = (got: Got, reply: ServerResponse) => void;

/** A service that counts what it gets, and how many requests it has at once. */
export class TestService {
  readonly got: Got[] = [];
  open = 0;
  most = 0;
  /** Requests whose client has left before the reply. */
  left = 0;
  readonly #server: Server;
  handler: Handler;

  private constructor(handler: Handler) {
    this.handler = handler;
    this.#server = createServer((request, response) => this.#take(request, response));
  }

  static async start(handler: Handler): Promise<TestService> {
    const service = new TestService(handler);
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get urls(): readonly string[] {
    return this.got.map(({ url }) => url);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.most = Math.max(this.most, ++this.open);
    response.once('close', () => {
      this.open--;
      if (!response.writableFinished) this.left++;
    });
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { headers, method = '', url = '' } = request;
      const got = { method, url, headers, body: Buffer.concat(parts).toString() };
      this.got.push(got);
      this.handler(got, response);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const json =
  (value: unknown, headers: { readonly [name: string]: string } = {}, status = 200): Handler =>
  (_got, reply) =>
    void reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

export const status =
  (code: number, headers: { readonly [name: string]: string } = {}): Handler =>
  (_got, reply) =>
    void reply.writeHead(code, headers).end('{"of":"service"}');

/** A gateway with services of these names; `aggregate` are the tables below `[route.aggregate]`. */
export class Bed {
  private constructor(
    readonly plane: Plane,
    readonly services: { readonly [name: string]: TestService },
    readonly spec: string,
  ) {}

  static async start(
    handlers: { readonly [name: string]: Handler },
    aggregate: string,
    {
      route = '',
      more = '',
      match = 'GET /page/{id}',
      service = '',
    }: { readonly route?: string; readonly more?: string; readonly match?: string; readonly service?: string } = {},
    options: Parameters<typeof Plane.start>[1] = {},
  ): Promise<Bed> {
    const services: Record<string, TestService> = {};
    for (const [name, handler] of Object.entries(handlers)) services[name] = await TestService.start(handler);
    const declared = Object.entries(services).map(
      ([name, { url }]) => `[service.${name}]\ntargets = ["${url}"]\n${service}`,
    );
    const spec = `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n${declared.join('')}${more}\n[[route]]\nname = "page"\nmatch = "${match}"\n${route}\n${aggregate}`;
    return new Bed(await Plane.start(spec, options), services, spec);
  }

  async get(
    path = '/page/7',
    init: RequestInit = {},
  ): Promise<{ status: number; headers: Headers; body: unknown; text: string }> {
    const reply = await fetch(`http://127.0.0.1:${this.plane.port}${path}`, init);
    const text = await reply.text();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    return { status: reply.status, headers: reply.headers, body, text };
  }

  async close(): Promise<void> {
    await this.plane.close();
    for (const service of Object.values(this.services)) await service.close();
  }
}

/** Resolves what waits when `count` have arrived: proves that they were in progress together. */
export class Barrier {
  #waiting: (() => void)[] = [];
  arrived = 0;

  constructor(readonly count: number) {}

  pass(then: () => void): void {
    this.#waiting.push(then);
    if (++this.arrived < this.count) return;
    for (const one of this.#waiting.splice(0)) one();
  }
}

/** Returns what starts a bed in place of the one before it; the last one of each test is closed at its end. */
export function startsBeds(test: Test): typeof Bed.start {
  let bed: Bed | undefined;
  const close = async (): Promise<void> => {
    await bed?.close();
    bed = undefined;
  };
  test.after.each(close);
  return async (...given) => {
    await close();
    bed = await Bed.start(...given);
    return bed;
  };
}

/** A call in a spec, to the path of its name. */
export const callOf = (name: string, more = '', service = 'a'): string =>
  `[route.aggregate.call.${name}]\nservice = "${service}"\npath = "/${name}/{id}"\n${more}\n`;
