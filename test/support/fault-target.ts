/**
 * A target that goes wrong on purpose: a TCP server whose behaviour is a script, asked once for each request head that
 * comes. What it keeps (connections, requests, bytes) is what really reached it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

export { freePort as refusingPort } from './ports.js';

/** A request as it reached the target. */
export interface Arrived {
  /** With its request line, without the empty line. */
  readonly head: string;
  readonly method: string;
  readonly url: string;
  readonly socket: Socket;
  /** Which connection it came by, from 0. */
  readonly connection: number;
  /** Which request of its connection, from 0. */
  readonly index: number;
  /** Bytes after the head, as far as they have come. */
  rest: Buffer;
  header(name: string): string | undefined;
}

/** What a target does with a request, valid HTTP or not. */
export type Fault = (request: Arrived, socket: Socket) => void;

export interface FaultTargetOptions {
  /** Called with each connection before anything is read from it. */
  readonly onConnection?: (socket: Socket, connection: number) => void;
  /** Reads nothing of what is sent to it. */
  readonly deaf?: boolean;
}

export class FaultTarget {
  readonly arrived: Arrived[] = [];
  readonly sockets: Socket[] = [];
  /** What it does from now on with each request head that comes. */
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

  /** Connections that are not closed yet. */
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
        // The rest of what came with the head is sorted out first.
        queueMicrotask(() => this.respond(arrived, socket));
      }
    });
  }

  /** Requests that came with this method. */
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

/** Bytes after its head that belong to it, as far as can be told yet. */
function endOf(request: Arrived): number {
  const length = request.header('content-length');
  if (length !== undefined) return Number(length);
  if (request.header('transfer-encoding') === undefined) return 0;
  if (request.rest.toString('latin1', 0, 5) === '0\r\n\r\n') return 5;
  const end = request.rest.indexOf('\r\n0\r\n\r\n');
  return end < 0 ? Number.POSITIVE_INFINITY : end + 7;
}

const complete = (request: Arrived): boolean => request.rest.length >= endOf(request);

/** Gives a request what is its own. Returns what is not. */
function takeRest(request: Arrived, bytes: Buffer): Buffer {
  const all = Buffer.concat([request.rest, bytes]);
  request.rest = all;
  const end = Math.min(endOf(request), all.length);
  request.rest = all.subarray(0, end);
  return all.subarray(end);
}

/** Reads the whole body, tells what it was without its chunks' framing, and then does as `then`. */
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

/** 200 with a text of known length. */
export const ok =
  (body: string, fields = ''): Fault =>
  (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };

/** Takes the request and says nothing. */
export const never: Fault = () => {};

/** Exactly this text, and the connection stays. */
export const say =
  (text: string): Fault =>
  (_request, socket) => {
    socket.write(text, 'latin1');
  };

/** A turn of the loop later the other side, which is of this process, has read what was written. */
const whenRead = (socket: Socket, text: string, then: () => void): void => {
  socket.write(text, 'latin1', () => setImmediate(() => setImmediate(then)));
};

/** One text, and when it has been read, the other. */
export const sayInTurn =
  (text: string, then: string): Fault =>
  (_request, socket) =>
    whenRead(socket, text, () => socket.write(then, 'latin1'));

/** Exactly this text, then a FIN. */
export const sayAndClose =
  (text = ''): Fault =>
  (_request, socket) => {
    socket.end(text, 'latin1');
  };

/** Exactly this text, and once it is on the wire a reset. */
export const sayAndReset =
  (text = ''): Fault =>
  (_request, socket) => {
    if (text === '') socket.resetAndDestroy();
    // A reset throws away what the other side has not read.
    else whenRead(socket, text, () => socket.resetAndDestroy());
  };

/** One byte of the text every `every` milliseconds. */
export const drip =
  (text: string, every: number): Fault =>
  (_request, socket) => {
    let at = 0;
    const timer = setInterval(() => {
      if (at >= text.length || socket.destroyed) clearInterval(timer);
      else socket.write(text.charAt(at++), 'latin1');
    }, every);
  };

/** So many informational replies before the final one. */
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

/** The first `count` requests of each connection are answered, the next one meets `then`. */
export const afterRequests =
  (count: number, first: Fault, then: Fault): Fault =>
  (request, socket) =>
    (request.index < count ? first : then)(request, socket);

/**
 * A target that listens and never accepts, its backlog full: a connection to it is neither made nor refused. The thread
 * that listens sleeps, so that nothing is taken off the queue.
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
    // The queue holds one more than its length; whoever comes after is left waiting.
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
