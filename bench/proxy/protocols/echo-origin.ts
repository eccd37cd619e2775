/**
 * An origin for WebSockets on plain sockets: sends each message back. All messages are frames of clientFrame() with the same length;
 * an ordinary request gets a small reply.
 */
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { serverFrame } from './websocket-frames.js';

/** Of a client's frame before its payload. */
const HEADER = 6;
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

class Connection {
  readonly #socket: Socket;
  #head: Buffer = Buffer.alloc(0);
  #upgraded = false;
  #rest: Buffer | undefined = undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => (this.#upgraded ? this.#echo(data) : this.#takeHead(data)));
    socket.on('error', () => socket.destroy());
  }

  #takeHead(data: Buffer): void {
    this.#head = Buffer.concat([this.#head, data]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const text = this.#head.toString('latin1', 0, end + 2);
    const rest = this.#head.subarray(end + 4);
    this.#head = Buffer.alloc(0);
    const key = /\r\nsec-websocket-key: *(\S+)/i.exec(text)?.[1];
    if (key === undefined) {
      this.#socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      return;
    }
    this.#upgraded = true;
    const accept = createHash('sha1').update(`${key}${MAGIC}`).digest('base64');
    this.#socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    if (rest.length > 0) this.#echo(rest);
  }

  #echo(data: Buffer): void {
    let bytes = this.#rest === undefined ? data : Buffer.concat([this.#rest, data]);
    while (bytes.length >= HEADER && bytes.length >= HEADER + (bytes[1]! & 0x7f)) {
      const end = HEADER + (bytes[1]! & 0x7f);
      // A close frame, or a frame that was changed on its way.
      if (bytes[0] !== 0x82) this.#socket.destroy();
      else this.#socket.write(serverFrame(bytes.subarray(HEADER, end)));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes.length === 0 ? undefined : bytes;
  }
}

createServer((socket) => new Connection(socket)).listen({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  backlog: 4096,
});
