/** Thousands of clients that send and read slowly, and other clients with normal requests. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

const KIB = 1024;
const piece = Buffer.alloc(64 * KIB, 'x');

/** A target: `GET /BYTES` returns that many bytes, `POST` the number of received bytes. */
export async function startOrigin(): Promise<{ server: Server; port: number }> {
  const server = createServer((request, reply) => {
    if (request.method === 'POST') {
      let came = 0;
      request.on('data', (chunk: Buffer) => {
        came += chunk.length;
      });
      request.on('end', () => reply.end(String(came)));
      return;
    }
    let left = Number(request.url?.slice(1));
    reply.writeHead(200, { 'content-length': left });
    const more = (): void => {
      while (left > 0) {
        const count = Math.min(left, piece.length);
        left -= count;
        if (!reply.write(count === piece.length ? piece : piece.subarray(0, count))) return;
      }
      reply.end();
    };
    reply.on('drain', more);
    more();
  });
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** The first bytes of a slow client, the bytes per second after that, and whether it reads. */
export interface Manner {
  readonly first: string | Buffer;
  readonly later: string;
  readonly reads: 'all' | 'sometimes' | 'nothing';
}

const POST = 'POST /echo HTTP/1.1\r\nHost: a.example\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

export const WRITERS: readonly Manner[] = [
  { first: `${POST}Content-Length: 100000\r\n\r\n`, later: 'x'.repeat(300), reads: 'all' },
  { first: `${POST}Content-Length: 1000\r\n\r\n`, later: 'x', reads: 'all' },
  { first: `${POST}Transfer-Encoding: chunked\r\n\r\n`, later: chunk('x'.repeat(300)), reads: 'all' },
  { first: `${POST}Transfer-Encoding: chunked\r\n\r\n`, later: chunk('x'), reads: 'all' },
  { first: `${POST}Content-Length: 100000000\r\n\r\n${'x'.repeat(100 * KIB)}`, later: 'x'.repeat(300), reads: 'all' },
  {
    first: `${POST}Transfer-Encoding: chunked\r\n\r\n${chunk('x'.repeat(100 * KIB))}`,
    later: chunk('x'),
    reads: 'all',
  },
  { first: `${POST}Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n`, later: 'x'.repeat(300), reads: 'all' },
];

const get = (bytes: number): string => `GET /${bytes} HTTP/1.1\r\nHost: a.example\r\n\r\n`;

export const READERS: readonly Manner[] = [10_000, 1_000_000, 100_000_000].flatMap((bytes) => [
  { first: get(bytes), later: '', reads: 'nothing' as const },
  { first: get(bytes), later: '', reads: 'sometimes' as const },
]);

/** Slow clients. */
export class Crowd {
  readonly #port: number;
  readonly #sockets = new Map<Socket, Manner>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;
  /** Connections that ended early. */
  ended = 0;
  /** Number of replies by status. */
  readonly statuses = new Map<string, number>();

  constructor(port: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#tick(), 1000);
  }

  get size(): number {
    return this.#sockets.size;
  }

  add(manner: Manner, address: string): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress: address, noDelay: true });
    this.#sockets.set(socket, manner);
    let begun = false;
    socket.on('data', (bytes: Buffer) => {
      if (!begun) this.#count(bytes.toString('latin1', 9, 12));
      begun = true;
      if (manner.reads !== 'all') socket.pause();
    });
    if (manner.reads === 'nothing') socket.pause();
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (!this.#closed) this.ended++;
    });
    socket.write(manner.first);
  }

  #count(status: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }

  #tick(): void {
    for (const [socket, { later, reads }] of this.#sockets) {
      if (later !== '' && socket.writable) socket.write(later);
      if (reads === 'sometimes') socket.resume();
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}

/** One exchange on a new connection. Returns its status (0: none within `most` milliseconds) and duration. */
export function ask(
  port: number,
  address: string,
  text: string,
  most = 60_000,
): Promise<{ status: number; ms: number }> {
  return new Promise((resolve) => {
    const since = performance.now();
    const socket = connect({ port, host: '127.0.0.1', localAddress: address, noDelay: true });
    const end = (status: number): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status, ms: performance.now() - since });
    };
    const timer = setTimeout(end, most, 0);
    socket.on('data', (bytes: Buffer) => end(Number(bytes.toString('latin1', 9, 12))));
    socket.on('error', () => end(0));
    socket.on('end', () => end(0));
    socket.write(text);
  });
}

export const GET = get(100);
export const SMALL_POST = `${POST}Content-Length: 5\r\n\r\nhello`;
/** Longer than one read, and fast. */
export const LARGE_POST = `${POST}Content-Length: ${300 * KIB}\r\n\r\n${'x'.repeat(300 * KIB)}`;
