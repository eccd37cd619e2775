/**
 * A fault-injecting target: a TCP server with a scripted behavior, called once per received request head. It records
 * the connections, requests and bytes that reached it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

export { freePort as refusingPort } from './ports.js';

/** A request as received by the target. */
export interface Arrived {
  /** Including the request line, without the empty line. */
  readonly head: string;
  readonly method: string;
  readonly url: string;
  readonly socket: Socket;
  /** Index of its connection, from 0. */
  readonly connection: number;
  /** Index among the requests of its connection, from 0. */
  readonly index: number;
  /** Bytes received after the head so far. */
  rest: Buffer;
  header(name: string): string | undefined;
}

/** The behavior of a target for a request, valid HTTP or not. */
export type Fault = (request: Arrived, socket: Socket) => void;

export interface FaultTargetOptions {
  /** Called with each connection before any read. */
  readonly onConnection?: (socket: Socket, connection: number) => void;
  /** Never reads. */
  readonly deaf?: boolean;
}

export class FaultTarget {
  readonly arrived: Arrived[] = [];
  readonly sockets: Socket[] = [];
  /** Called with each further request head. */
  respond: Fault;
  readonly #options: FaultTargetOptions;
  readonly #server: Server;

  private constructor(respond: Fault, options: FaultTargetOptions) {
    this.respond = respond;
    this.#options = options;
    this.#server = createServer({ noDelay: true, pauseOnConnect: options.deaf === true }, (socket) =>
      this.#onSocket(socket),
    );
  }

  static async start(respond: Fault = ok('hello'), options: FaultTargetOptions = {}): Promise<FaultTarget> {
    const target = new FaultTarget(respond, options);
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    return target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.sockets.length;
  }

  /** Number of open connections. */
  get open(): number {
    return this.sockets.filter((socket) => !socket.destroyed).length;
  }

  #onSocket(socket: Socket): void {
    const connection = this.sockets.push(socket) - 1;
    socket.on('error', () => {});
    this.#options.onConnection?.(socket, connection);
    if (this.#options.deaf === true) return;
    let index = 0;
    let buffer: Buffer = Buffer.alloc(0);
    let last: Arrived | undefined;
    socket.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length > 0) {
        if (last !== undefined && !complete(last)) {
          buffer = takeRest(last, buffer);
          continue;
        }
        const end = buffer.indexOf('\r\n\r\n');
        if (end < 0) return;
        const arrived = arrival(buffer.toString('latin1', 0, end + 2), { socket, connection, index: index++ });
        buffer = buffer.subarray(end + 4);
        last = arrived;
        this.arrived.push(arrived);
        // First process the bytes that arrived with the head.
        queueMicrotask(() => this.respond(arrived, socket));
      }
    });
  }

  /** Drops the records of requests and of closed connections. */
  forget(): void {
    this.arrived.length = 0;
    this.sockets.splice(0, this.sockets.length, ...this.sockets.filter((socket) => !socket.destroyed));
  }

  /** Received requests with this method. */
  count(method: string): number {
    return this.arrived.filter((request) => request.method === method).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function arrival(head: string, by: Pick<Arrived, 'socket' | 'connection' | 'index'>): Arrived {
  const [requestLine = '', ...fields] = head.split('\r\n');
  const [method = '', url = ''] = requestLine.split(' ');
  const header = (name: string): string | undefined => {
    const values = fields
      .filter((line) => line.toLowerCase().startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trim());
    return values.length > 0 ? values.join(', ') : undefined;
  };
  return { head, method, url, ...by, rest: Buffer.alloc(0), header };
}

/** Number of bytes after the head that belong to the request, as far as known. */
function endOf(request: Arrived): number {
  const length = request.header('content-length');
  if (length !== undefined) return Number(length);
  if (request.header('transfer-encoding') === undefined) return 0;
  const { rest } = request;
  const last = rest.toString('latin1', 0, 3) === '0\r\n' ? 0 : rest.indexOf('\r\n0\r\n') + 2;
  if (last === 1) return Number.POSITIVE_INFINITY;
  // The empty line after the trailer fields.
  const end = rest.indexOf('\r\n\r\n', last);
  return end < 0 ? Number.POSITIVE_INFINITY : end + 4;
}

const complete = (request: Arrived): boolean => request.rest.length >= endOf(request);

/** Adds to a request the bytes that belong to it. Returns the rest. */
function takeRest(request: Arrived, bytes: Buffer): Buffer {
  const all = Buffer.concat([request.rest, bytes]);
  request.rest = all;
  const end = Math.min(endOf(request), all.length);
  request.rest = all.subarray(0, end);
  return all.subarray(end);
}

/** Reads the whole body, passes it on without chunk framing, and then runs `then`. */
export const whole =
  (onBody: (payload: Buffer) => void, then: Fault = ok('hello')): Fault =>
  (request, socket) => {
    const look = (): void => {
      if (!complete(request)) return;
      socket.removeListener('data', look);
      onBody(request.header('transfer-encoding') === undefined ? request.rest : unchunked(request.rest));
      then(request, socket);
    };
    socket.on('data', look);
    look();
  };

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (size === 0) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

/** Replies 200 with a text of known length. */
export const ok =
  (body: string, fields = ''): Fault =>
  (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };

/** Never replies. */
export const never: Fault = () => {};

/** Sends exactly this text and keeps the connection. */
export const say =
  (text: string): Fault =>
  (_request, socket) => {
    socket.write(text, 'latin1');
  };

/** Waits until the other side, which runs in this process, has read the written bytes. */
const whenRead = (socket: Socket, text: string, then: () => void): void => {
  socket.write(text, 'latin1', () => setImmediate(() => setImmediate(then)));
};

/** Sends the first text, and the second one after the first was read. */
export const sayInTurn =
  (text: string, then: string): Fault =>
  (_request, socket) =>
    whenRead(socket, text, () => socket.write(then, 'latin1'));

/** Sends exactly this text, then a FIN. */
export const sayAndClose =
  (text = ''): Fault =>
  (_request, socket) => {
    socket.end(text, 'latin1');
  };

/** Sends exactly this text, and a reset once it was sent. */
export const sayAndReset =
  (text = ''): Fault =>
  (_request, socket) => {
    if (text === '') socket.resetAndDestroy();
    // A reset discards bytes that the other side has not read.
    else whenRead(socket, text, () => socket.resetAndDestroy());
  };

/** Sends one byte of the text every `every` milliseconds. */
export const drip =
  (text: string, every: number): Fault =>
  (_request, socket) => {
    let at = 0;
    const timer = setInterval(() => {
      if (at >= text.length || socket.destroyed) clearInterval(timer);
      else socket.write(text.charAt(at++), 'latin1');
    }, every);
  };

/** Sends `count` informational replies before the final one. */
export const interims = (count: number, status = 103, body = 'after all'): Fault =>
  say(
    `HTTP/1.1 ${status} Early\r\n\r\n`.repeat(count) +
      `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );

/** A body of `length` bytes as fast as it is taken; stops for good after `stopAt`. Tells how far it is. */
export function flood(length: number, onBytes: (written: number) => void = () => {}, stopAt = length): Fault {
  const piece = Buffer.alloc(64 * 1024, 'x');
  return (_request, socket) => {
    let written = 0;
    const more = (): void => {
      while (written < stopAt && !socket.destroyed) {
        const count = Math.min(piece.length, stopAt - written);
        written += count;
        onBytes(written);
        if (!socket.write(count === piece.length ? piece : piece.subarray(0, count))) return;
      }
    };
    socket.on('drain', more);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    more();
  };
}

/** Answers the first `count` requests of each connection, and runs `then` for the next one. */
export const afterRequests =
  (count: number, first: Fault, then: Fault): Fault =>
  (request, socket) =>
    (request.index < count ? first : then)(request, socket);

/**
 * A target that listens and never accepts, with a full backlog: connections are neither established nor refused. The
 * listening thread sleeps, so that it accepts nothing.
 */
export class FullBacklog {
  readonly port: number;
  readonly #worker: Worker;
  readonly #fillers: readonly Socket[];

  private constructor(port: number, worker: Worker, fillers: readonly Socket[]) {
    this.port = port;
    this.#worker = worker;
    this.#fillers = fillers;
  }

  static async start(): Promise<FullBacklog> {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const server = require('node:net').createServer();
       server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
         parentPort.postMessage(server.address().port);
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
       });`,
      { eval: true },
    );
    const [port] = (await once(worker, 'message')) as [number];
    const fillers: Socket[] = [];
    // The queue holds one more connection than its length; further ones wait.
    for (let at = 0; at < 2; at++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      fillers.push(socket);
      await once(socket, 'connect');
    }
    return new FullBacklog(port, worker, fillers);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#fillers) socket.destroy();
    await this.#worker.terminate();
  }
}
