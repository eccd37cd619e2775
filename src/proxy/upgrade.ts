/**
 * Upgrades: WebSocket and whatever else asks for 101. The exchange has passed its chain; http-proxy makes the request to
 * the target and pipes. It is given a stream in place of the client's socket, so that the target's answer passes the
 * chain on its way out like every other, and the bytes after it are counted and end with the drain.
 */
import { type ClientRequest, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { problem } from '../policies/run-kit.js';
import type { Downstream, ReplySource, TunnelEnd } from './downstream.js';
import type { Engine } from './engine.js';
import { ERRORS, type ErrorSlug } from './errors.js';
import type { GwExchange } from './exchange.js';
import { BodyReader } from './http/body.js';
import { findField } from './http/fields.js';
import { MAX_RESPONSE_HEAD, ResponseHead } from './http/response-head.js';
import { requestHead } from './http/write-head.js';
import { TargetReply } from './relay.js';
import type { Service } from './upstream/service.js';
import type { Target } from './upstream/target.js';

const CRLF = /\r\n/;

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

proxy.on('proxyReqWs', (proxyRequest, _request, client) => {
  if (client instanceof ClientSide) client.follow(proxyRequest);
});

/** What is still unsent to a target when the tunnel closes may take so long. */
const FLUSH_MS = 2000;

export class Tunnel implements ReplySource, TunnelEnd {
  contentLength = -1;
  readonly #engine: Engine;
  readonly #exchange: GwExchange;
  readonly #downstream: Downstream;
  readonly #service: Service;
  readonly #client: ClientSide;
  #target: Target | undefined;
  #over = false;
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #state: 'head' | 'waiting' | 'body' | 'tunnel' = 'head';
  #held: Buffer = Buffer.alloc(0);
  #heldDone: (() => void) | undefined;
  readonly #body = new BodyReader();
  #status = 0;
  #bytesToTarget = 0;
  #bytesFromTarget = 0;

  constructor(engine: Engine, exchange: GwExchange, downstream: Downstream, service: Service) {
    this.#engine = engine;
    this.#exchange = exchange;
    this.#downstream = downstream;
    this.#service = service;
    this.#client = new ClientSide(this);
  }

  start(): void {
    const target = this.#service.pick(undefined);
    if (target === undefined) {
      this.#answer('upstream/none');
      return;
    }
    this.#target = target;
    this.#exchange.target = target.url;
    this.#startMs = this.#engine.monotonic();
    this.#engine.stats.begin(target.slot);
    const upgrade = this.#exchange.received('upgrade') ?? '';
    const text = requestHead(this.#exchange, target, `connection: upgrade\r\nupgrade: ${upgrade}\r\n`);
    if (text === undefined) {
      this.#endAttempt(false);
      this.#answer('request/path');
      return;
    }
    const { responseTimeout } = this.#service.plan;
    this.#timer = setTimeout(() => this.#fail('upstream/timeout'), responseTimeout);
    const protocol = target.secure ? 'https:' : 'http:';
    proxy.ws(
      upgradeRequest(text, upgrade),
      this.#client,
      Buffer.alloc(0),
      {
        target: { protocol, host: target.host, port: target.port },
        ...(target.secure ? { ssl: { servername: target.host } } : {}),
      },
      (error) => this.#fail(slugOf(error)),
    );
  }

  /** Bytes that http-proxy writes to the client: a reply's head, then what belongs to it. */
  fromTarget(chunk: Buffer, done: () => void): void {
    if (this.#over) {
      done();
    } else if (this.#state === 'head') {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      this.#readHead(done);
    } else if (this.#state === 'waiting') {
      this.#held = Buffer.concat([this.#held, chunk]);
      this.#heldDone = done;
    } else {
      this.#pass(chunk, done);
    }
  }

  #readHead(done: () => void): void {
    const head = new ResponseHead();
    const length = head.parse(this.#held.toString('latin1', 0, MAX_RESPONSE_HEAD));
    if (length === 0) {
      done();
      return;
    }
    clearTimeout(this.#timer);
    const upgrade = head.status === 101 ? findField(head.text, head.fieldsAt, head.fieldsEnd, 'upgrade') : undefined;
    // A 101 must name what it switches to, and that must have been asked for: RFC 9110 sections 7.8 and 15.2.2.
    const asked = this.#exchange.received('upgrade') ?? '';
    if (length < 0 || (head.status < 200 && (!upgrade || !wasOffered(upgrade, asked)))) {
      done();
      this.#fail('upstream/invalid');
      return;
    }
    this.#state = 'waiting';
    this.#held = this.#held.subarray(length);
    this.#heldDone = done;
    this.#status = head.status;
    this.#target?.succeeded();
    this.#exchange.upstreamMs = this.#engine.monotonic() - this.#exchange.startMs;
    if (head.status !== 101) this.#beginBody(head);
    const reply = new TargetReply(head, this);
    reply.upgrade = upgrade;
    this.#exchange.chain?.replied(this.#exchange, reply);
  }

  #beginBody(head: ResponseHead): void {
    this.contentLength = head.contentLength;
    const bodiless = this.#exchange.method === 'HEAD' || head.status === 204 || head.status === 304;
    if (bodiless) this.#body.begin('none', 0);
    else if (head.chunked) this.#body.begin('chunked', 0);
    else if (head.contentLength >= 0) this.#body.begin('length', head.contentLength);
    else this.#body.begin('close', 0);
  }

  flow(): void {
    const held = this.#held;
    const done = this.#heldDone ?? noop;
    this.#held = Buffer.alloc(0);
    this.#heldDone = undefined;
    if (this.#status === 101) {
      this.#state = 'tunnel';
      this.#downstream.tunnel(this);
    } else {
      this.#state = 'body';
    }
    this.#pass(held, done);
  }

  #pass(chunk: Buffer, done: () => void): void {
    this.#bytesFromTarget += chunk.length;
    if (this.#state === 'tunnel') {
      if (chunk.length === 0) done();
      else this.#downstream.tunnelWrite(chunk, done);
      return;
    }
    const body = this.#body;
    body.take(chunk, 0, chunk.length);
    if (body.failed) {
      done();
      this.#fail('upstream/invalid');
      return;
    }
    if (body.done) this.#finish(false);
    const more = this.#downstream.body(chunk, body.start, body.end, body.done);
    if (more || body.done) done();
    else this.#heldDone = done;
  }

  resume(): void {
    const done = this.#heldDone;
    this.#heldDone = undefined;
    done?.();
  }

  /** http-proxy has nothing more to write: the target closed. */
  targetEnded(): void {
    if (this.#over) return;
    if (this.#state === 'tunnel') {
      this.#finish(false);
      this.#downstream.tunnelEnded();
    } else if (this.#state === 'body' && this.#body.kind === 'close') {
      this.#finish(false);
      this.#downstream.body(this.#held, 0, 0, true);
    } else {
      this.#fail('upstream/reset');
    }
  }

  fromClient(bytes: Buffer): boolean {
    this.#bytesToTarget += bytes.length;
    return this.#client.push(bytes);
  }

  clientEnded(): void {
    this.#client.push(null);
  }

  wantsMore(): void {
    if (this.#state === 'tunnel') this.#downstream.tunnelWantsMore();
  }

  /** The stream to http-proxy broke. */
  broken(): void {
    if (this.#over) return;
    if (this.#state === 'tunnel') {
      this.#finish(false);
      this.#downstream.tunnelEnded();
    } else this.#fail('upstream/reset');
  }

  #fail(error: ErrorSlug): void {
    if (this.#over) return;
    const replied = this.#state === 'body' || this.#state === 'tunnel';
    this.#finish(true);
    this.#target?.failed(error);
    if (this.#state === 'tunnel') this.#downstream.tunnelEnded();
    else if (replied) this.#downstream.cut('upstream/aborted');
    else this.#answer(error);
  }

  #finish(failed: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#endAttempt(failed);
    this.#client.finish(failed);
  }

  #endAttempt(failed: boolean): void {
    if (this.#target === undefined) return;
    const took = this.#engine.monotonic() - this.#startMs;
    const { slot } = this.#target;
    this.#engine.stats.end(slot, this.#status, this.#bytesToTarget, this.#bytesFromTarget, took, failed);
  }

  #answer(error: ErrorSlug): void {
    this.#over = true;
    const exchange = this.#exchange;
    exchange.error = error;
    exchange.chain?.replied(exchange, problem(exchange, { code: error, ...ERRORS[error] }));
  }

  cancel(): void {
    if (this.#over) return;
    this.#finish(false);
    this.#client.finish(true);
  }

  discard(): void {
    this.cancel();
  }
}

/** Whether every protocol of `chosen` is one of those `asked` for; both are lists. */
function wasOffered(chosen: string, asked: string): boolean {
  const offered = protocolsOf(asked);
  return protocolsOf(chosen).every((protocol) => offered.includes(protocol));
}

const protocolsOf = (list: string): string[] => list.split(',').map((protocol) => protocol.trim().toLowerCase());

/** What http-proxy takes for the client's socket. */
class ClientSide extends Duplex {
  readonly #tunnel: Tunnel;
  #request: ClientRequest | undefined;
  #socket: Socket | undefined;

  constructor(tunnel: Tunnel) {
    super({ allowHalfOpen: true, decodeStrings: false });
    this.#tunnel = tunnel;
    this.on('error', () => this.#tunnel.broken());
    this.on('close', () => this.#tunnel.broken());
  }

  /** http-proxy lets go of neither its request nor its socket by itself when the client is gone before the target. */
  follow(request: ClientRequest): void {
    this.#request = request;
    request.on('upgrade', (_response, socket) => {
      this.#socket = socket;
    });
    // A pipe does not tell that what it comes from was cut.
    request.on('response', (response) => {
      response.once('close', () => {
        if (!response.complete) this.#tunnel.broken();
      });
    });
  }

  /** Nothing goes either way any more. `now`: not even what is written already. */
  finish(now: boolean): void {
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
    this.#tunnel.wantsMore();
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    // Strings are heads, as Node read them off the wire: one character a byte, whatever encoding http-proxy left it at.
    this.#tunnel.fromTarget(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk, done);
  }

  override _final(done: () => void): void {
    this.#tunnel.targetEnded();
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

function addHeader(headers: IncomingMessage['headers'], given: string, value: string): void {
  const name = given.toLowerCase();
  const present = headers[name];
  if (present === undefined) headers[name] = value;
  else headers[name] = Array.isArray(present) ? [...present, value] : [present, value];
}

/** What an error of Node's client means. Its parser's codes begin with HPE_. */
function slugOf(error: unknown): ErrorSlug {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('HPE_')) return 'upstream/invalid';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'upstream/reset' : 'upstream/unreachable';
}

const noop = (): void => {};
