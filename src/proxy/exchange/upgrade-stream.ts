/**
 * The stream that http-proxy gets instead of a client's socket for an upgrade request. So the target's reply passes the
 * chain like every other reply, and the bytes after it can be counted and paused.
 */
import { Agent, type ClientRequest, IncomingMessage, type InformationEvent } from 'node:http';
import { connect, type NetConnectOpts, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, TLSSocket } from 'node:tls';
import httpProxy from 'http-proxy';
import { errnoCode, messageOf } from '../../reason.js';
import { CLOSED_IN_HANDSHAKE, connectionCause } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import { isSettings } from '../http/response-head.js';
import { headerFor } from '../upstream/proxied.js';
import { connectError, MAX_INTERIM } from '../upstream/reply-connection.js';
import type { Target } from '../upstream/target.js';

const CRLF = /\r\n/;

/** Milliseconds to send the remaining bytes to a target when the tunnel closes. */
const FLUSH_MS = 2000;

/** The owner of the stream. Gets no further calls after finish(). */
export interface UpgradeOwner {
  /** The connection is established, and the request is sent. */
  onConnected(): void;
  /** An informational head, with the empty line. */
  onInterim(head: string): void;
  /** A reply's head, then the bytes after it. Call `done` for more. */
  onBytes(chunk: Buffer, done: () => void): void;
  /** The target closed. */
  onEnd(): void;
  /** The target accepts more. */
  onWanted(): void;
  onFailure(error: ErrorSlug, cause: string): void;
}

/** The request for http-proxy, whose WebSocket code supports one method and protocol; `asked` has the real ones. */
class UpgradeRequest extends IncomingMessage {
  asked: { readonly method: string; readonly upgrade: string } = { method: 'GET', upgrade: 'websocket' };
}

/** One proxy for all upgrades of a thread: it keeps no state of an exchange. */
const proxy = httpProxy.createProxyServer<typeof UpgradeRequest>({ toProxy: true, prependPath: false });
// Each exchange gets its errors by callback; without a listener here http-proxy would throw them.
proxy.on('error', () => {});
proxy.before('ws', 'stream', (request) => {
  request.method = request.asked.method;
  request.headers.upgrade = request.asked.upgrade;
});

proxy.on('proxyReqWs', (proxyRequest, request, client) => {
  // http-proxy parses URLs and drops an empty query.
  proxyRequest.path = request.url ?? '';
  if (client instanceof UpgradeStream) client.follow(proxyRequest);
});

/** Sends `text`, a request head with an upgrade to `upgrade`, to the target. */
export function requestUpgrade(
  owner: UpgradeOwner,
  target: Target,
  text: string,
  upgrade: string,
  client: string,
): UpgradeStream {
  const stream = new UpgradeStream(owner);
  const header = headerFor(target, client);
  proxy.ws(
    upgradeRequest(text, upgrade),
    stream,
    Buffer.alloc(0),
    {
      target: {
        protocol: target.secure ? 'https:' : 'http:',
        host: target.address ?? target.host,
        port: target.port,
        ...(target.path === undefined ? {} : { socketPath: target.path }),
      },
      ...(header === undefined ? {} : { agent: new ProxiedAgent(header, target.secure) }),
      ...(target.secure
        ? { ssl: { servername: '', ...target.tls }, secure: target.tls.rejectUnauthorized !== false }
        : {}),
    },
    (error) => stream.broke(error),
  );
  return stream;
}

/** Opens connections that begin with a PROXY header. */
class ProxiedAgent extends Agent {
  readonly #header: Buffer;
  readonly #secure: boolean;

  constructor(header: Buffer, secure: boolean) {
    super({ keepAlive: false });
    this.#header = header;
    this.#secure = secure;
    // ClientRequest compares it with that of the request.
    Reflect.set(this, 'protocol', secure ? 'https:' : 'http:');
  }

  override createConnection(options: NetConnectOpts): Socket {
    const socket = connect(options);
    socket.write(this.#header);
    return this.#secure ? connectTls({ ...options, socket }) : socket;
  }
}

export class UpgradeStream extends Duplex {
  #owner: UpgradeOwner | undefined;
  #request: ClientRequest | undefined;
  #socket: Socket | undefined;
  /** With TLS, the handshake has also finished. */
  #connected = false;
  /**
   * The reply's head as the target sent it. http-proxy first writes its own version, in which fields of the same name
   * are merged or dropped and an unknown transfer coding is missing.
   */
  #answer: string | undefined = undefined;

  constructor(owner: UpgradeOwner) {
    super({ allowHalfOpen: true, decodeStrings: false });
    this.#owner = owner;
    this.on('error', (error) => this.failed('upstream/reset', connectionCause(error)));
    this.on('close', () => this.failed('upstream/reset', 'connection closed by the target'));
  }

  /** From now on, another owner hears of what happens. */
  handTo(owner: UpgradeOwner): void {
    this.#owner = owner;
  }

  failed(error: ErrorSlug, cause: string): void {
    this.#owner?.onFailure(error, cause);
  }

  /** Node's client failed before it reported a reply. */
  broke(error: unknown): void {
    if (!this.#connected) this.failed(connectError(error), this.#connectCause(error));
    else if (errnoCode(error)?.startsWith('HPE_')) this.failed('upstream/invalid', parserCause(error));
    else this.failed('upstream/reset', `${endCause(error)} by the target before the head of its reply was complete`);
  }

  #connectCause(error: unknown): string {
    const socket = this.#request?.socket;
    const inHandshake = socket instanceof TLSSocket && !socket.connecting && errnoCode(error) === 'ECONNRESET';
    return inHandshake ? CLOSED_IN_HANDSHAKE : connectionCause(error);
  }

