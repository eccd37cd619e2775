/** The same requests by clients of each version of HTTP, on the clients of Node. */
import { Agent, type ClientRequest, type IncomingMessage, request as sendHttp } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { Agent as SecureAgent, request as sendHttps } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export const CLIENTS = ['http1', 'https1', 'h2c', 'h2'] as const;
export type ClientKind = (typeof CLIENTS)[number];

type Fields = { readonly [name: string]: string | readonly string[] };

export interface VersionAsk {
  /** Default: GET. */
  readonly method?: string;
  readonly path: string;
  readonly fields?: Fields;
  /** Absent: no body. The client waits a turn between parts. */
  readonly body?: readonly (string | Buffer)[];
  readonly trailers?: { readonly [name: string]: string };
  /** More of the body is never sent. */
  readonly unfinished?: true;
  /** The body is sent after 100 Continue. */
  readonly expects?: true;
}

export interface VersionReply {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
  readonly interims: readonly { readonly status: number; readonly fields: IncomingHttpHeaders }[];
}

/** A request in flight. */
export interface Asked {
  /** Rejects if the reply is not complete. */
  readonly reply: Promise<VersionReply>;
  /** Resolves with the head of the reply. */
  readonly head: Promise<void>;
  /** Resets the stream or the connection. */
  leave(): void;
}

export interface VersionClient {
  ask(request: VersionAsk): Asked;
  close(): void;
}

export const clientOf = (kind: ClientKind, ports: { readonly plain: number; readonly tls: number }): VersionClient => {
  const secure = kind === 'https1' || kind === 'h2';
  const port = secure ? ports.tls : ports.plain;
  return kind === 'http1' || kind === 'https1' ? new Http1Client(port, secure) : new Http2Client(port, secure);
};

/** Collects what comes of one reply. */
class Collected {
  status = 0;
  fields: IncomingHttpHeaders = {};
  trailers: IncomingHttpHeaders = {};
  readonly interims: { status: number; fields: IncomingHttpHeaders }[] = [];
  readonly parts: Buffer[] = [];
  readonly head: Promise<void>;
  readonly reply: Promise<VersionReply>;
  begun!: () => void;
  done!: () => void;
  failed!: (error: Error) => void;

  constructor() {
    this.head = new Promise((resolve, reject) => {
      this.begun = resolve;
      this.failed = reject;
    });
    this.head.catch(() => undefined);
    const { failed } = this;
    this.reply = new Promise((resolve, reject) => {
      this.done = () => resolve({ ...this, body: Buffer.concat(this.parts) });
      this.failed = (error) => {
        failed(error);
        reject(error);
      };
    });
    this.reply.catch(() => undefined);
  }
}

/** Writes the parts of a body, and then calls `end`. */
function upload(parts: readonly (string | Buffer)[], write: (part: string | Buffer) => void, end: () => void): void {
  const [first, ...others] = parts;
  if (first === undefined) {
    end();
    return;
  }
  write(first);
  setImmediate(() => upload(others, write, end));
}

class Http1Client implements VersionClient {
  readonly #agent: Agent;
  readonly #port: number;
  readonly #secure: boolean;
  /** Connections below TLS. */
  readonly #raw = new WeakMap<Socket, Socket>();

  constructor(port: number, secure: boolean) {
    this.#port = port;
    this.#secure = secure;
    const options = { keepAlive: true, maxSockets: 4 };
    this.#agent = secure ? new SecureAgent(options) : new Agent(options);
    Object.assign(this.#agent, { createConnection: () => this.#connect() });
  }

  #connect(): Socket {
    const raw = connectTcp(this.#port, '127.0.0.1');
    const socket = this.#secure ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
    this.#raw.set(socket, raw);
    return socket;
  }

  /** Without the end of the connection, after which a client could still read. */
  #reset(socket: Socket | null): void {
    if (socket === null) return;
    this.#raw.get(socket)?.resetAndDestroy();
    // The agent must not use it again meanwhile.
    socket.destroy();
  }

  ask({ method = 'GET', path, fields = {}, body, trailers, unfinished, expects }: VersionAsk): Asked {
    const got = new Collected();
    const send = this.#secure ? sendHttps : sendHttp;
    const headers: { [name: string]: string | readonly string[] } = { te: 'trailers', connection: 'te', ...fields };
    if (expects === true) headers['expect'] = '100-continue';
    if (trailers !== undefined) headers['trailer'] = Object.keys(trailers).join(', ');
    const options = { agent: this.#agent, host: '127.0.0.1', port: this.#port, method, path, headers };
    const request: ClientRequest = send(options as object);
    request.on('error', got.failed);
    request.on('information', ({ statusCode, headers: own }: { statusCode: number; headers: IncomingHttpHeaders }) =>
      got.interims.push({ status: statusCode, fields: own }),
    );
    request.on('response', (reply) => take(reply, got));
    const begin = (): void =>
      upload(
        body ?? [],
        (part) => request.write(part),
        () => {
          if (unfinished === true) return;
          if (trailers !== undefined) request.addTrailers(trailers);
          request.end();
        },
      );
    if (expects === true) request.on('continue', begin);
    else begin();
    return { reply: got.reply, head: got.head, leave: () => this.#reset(request.socket) };
  }

  close(): void {
    this.#agent.destroy();
  }
}

function take(reply: IncomingMessage, got: Collected): void {
  got.status = reply.statusCode ?? 0;
  got.fields = reply.headers;
  got.begun();
  reply.on('data', (part: Buffer) => got.parts.push(part));
  reply.on('aborted', () => got.failed(new Error('the reply was cut')));
  reply.on('error', got.failed);
  reply.on('end', () => {
    got.trailers = reply.trailers as IncomingHttpHeaders;
    got.done();
  });
}

class Http2Client implements VersionClient {
  readonly #session: ClientHttp2Session;

  constructor(port: number, secure: boolean) {
    this.#session = connect(`http${secure ? 's' : ''}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    this.#session.on('error', () => undefined);
  }

  ask({ method = 'GET', path, fields = {}, body, trailers, unfinished, expects }: VersionAsk): Asked {
    const got = new Collected();
    const headers: { [name: string]: string | string[] } = { te: 'trailers', ':method': method, ':path': path };
    for (const name of Object.keys(fields)) headers[name] = [fields[name]!].flat() as string[];
    if (expects === true) headers['expect'] = '100-continue';
    const options = { endStream: body === undefined, waitForTrailers: trailers !== undefined };
    const stream: ClientHttp2Stream = this.#session.request(headers, options);
    stream.on('error', got.failed);
    stream.on('aborted', () => got.failed(new Error('the stream was reset')));
    stream.on('headers', (own) => got.interims.push({ status: Number(own[':status']), fields: own }));
    stream.on('response', (own) => {
      got.status = Number(own[':status']);
      got.fields = own;
      got.begun();
    });
    stream.on('trailers', (own) => {
      got.trailers = own;
    });
    stream.on('data', (part: Buffer) => got.parts.push(part));
    // node:http2 also ends the body of a stream that was reset.
    stream.on('close', () =>
      stream.rstCode === 0 ? got.done() : got.failed(new Error(`reset with ${stream.rstCode}`)),
    );
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    const begin = (): void =>
      upload(
        body ?? [],
        (part) => stream.write(part),
        () => {
          if (unfinished !== true) stream.end();
        },
      );
    if (expects === true) stream.on('continue', begin);
    else if (body !== undefined) begin();
    return { reply: got.reply, head: got.head, leave: () => stream.close(8) };
  }

  close(): void {
    this.#session.destroy();
  }
}
