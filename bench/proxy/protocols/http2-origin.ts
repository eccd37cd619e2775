/**
 * An origin for HTTP/2 without TLS on plain sockets, so that it does not slow the gateways down. A request without a body gets a small
 * JSON reply, one with a body the reply of a unary gRPC call. It does not read fields, and assumes well-formed frames and clients
 * that extend its windows in time.
 */
import { createServer, type Socket } from 'node:net';
import { Flag, Frame, FrameScanner } from '../../../src/proxy/http2/frame-scanner.js';
import { BODY } from '../origins.js';
import { MESSAGE } from './origins.js';

const PREFACE = 24;
const HEADER = 9;

/** A frame of stream 0. */
function frame(type: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  return Buffer.concat([header, payload]);
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

/** Header fields of RFC 7541, which stay out of the dynamic table: 200 and Content-Type. */
const fields = (type: string): Buffer => Buffer.concat([Buffer.from([0x88, 0x0f, 0x10]), text(type)]);
const contentLength = (length: number): Buffer => Buffer.concat([Buffer.from([0x0f, 0x0d]), text(String(length))]);
const STATUS = Buffer.concat([Buffer.from([0]), text('grpc-status'), text('0')]);

const JSON_REPLY: readonly Buffer[] = [
  frame(Frame.Headers, Flag.EndHeaders, Buffer.concat([fields('application/json'), contentLength(BODY.length)])),
  frame(Frame.Data, Flag.EndStream, Buffer.from(BODY)),
];
const GRPC_REPLY: readonly Buffer[] = [
  frame(Frame.Headers, Flag.EndHeaders, fields('application/grpc')),
  frame(Frame.Data, 0, MESSAGE),
  frame(Frame.Headers, Flag.EndHeaders | Flag.EndStream, STATUS),
];
/** SETTINGS_MAX_CONCURRENT_STREAMS = 1024. */
const SETTINGS = frame(Frame.Settings, 0, Buffer.from([0, 3, 0, 0, 4, 0]));
const SETTINGS_ACK = frame(Frame.Settings, Flag.Ack, Buffer.alloc(0));

class Connection {
  readonly #scanner = new FrameScanner(this, PREFACE);
  /** What the frames of the present read are answered with. */
  #answers: Buffer[] = [];
  #received = 0;

  constructor(socket: Socket) {
    socket.setNoDelay(true);
    socket.write(SETTINGS);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      this.#scanner.scan(data, 0, data.length);
      if (this.#received > 0) {
        const increment = Buffer.alloc(4);
        increment.writeUInt32BE(this.#received);
        this.#received = 0;
        this.#answers.push(frame(Frame.WindowUpdate, 0, increment));
      }
      if (this.#answers.length === 0) return;
      socket.write(Buffer.concat(this.#answers));
      this.#answers = [];
    });
  }

  onFrame(type: number, flags: number, stream: number, length: number, bytes: Uint8Array, at: number): void {
    if (type === Frame.Headers && (flags & Flag.EndStream) !== 0) this.#reply(JSON_REPLY, stream);
    else if (type === Frame.Data) {
      this.#received += length;
      if ((flags & Flag.EndStream) !== 0) this.#reply(GRPC_REPLY, stream);
    } else if (type === Frame.Settings && (flags & Flag.Ack) === 0) this.#answers.push(SETTINGS_ACK);
    else if (type === Frame.Ping && (flags & Flag.Ack) === 0)
      this.#answers.push(frame(Frame.Ping, Flag.Ack, bytes.slice(at, at + length)));
  }

  #reply(frames: readonly Buffer[], stream: number): void {
    for (const one of frames) {
      const copy = Buffer.from(one);
      copy.writeUInt32BE(stream, 5);
      this.#answers.push(copy);
    }
  }
}

createServer((socket) => new Connection(socket)).listen({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  backlog: 4096,
});