  /** http-proxy releases neither its request nor its socket if the client disconnects before the target replies. */
  follow(request: ClientRequest): void {
    this.#request = request;
    request.once('socket', (socket) => {
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
        this.#connected = true;
        this.#owner?.onConnected();
      });
    });
    request.on('upgrade', (response, socket) => {
      this.#socket = socket;
      // A target may end its half and still read.
      socket.allowHalfOpen = true;
      this.#answer = headText(response);
    });
    let interim = 0;
    request.on('information', (information) => {
      if (++interim > MAX_INTERIM)
        this.failed('upstream/invalid', `invalid reply: more than ${MAX_INTERIM} informational replies`);
      else this.#owner?.onInterim(headText(information));
    });
    request.on('response', (response) => {
      this.#answer = answerText(response);
      // http-proxy writes without backpressure and does not report an aborted reply.
      response.on('data', () => {
        if (this.writableNeedDrain) response.pause();
      });
      this.on('drain', () => response.resume());
      response.once('close', () => {
        if (!response.complete)
          this.failed('upstream/reset', 'connection closed by the target within the body of its reply');
      });
    });
  }

  /** The current step of connecting. */
  get waitsFor(): string {
    const socket = this.#request?.socket;
    return socket instanceof TLSSocket && !socket.connecting ? 'TLS handshake timeout' : 'connect timeout';
  }

  /** Ends the stream in both directions. `now`: also drop bytes that are written already. */
  finish(now: boolean): void {
    this.#owner = undefined;
    const socket = this.#socket;
    if (socket === undefined) this.#request?.destroy();
    else if (now) socket.destroy();
    else {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), FLUSH_MS).unref();
    }
    // First send the bytes that http-proxy writes in this turn.
    setImmediate(() => this.destroy());
  }

  override _read(): void {
    this.#owner?.onWanted();
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    // Strings are heads as Node received them: one character per byte, regardless of the encoding that http-proxy set.
    const bytes = typeof chunk === 'string' ? Buffer.from(this.#answer ?? chunk, 'latin1') : chunk;
    this.#answer = undefined;
    if (this.#owner === undefined) done();
    else this.#owner.onBytes(bytes, done);
  }

  override _final(done: () => void): void {
    this.#owner?.onEnd();
    done();
  }

  // The methods of net.Socket that http-proxy calls.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }
}

function upgradeRequest(text: string, upgrade: string): UpgradeRequest {
  const [first = '', ...lines] = text.trimEnd().split(CRLF);
  const [method = '', url = ''] = first.split(' ');
  const request = new UpgradeRequest(new Socket());
  // Without a prototype: a field may be named `constructor` or `__proto__`.
  request.headers = Object.create(null);
  request.method = 'GET';
  request.url = url;
  request.httpVersion = '1.1';
  for (const line of lines) {
    const colon = line.indexOf(': ');
    addHeader(request.headers, line.slice(0, colon), line.slice(colon + 2));
  }
  request.headers.upgrade = 'websocket';
  request.asked = { method, upgrade };
  return request;
}

type HeadRead = Pick<IncomingMessage, 'httpVersion' | 'rawHeaders' | 'statusCode' | 'statusMessage'>;

/** A head as Node parsed it, with the empty line. `more` are further lines. */
function headText(
  { httpVersion, statusCode, statusMessage, rawHeaders }: HeadRead | InformationEvent,
  more = '',
): string {
  let text = `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}${more}\r\n`;
}

/** The head of a reply other than 101: http-proxy writes a close-delimited body in chunks. */
function answerText({ httpVersion, statusCode, statusMessage, rawHeaders, headers }: IncomingMessage): string {
  const head = { httpVersion, statusCode, statusMessage, rawHeaders };
  if ('content-length' in headers || 'transfer-encoding' in headers) return headText(head);
  if (httpVersion === '1.0') head.httpVersion = '1.1';
  return headText(head, 'transfer-encoding: chunked\r\n');
}

function addHeader(headers: IncomingMessage['headers'], given: string, value: string): void {
  const name = given.toLowerCase();
  const present = headers[name];
  if (present === undefined) headers[name] = value;
  else headers[name] = Array.isArray(present) ? [...present, value] : [present, value];
}

/** The error of Node's parser, with its position. */
function parserCause(error: unknown): string {
  const raw: unknown = error instanceof Error ? Reflect.get(error, 'rawPacket') : undefined;
  if (raw instanceof Buffer && isSettings(raw.toString('latin1', 0, 9)))
    return 'invalid reply: HTTP/2 in place of HTTP/1.1, which upgrades need';
  const [reason, at] = error instanceof Error ? [Reflect.get(error, 'reason'), Reflect.get(error, 'bytesParsed')] : [];
  return `invalid reply: ${String(reason ?? messageOf(error))} at byte ${String(at)} of the read`;
}

/** The cause of a closed connection: Node's client reports a close like a reset, but without a system call. */
const endCause = (error: unknown): string =>
  errnoCode(error) === 'ECONNRESET' && !(error instanceof Error && 'syscall' in error)
    ? 'connection closed'
    : connectionCause(error);
