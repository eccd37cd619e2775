/**
 * An origin on plain sockets. It answers `GET /stream/N` with N bytes, a POST with the number of received bytes, and
 * all other requests with a small reply. It assumes well-formed messages, one at a time per connection.
 */
import { createServer, type Socket } from 'node:net';

const BLOCK = Buffer.alloc(256 * 1024, 'x');

const json = (text: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

/** Counts the bytes of a chunked body; `take` returns whether the body has ended. */
class Chunks {
  received = 0;
  #line = '';
  #left = 0;
  #last = false;

  take(data: Buffer): boolean {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, data.length - at);
        this.#left -= part;
        at += part;
        continue;
      }
      const end = data.indexOf(0x0a, at);
      this.#line += data.toString('latin1', at, end < 0 ? data.length : end + 1);
      if (end < 0) return false;
      at = end + 1;
      if (this.#lineEnded()) return true;
    }
    return false;
  }

  /** A size, the end of a chunk's data, or a trailer; the empty line after the last chunk ends the body. */
  #lineEnded(): boolean {
    const line = this.#line.trim();
    this.#line = '';
    if (this.#last) return line === '';
    if (line === '') return false;
    this.#left = Number.parseInt(line, 16);
    this.received += this.#left;
    this.#last = this.#left === 0;
    return false;
  }
}

class Connection {
  readonly #socket: Socket;
  #head: Buffer | undefined;
  /** Remaining bytes of the body; undefined between requests. */
  #left: number | undefined;
  #length = 0;
  #chunks: Chunks | undefined;
  #toSend = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#take(data));
    socket.on('drain', () => this.#send());
    socket.on('error', () => socket.destroy());
  }

  #take(data: Buffer): void {
    if (this.#chunks) {
      if (this.#chunks.take(data)) this.#received(this.#chunks.received);
    } else if (this.#left !== undefined) {
      this.#left -= data.length;
      if (this.#left <= 0) this.#received(this.#length);
    } else this.#takeHead(this.#head ? Buffer.concat([this.#head, data]) : data);
  }

  #takeHead(data: Buffer): void {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = data;
      return;
    }
    this.#head = undefined;
    const head = data.toString('latin1', 0, end + 2);
    if (/\r\nexpect: *100-continue/i.test(head)) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    if (head.startsWith('POST ')) this.#expectBody(head, data.subarray(end + 4));
    else if (head.startsWith('GET /stream/')) this.#stream(Number.parseInt(head.slice('GET /stream/'.length), 10));
    else this.#socket.write(json('{"id":1}'));
  }

  #expectBody(head: string, rest: Buffer): void {
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && /\r\ntransfer-encoding: *chunked/i.test(head)) this.#chunks = new Chunks();
    else {
      this.#length = Number(length ?? 0);
      this.#left = this.#length;
    }
    if (rest.length > 0 || this.#left === 0) this.#take(rest);
  }

  #received(bytes: number): void {
    this.#left = undefined;
    this.#chunks = undefined;
    this.#socket.write(json(`{"received":${bytes}}`));
  }

  #stream(bytes: number): void {
    const type = 'Content-Type: application/octet-stream';
    this.#socket.write(`HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: ${bytes}\r\n\r\n`);
    this.#toSend = bytes;
    this.#send();
  }

  #send(): void {
    while (this.#toSend > 0 && !this.#socket.destroyed) {
      const part = this.#toSend < BLOCK.length ? BLOCK.subarray(0, this.#toSend) : BLOCK;
      this.#toSend -= part.length;
      if (!this.#socket.write(part)) return;
    }
  }
}

createServer((socket) => new Connection(socket)).listen({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  backlog: 4096,
});
