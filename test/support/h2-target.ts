/** HTTP/2 targets for tests: one on node:http2, and one that sends any frames. */
import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type SessionOptions,
} from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface H2Request {
  readonly headers: IncomingHttpHeaders;
  readonly stream: ServerHttp2Stream;
  /** Index of its connection, from 0. */
  readonly session: number;
}

export type H2Respond = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Replies 200 with a text. */
export const h2ok =
  (text: string): H2Respond =>
  (stream) => {
    stream.respond({ ':status': 200 });
    stream.end(text);
  };

/** Reads the whole body of a request. */
export async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

export class H2Target {
  readonly requests: H2Request[] = [];
  readonly sessions: ServerHttp2Session[] = [];
  respond: H2Respond = h2ok('hello');
  readonly #server: Http2Server;
  readonly #secure: boolean;

  private constructor(server: Http2Server, secure: boolean) {
    this.#server = server;
    this.#secure = secure;
    server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => {});
      session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        stream.on('error', () => {});
        this.requests.push({ headers, stream, session: this.sessions.indexOf(session) });
        this.respond(stream, headers);
      });
    });
  }

  static async start(options: SessionOptions = {}, tls?: { cert: Buffer; key: Buffer }): Promise<H2Target> {
    const server = tls === undefined ? createHttp2Server(options) : createSecureServer({ ...options, ...tls });
    const target = new H2Target(server as Http2Server, tls !== undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** Connections that are open. */
  get open(): number {
    return this.sessions.filter((session) => !session.destroyed).length;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export const Frame = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const Flag = { EndStream: 1, Ack: 1, EndHeaders: 4 } as const;

/** A frame, RFC 9113 section 4.1. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** A field block without compression, RFC 7541 section 6.2.2. */
export const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export const headers = (stream: number, fields: readonly (readonly [string, string])[], end = false): Buffer =>
  frame(Frame.Headers, Flag.EndHeaders | (end ? Flag.EndStream : 0), stream, block(fields));

export const data = (stream: number, bytes: Buffer | string, end = false): Buffer =>
  frame(Frame.Data, end ? Flag.EndStream : 0, stream, bytes);

export const reset = (stream: number, code: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(Frame.RstStream, 0, stream, payload);
};

export const goAway = (last: number, code: number): Buffer => {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(last);
  payload.writeUInt32BE(code, 4);
  return frame(Frame.GoAway, 0, 0, payload);
};

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const PREFACE_BYTES = 24;

/** A target that sends SETTINGS, acknowledges those of gw, and answers each request with the frames of `respond`. */
export class FrameTarget {
  readonly sockets: Socket[] = [];
  readonly frames: RawFrame[] = [];
  /** Called with the number of the stream when its head has come. */
  respond: (stream: number, socket: Socket) => void = () => {};
  /** The first bytes on a connection; empty: the target never answers anything. */
  greeting: Buffer = frame(Frame.Settings, 0, 0);
  /** Does not answer PING. */
  mute = false;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#onSocket(socket));
  }

  static async start(): Promise<FrameTarget> {
    const target = new FrameTarget();
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    return target;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #onSocket(socket: Socket): void {
    this.sockets.push(socket);
    socket.on('error', () => {});
    socket.write(this.greeting);
    let rest = Buffer.alloc(0);
    let skipped = false;
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (!skipped && rest.length >= PREFACE_BYTES) {
        rest = rest.subarray(PREFACE_BYTES);
        skipped = true;
      }
      while (skipped && rest.length >= 9) {
        const length = rest.readUIntBE(0, 3);
        if (rest.length < 9 + length) return;
        const got = {
          type: rest[3]!,
          flags: rest[4]!,
          stream: rest.readUInt32BE(5),
          payload: rest.subarray(9, 9 + length),
        };
        rest = rest.subarray(9 + length);
        this.#onFrame(got, socket);
      }
    });
  }

  #onFrame(got: RawFrame, socket: Socket): void {
    this.frames.push(got);
    if (this.greeting.length === 0) return;
    const { type, flags, stream, payload } = got;
    if (type === Frame.Settings && (flags & Flag.Ack) === 0) socket.write(frame(Frame.Settings, Flag.Ack, 0));
    else if (type === Frame.Ping && (flags & Flag.Ack) === 0 && !this.mute)
      socket.write(frame(Frame.Ping, Flag.Ack, 0, payload));
    else if (type === Frame.Headers) this.respond(stream, socket);
  }

  /** Frames of a type that have come. */
  count(type: number): number {
    return this.frames.filter((one) => one.type === type).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
