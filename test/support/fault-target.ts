/**
 * A target that goes wrong on purpose: a TCP server whose behaviour is a script, asked once for each request head that
 * comes. What it counts (connections, requests, bytes) is what really reached it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

export { freePort as refusingPort } from './ports.js';

/** A request as it came, and the connection to do something to. */
export interface FaultRequest {
  readonly socket: Socket;
  /** Which connection, from 0. */
  readonly connection: number;
  /** Which request of its connection, from 0. */
  readonly index: number;
  readonly method: string;
  readonly url: string;
  /** With its request line, without the empty line. */
  readonly head: string;
}

/** What a target does with a request. */
export type Fault = (request: FaultRequest) => void;

export interface FaultTargetOptions {
  /** Called with each connection before anything is read from it. */
  readonly onConnection?: (socket: Socket, connection: number) => void;
  /** Reads nothing of what is sent to it. */
  readonly deaf?: boolean;
}

export class FaultTarget {
  readonly requests: FaultRequest[] = [];
  readonly sockets: Socket[] = [];
  /** Bytes of request bodies, and of everything else behind the first head. */
  bodyBytes = 0;
  /** What it does with the next requests. */
  fault: Fault;
  readonly #options: FaultTargetOptions;
  readonly #server: Server;

  private constructor(fault: Fault, options: FaultTargetOptions) {
    this.fault = fault;
    this.#options = options;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#onSocket(socket),
    );
  }

  static async start(fault: Fault = answer('hello'), options: FaultTargetOptions = {}): Promise<FaultTarget> {
    const target = new FaultTarget(fault, options);
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
    socket.on('end', () => socket.end());
    this.#options.onConnection?.(socket, connection);
    if (this.#options.deaf === true) return;
    let index = 0;
    let owed = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      let at = Math.min(owed, chunk.length);
      owed -= at;
      this.bodyBytes += at;
      while (at < chunk.length && owed === 0) {
        text += chunk.toString('latin1', at);
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const request = requestOf(text.slice(0, end), socket, connection, index++);
        const length = bodyLength(request.head);
        const behind = text.length - end - 4;
        const taken = Math.min(behind, length);
        this.bodyBytes += taken;
        owed = length - taken;
        at = chunk.length - (behind - taken);
        text = '';
        this.requests.push(request);
        this.fault(request);
      }
    });
    socket.resume();
  }

  /** Requests that came with this method. */
  count(method: string): number {
    return this.requests.filter((request) => request.method === method).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function requestOf(head: string, socket: Socket, connection: number, index: number): FaultRequest {
  const [method = '', url = ''] = head.split(' ', 2);
  return { socket, connection, index, method, url, head };
}

/** Chunked bodies are never followed by another request here. */
function bodyLength(head: string): number {
  if (/\r\ntransfer-encoding:/i.test(head)) return Number.POSITIVE_INFINITY;
  return Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}

/** 200 with a text of known length. */
export const answer =
  (body: string, fields = ''): Fault =>
  ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };

/** Takes the request and says nothing. */
export const never: Fault = () => {};

/** Exactly this text, and the connection stays. */
export const say =
  (text: string): Fault =>
  ({ socket }) => {
    socket.write(text, 'latin1');
  };

/** One text, and a moment later, when the first one has been read, the other. */
export const sayInTurn =
  (text: string, then: string): Fault =>
  ({ socket }) => {
    socket.write(text, 'latin1');
    setTimeout(() => socket.write(then, 'latin1'), 20);
  };

/** Exactly this text, then a FIN. */
export const sayAndClose =
  (text = ''): Fault =>
  ({ socket }) => {
    socket.end(text, 'latin1');
  };

/** Exactly this text, and once it is on the wire a reset. */
export const sayAndReset =
  (text = ''): Fault =>
  ({ socket }) => {
    if (text === '') socket.resetAndDestroy();
    // A reset throws away what the other side has not read: a turn of the loop gives it the time to.
    else socket.write(text, 'latin1', () => setImmediate(() => setImmediate(() => socket.resetAndDestroy())));
  };

/** One byte of the text every `every` milliseconds. */
export const drip =
  (text: string, every: number): Fault =>
  ({ socket }) => {
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
  return ({ socket }) => {
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
  (request) =>
    (request.index < count ? first : then)(request);

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
