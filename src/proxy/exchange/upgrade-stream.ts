/**
 * The stream that http-proxy is given in place of a client's socket when it makes a request for an upgrade: what the target
 * answers passes the chain on its way out like every other reply, and the bytes after it can be counted and stopped.
 */
import { type ClientRequest, IncomingMessage, type InformationEvent } from 'node:http';
import { isIP, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import httpProxy from 'http-proxy';
import { errnoCode, messageOf } from '../../reason.js';
import { CLOSED_IN_HANDSHAKE, connectionCause } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import { connectError, MAX_INTERIM } from '../upstream/reply-connection.js';
import type { Target } from '../upstream/target.js';
import { TARGET_TLS } from '../upstream/tls.js';

const CRLF = /\r\n/;

/** What is still unsent to a target when the tunnel closes may take so long. */
const FLUSH_MS = 2000;

/** Whose stream it is. It hears nothing any more once it has called finish(). */
export interface UpgradeOwner {
  /** The request is on its way: until then nothing has been sent. */
  onConnected(): void;
  /** An informational head, with the empty line. */
  onInterim(head: string): void;
  /** A reply's head, then what belongs to it. `done` asks for more. */
  onBytes(chunk: Buffer, done: () => void): void;
  /** The target closed. */
  onEnd(): void;
  /** The target takes more. */
  onWanted(): void;
  onFailure(error: ErrorSlug, cause: string): void;
}

/** The request as http-proxy reads it. Its pass for WebSocket knows no other method or protocol; `asked` has the real ones. */
class UpgradeRequest extends IncomingMessage {
  asked: { readonly method: string; readonly upgrade: string } = { method: 'GET', upgrade: 'websocket' };
}

/** One proxy for all upgrades of a thread: it keeps nothing of an exchange. */
const proxy = httpProxy.createProxyServer<typeof UpgradeRequest>({ toProxy: true, prependPath: false });
// Errors reach each exchange by its callback; without a listener here http-proxy would throw them.
proxy.on('error', () => {});
proxy.before('ws', 'stream', (request) => {
  request.method = request.asked.method;
  request.headers.upgrade = request.asked.upgrade;
});

proxy.on('proxyReqWs', (proxyRequest, request, client) => {
  // http-proxy takes URLs apart and drops an empty query.
  proxyRequest.path = request.url ?? '';
  if (client instanceof UpgradeStream) client.follow(proxyRequest);
});

/** Sends `text`, a request head that asks for `upgrade`, to the target. */
export function requestUpgrade(owner: UpgradeOwner, target: Target, text: string, upgrade: string): UpgradeStream {
  const stream = new UpgradeStream(owner);
  proxy.ws(
    upgradeRequest(text, upgrade),
    stream,
    Buffer.alloc(0),
    {
      target: { protocol: target.secure ? 'https:' : 'http:', host: target.host, port: target.port },
      ...(target.secure ? { ssl: { ...TARGET_TLS, servername: isIP(target.host) ? '' : target.host } } : {}),
    },
    (error) => stream.broke(error),
  );
  return stream;
}

export class UpgradeStream extends Duplex {
  #owner: UpgradeOwner | undefined;
  #request: ClientRequest | undefined;
  #socket: Socket | undefined;
  /** With TLS, the handshake is over as well. */
  #connected = false;
  /**
   * The answer's head as the target wrote it. http-proxy writes one of its own, first of all: fields of one name are one
   * there or dropped, and an unknown transfer coding is gone as if the body had been read.
   */
  #answer: string | undefined = undefined;

  constructor(owner: UpgradeOwner) {
    super({ allowHalfOpen: true, decodeStrings: false });
    this.#owner = owner;
    this.on('error', (error) => this.failed('upstream/reset', connectionCause(error)));
    this.on('close', () => this.failed('upstream/reset', 'connection closed by the target'));
  }

  failed(error: ErrorSlug, cause: string): void {
    this.#owner?.onFailure(error, cause);
  }

  /** Node's client failed, before it told of a reply. */
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

  /** http-proxy lets go of neither its request nor its socket by itself when the client is gone before the target. */
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
      // http-proxy writes what comes, taken or not, and does not tell that it was cut.
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

  /** What is waited for while the connection is not established. */
  get waitsFor(): string {
    const socket = this.#request?.socket;
    return socket instanceof TLSSocket && !socket.connecting ? 'TLS handshake timeout' : 'connect timeout';
  }

  /** Nothing goes either way any more. `now`: not even what is written already. */
  finish(now: boolean): void {
    this.#owner = undefined;
    const socket = this.#socket;
    if (socket === undefined) this.#request?.destroy();
    else if (now) socket.destroy();
    else {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), FLUSH_MS).unref();
    }
    // What http-proxy still writes at this very moment may go out first.
    setImmediate(() => this.destroy());
  }

  override _read(): void {
    this.#owner?.onWanted();
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    // Strings are heads, as Node read them off the wire: one character a byte, whatever encoding http-proxy left it at.
    const bytes = typeof chunk === 'string' ? Buffer.from(this.#answer ?? chunk, 'latin1') : chunk;
    this.#answer = undefined;
    if (this.#owner === undefined) done();
    else this.#owner.onBytes(bytes, done);
  }

  override _final(done: () => void): void {
    this.#owner?.onEnd();
    done();
  }

  // The parts of a net.Socket that http-proxy calls.
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
  // Without a prototype: a field may be called `constructor` or `__proto__`.
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

/** A head as Node has read it, with the empty line. `more` are further lines. */
function headText(
  { httpVersion, statusCode, statusMessage, rawHeaders }: HeadRead | InformationEvent,
  more = '',
): string {
  let text = `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}${more}\r\n`;
}

/** The head of an answer that is no 101: where its body ends with the connection, http-proxy writes chunks. */
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

/** What Node's parser found, and where. */
function parserCause(error: unknown): string {
  const [reason, at] = error instanceof Error ? [Reflect.get(error, 'reason'), Reflect.get(error, 'bytesParsed')] : [];
  return `invalid reply: ${String(reason ?? messageOf(error))} at byte ${String(at)} of what was read`;
}

/** How a connection ended: of one that was closed, Node's client tells as of one that was reset, without a system call. */
const endCause = (error: unknown): string =>
  errnoCode(error) === 'ECONNRESET' && !(error instanceof Error && 'syscall' in error)
    ? 'connection closed'
    : connectionCause(error);
