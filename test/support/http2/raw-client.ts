/** A client of HTTP/2 that sends any frames, valid or not, and reads those of the server. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { statusOf } from './hpack.js';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const Type = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  Goaway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 32;

/** Error codes, RFC 9113 section 7. */
export const Code = {
  NoError: 0,
  Protocol: 1,
  Internal: 2,
  FlowControl: 3,
  StreamClosed: 5,
  FrameSize: 6,
  Refused: 7,
  Cancel: 8,
  Compression: 9,
  Calm: 11,
} as const;

/** The last stream of the GOAWAY that only announces a shutdown. */
const ANY_STREAM = 0x7fff_ffff;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** 32-bit numbers, as most payloads consist of. */
export const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
};

/** One parameter of SETTINGS. */
export const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]);

export class RawHttp2 {
  readonly frames: RawFrame[] = [];
  /** The server has closed the connection. */
  closed = false;
  readonly socket: Socket;
  #rest = Buffer.alloc(0);
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#close());
    socket.on('end', () => this.#close());
  }

  /** Connects; with `secure` over TLS, choosing HTTP/2 by ALPN. */
  static async open(port: number, secure = false, localAddress = '127.0.0.1'): Promise<RawHttp2> {
    const options = { port, host: '127.0.0.1', localAddress };
    const socket = secure
      ? connectTls({ ...options, ALPNProtocols: ['h2'], rejectUnauthorized: false, servername: 'gateway.test' })
      : connectTcp({ ...options, noDelay: true });
    const client = new RawHttp2(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => resolve()).once('error', reject);
    });
    return client;
  }

  /** The same with preface, SETTINGS and the acknowledgement of the server's. */
  static async ready(port: number, secure = false, ...settings: Buffer[]): Promise<RawHttp2> {
    const client = await RawHttp2.open(port, secure);
    await client.begin(...settings);
    return client;
  }

  /** Sends preface and SETTINGS, and waits for those of the server. */
  async begin(...settings: Buffer[]): Promise<void> {
    // No dynamic table: statusOf() has none.
    this.send(PREFACE, frame(Type.Settings, 0, 0, Buffer.concat([setting(1, 0), ...settings])));
    await this.frame((one) => one.type === Type.Settings && (one.flags & ACK) === 0);
    this.send(frame(Type.Settings, ACK, 0));
    await this.frame((one) => one.type === Type.Settings && (one.flags & ACK) !== 0);
  }

  send(...parts: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  #take(chunk: Buffer): void {
    let rest = Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      this.frames.push({
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5) & 0x7fff_ffff,
        payload: Buffer.from(rest.subarray(9, 9 + length)),
      });
      rest = rest.subarray(9 + length);
    }
    this.#rest = rest;
    this.#tell();
  }

  #close(): void {
    this.closed = true;
    this.#tell();
  }

  #tell(): void {
    for (const look of this.#waiting) look();
  }

  /** Resolves once `done()`, which is asked after each read. Rejects after ten seconds. */
  until(done: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!done()) return;
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no ${what}; frames: ${this.shown}`));
      }, 10_000);
      this.#waiting.add(look);
      look();
    });
  }

  /** The first frame that matches, now or later. */
  async frame(matches: (frame: RawFrame) => boolean): Promise<RawFrame> {
    await this.until(() => this.closed || this.frames.some(matches), 'such frame');
    const found = this.frames.find(matches);
    if (found === undefined) throw new Error(`closed; frames: ${this.shown}`);
    return found;
  }

  /** The frames so far, for messages. */
  get shown(): string {
    const names = Object.keys(Type);
    return this.frames
      .map(({ type, flags, stream, payload }) => {
        const code =
          type === Type.RstStream ? payload.readUInt32BE(0) : type === Type.Goaway ? payload.readUInt32BE(4) : '';
        return `${names[type] ?? type}(${stream} flags ${flags} length ${payload.length} ${code})`;
      })
      .join(' ');
  }

  /** The status of the reply on `stream`. */
  async status(stream: number): Promise<number> {
    const is = (one: RawFrame): boolean => one.type === Type.Headers && one.stream === stream;
    return statusOf((await this.frame(is)).payload);
  }

  /** Error code of the RST_STREAM of a stream. */
  async reset(stream: number): Promise<number> {
    const is = (one: RawFrame): boolean => one.type === Type.RstStream && one.stream === stream;
    return (await this.frame(is)).payload.readUInt32BE(0);
  }

  /** Last stream and error code of a GOAWAY; with `final` of the first one that names a last stream. */
  async goaway(final = false): Promise<{ readonly last: number; readonly code: number }> {
    const is = ({ type, payload }: RawFrame): boolean =>
      type === Type.Goaway && (!final || payload.readUInt32BE(0) !== ANY_STREAM);
    const { payload } = await this.frame(is);
    return { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) };
  }

  /** Sends a PING and waits for its answer: all earlier frames are handled. */
  async pinged(): Promise<void> {
    const payload = u32(this.frames.length, 0xdead);
    this.send(frame(Type.Ping, 0, 0, payload));
    await this.frame((one) => one.type === Type.Ping && (one.flags & ACK) !== 0 && one.payload.equals(payload));
  }

  destroy(): void {
    this.socket.destroy();
  }
}
