/**
 * An exchange on its way to a target and back: picks the target, gets a connection, sends the request, tries again where
 * repeating is safe, and hands the reply's head to the chain and its body to the client.
 */
import type { Reply, ReplyBody } from '../policies/contract.js';
import { problem } from '../policies/run-kit.js';
import type { BodySink, Downstream, ReplySource } from './downstream.js';
import type { Engine } from './engine.js';
import { ERRORS, type ErrorSlug } from './errors.js';
import type { GwExchange } from './exchange.js';
import { findField, HeadFields } from './http/fields.js';
import { Seen } from './http/request-head.js';
import type { ResponseHead } from './http/response-head.js';
import { requestHead } from './http/write-head.js';
import type { UpstreamConnection } from './upstream/connection.js';
import type { Pipeline } from './upstream/pipeline.js';
import type { ReplyConnection } from './upstream/reply-connection.js';
import type { Service } from './upstream/service.js';
import type { Target } from './upstream/target.js';
import type { UpstreamUser } from './upstream/user.js';

/** Methods that may be sent twice, RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** What keeps an exchange from a target that may be in perfect health: asking the same one again is of no use. */
export const BLAMELESS = new Set<ErrorSlug>([
  'upstream/queue-full',
  'upstream/queue-timeout',
  'gateway/exhausted',
  'gateway/failed',
]);

/** The protocols that a reply names in Upgrade. */
export const upgradeOf = (head: ResponseHead): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, 'upgrade');

/** An informational head as it goes on to the client, with the empty line. */
export function interimText({ text, fieldsAt, fieldsEnd, statusText, kept, listed }: ResponseHead): string {
  const lines = listed === '' ? kept : new HeadFields(text, fieldsAt, fieldsEnd).lines(kept, listed, '');
  return `HTTP/1.1 ${statusText}\r\n${lines}\r\n`;
}

/** An exchange that was moved so often goes by a connection of its own. */
const MAX_MOVES = 2;

/** A target's reply: its fields are looked up in the head's text, and only when somebody asks. */
export class TargetReply implements Reply {
  status: number;
  body: Uint8Array | ReplyBody | null;
  /** `200 OK` as the target said it. */
  readonly statusText: string;
  readonly kept: string;
  readonly listed: string;
  readonly #given: ResponseHead['status'];
  readonly #known: ResponseHead['known'];
  readonly #hasDate: boolean;
  /** The protocol that a 101 switches to, or those that a 426 asks for (RFC 9110 section 15.5.22). */
  readonly upgrade: string | undefined;
  readonly #text: string;
  readonly #at: number;
  readonly #end: number;
  #headers: HeadFields | undefined = undefined;

  constructor(head: ResponseHead, body: ReplyBody) {
    this.status = head.status;
    this.#given = head.status;
    this.#known = head.known;
    this.body = body;
    this.statusText = head.statusText;
    this.kept = head.kept;
    this.listed = head.listed;
    this.#hasDate = head.hasDate;
    this.#text = head.text;
    this.#at = head.fieldsAt;
    this.#end = head.fieldsEnd;
    this.upgrade = head.status === 101 || head.status === 426 ? upgradeOf(head) : undefined;
  }

  get headers(): HeadFields {
    this.#headers ??= new HeadFields(this.#text, this.#at, this.#end);
    return this.#headers;
  }

  get hasDate(): boolean {
    const headers = this.#headers;
    return headers?.touched('date') ? headers.get('date') !== undefined : this.#hasDate;
  }

  /** The status is the target's own. */
  get sameStatus(): boolean {
    return this.status === this.#given;
  }

  /** A status that had no body: what Content-Length said with it was said of another reply. */
  get cameEmpty(): boolean {
    return this.#given === 204 || this.#given === 304;
  }

  /**
   * The whole head, with a body of `length` bytes, for a client that need not be told of the connection: where policies
   * added fields at most, and the target said the same before. Else undefined.
   */
  again(id: string, length: number): string | undefined {
    const known = this.#known;
    if (known === undefined || known.opening === '' || known.facts.contentLength !== length) return undefined;
    if (this.upgrade !== undefined || this.status !== this.#given) return undefined;
    const added = this.#headers === undefined ? '' : this.#headers.addedLines;
    return added === undefined ? undefined : `${known.opening}${added}x-request-id: ${id}${known.closing}`;
  }

  /** Its field lines as they go to the client. */
  lines(): string {
    if (this.#headers === undefined && this.listed === '') return this.kept;
    return this.headers.lines(this.kept, this.listed, '');
  }
}

/**
 * Length of the body that `source` brings, -1 when not known: none for a reply whose status had none and was changed by a
 * policy, whatever its Content-Length said.
 */
export function streamLength(reply: Reply, source: ReplySource): number {
  const emptied = reply instanceof TargetReply && reply.cameEmpty;
  return emptied && reply.status !== 304 ? 0 : source.contentLength;
}

export class Relay implements UpstreamUser, ReplySource, BodySink {
  over = false;
  contentLength = -1;
  readonly #engine: Engine;
  readonly exchange: GwExchange;
  readonly #downstream: Downstream;
  readonly #service: Service;
  #target: Target | undefined = undefined;
  /** Brings the reply; null while there is nothing to wait for. */
  #replies: ReplyConnection | null = null;
  /** The same connection, where the request has a body to be sent on it. */
  #uplink: UpstreamConnection | null = null;
  /** Monotonic milliseconds at which the present attempt began. */
  since = 0;
  #attempts = 0;
  #moves = 0;
  /** A connection that died between two requests is nobody's failure, but it is forgiven only once. */
  fresh = false;
  #bodyBegun = false;
  #bodySent = false;
  #replied = false;
  /** The client's connection takes the reply's body. */
  #flowing = false;
  #bytesToTarget = 0;
  #bytesFromTarget = 0;
  #status = 0;

  constructor(engine: Engine, exchange: GwExchange, downstream: Downstream, service: Service) {
    this.#engine = engine;
    this.exchange = exchange;
    this.#downstream = downstream;
    this.#service = service;
  }

  get service(): string {
    return this.#service.plan.name;
  }

  get method(): string {
    return this.exchange.method;
  }

  get shares(): boolean {
    const { exchange } = this;
    if (exchange.hasBody || this.#attempts > 1 || this.fresh) return false;
    return this.#moves < MAX_MOVES && IDEMPOTENT.has(exchange.method);
  }

  start(): void {
    const target = this.#service.pick(this.#target);
    if (target === undefined) {
      this.#answer('upstream/none');
      return;
    }
    // Where nobody has looked at the clock since the exchange began, no time has passed.
    const { startMs } = this.exchange;
    this.since = this.#engine.lately() === startMs ? startMs : this.#engine.monotonic();
    this.#attempts++;
    this.#target = target;
    this.exchange.target = target.url;
    this.exchange.decisions?.push({
      step: 'balance',
      use: 'balance',
      outcome: 'pass',
      why: this.#attempts === 1 ? `next in turn of ${this.#service.targets.length}` : `attempt ${this.#attempts}`,
      details: { service: this.service, target: target.url },
    });
    this.#engine.stats.begin(target.slot);
    target.acquire(this);
  }

  onConnection(connection: UpstreamConnection): void {
    const target = this.#target!;
    const { exchange } = this;
    const text = this.over ? undefined : this.#head(target);
    if (text === undefined) {
      connection.user = null;
      target.release(connection);
      if (!this.over) this.#refuse();
      return;
    }
    this.#replies = connection;
    const hasBody = exchange.hasBody;
    this.#bodySent = !hasBody;
    connection.begin(this, text, hasBody);
    if (!hasBody) return;
    this.#uplink = connection;
    this.#bodyBegun = true;
    this.#downstream.pull(this);
    this.#uplink?.flush();
  }

  onPlace(pipeline: Pipeline): void {
    const text = this.#head(this.#target!);
    if (text === undefined) {
      this.#refuse();
      return;
    }
    this.#replies = pipeline;
    this.#bodySent = true;
    pipeline.begin(this, text);
  }

  /** Caught here, since it may be another exchange's connection that calls: one that has become free. */
  #head(target: Target): string | undefined {
    try {
      return requestHead(this.exchange, target);
    } catch (error) {
      this.#engine.bug(error, this.exchange.id);
      this.exchange.error = 'gateway/failed';
      return undefined;
    }
  }

  #refuse(): void {
    this.#endAttempt(0, false);
    this.#answer(this.exchange.error === 'gateway/failed' ? 'gateway/failed' : 'request/path');
  }

  get takesBody(): boolean {
    return this.#uplink?.writable ?? false;
  }

  sendBody(bytes: Buffer, last: boolean): void {
    const connection = this.#uplink;
    if (connection === null) return;
    this.#bytesToTarget += bytes.length;
    if (last) this.#bodySent = true;
    if (!this.#replied) connection.awaitReply();
    if (this.exchange.seen & Seen.TransferEncoding) {
      if (bytes.length > 0)
        connection.write(`${bytes.length.toString(16)}\r\n`, bytes, last ? '\r\n0\r\n\r\n' : '\r\n', last);
      else if (last) connection.write('', bytes, '0\r\n\r\n', true);
    } else if (bytes.length > 0 || last) connection.write('', bytes, '', last);
  }

  onWritable(): void {
    if (this.#bodyBegun && !this.#bodySent) this.#downstream.pull(this);
  }

  onInterim(head: ResponseHead): void {
    // Who did not ask whether to go on is not told to.
    if (head.status === 100 && !this.exchange.expectsContinue) return;
    this.#downstream.interim(head.status, interimText(head));
  }

  onHead(head: ResponseHead): void {
    const { exchange } = this;
    // The connection looked at the clock when it read this.
    exchange.upstreamMs = this.#engine.lately() - exchange.startMs;
    this.#replied = true;
    this.#status = head.status;
    this.contentLength = head.contentLength;
    this.#target!.health.succeeded();
    exchange.chain!.replied(exchange, new TargetReply(head, this));
    // Nobody takes the body yet: a policy is still thinking. The target waits.
    if (!this.#flowing) this.#replies?.pause();
  }

  flow(): void {
    this.#flowing = true;
    this.#replies?.resume(this);
  }

  resume(): void {
    if (this.#flowing) this.#replies?.resume(this);
  }

  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    this.#bytesFromTarget += end - start;
    if (last) this.#finish();
    return this.#downstream.body(buffer, start, end, last);
  }

  #letGo(): void {
    this.#replies = null;
    this.#uplink = null;
  }

  #finish(): void {
    this.#letGo();
    this.over = true;
    this.#endAttempt(this.#status, false, this.#engine.lately());
  }

  onUnavailable(error: ErrorSlug, blame: boolean): void {
    this.#letGo();
    if (this.over) return;
    const blameless = BLAMELESS.has(error);
    this.#endAttempt(0, true);
    if (blame && !blameless) this.#target!.health.failed(error);
    // Nothing was sent: any method may try elsewhere.
    if (this.#attempts <= this.#service.plan.retries && (!blameless || this.#service.targets.length > 1)) this.start();
    else this.#answer(error);
  }

  onMoved(): void {
    this.#letGo();
    if (this.over) return;
    this.#endAttempt(0, false);
    this.#moves++;
    this.#attempts--;
    this.start();
  }

  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean): void {
    this.#letGo();
    if (this.over) return;
    this.#endAttempt(0, true);
    if (this.#replied) {
      this.over = true;
      if (!BLAMELESS.has(error)) this.#target!.health.failed(error);
      this.exchange.error = error === 'upstream/reset' ? 'upstream/aborted' : error;
      this.#downstream.cut(error === 'upstream/reset' ? 'upstream/aborted' : error);
      return;
    }
    const repeatable = untouched && !this.#bodyBegun && IDEMPOTENT.has(this.exchange.method);
    if (repeatable && reused && !this.fresh) {
      this.fresh = true;
      this.#attempts--;
      this.start();
      return;
    }
    if (!((untouched && reused) || BLAMELESS.has(error))) this.#target!.health.failed(error);
    if (repeatable && this.#attempts <= this.#service.plan.retries) this.start();
    else this.#answer(error);
  }

  #endAttempt(status: number, failed: boolean, now = this.#engine.monotonic()): void {
    const took = now - this.since;
    this.#engine.stats.end(this.#target!.slot, status, this.#bytesToTarget, this.#bytesFromTarget, took, failed);
    this.#bytesToTarget = 0;
    this.#bytesFromTarget = 0;
  }

  #answer(error: ErrorSlug): void {
    this.over = true;
    const { exchange } = this;
    exchange.error = error;
    exchange.chain!.replied(exchange, problem(exchange, { code: error, ...ERRORS[error] }));
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    const waiting = this.#target !== undefined;
    const replies = this.#replies;
    this.#letGo();
    if (waiting) this.#endAttempt(this.#status, false);
    replies?.abandon(this);
  }

  discard(): void {
    this.cancel();
  }
}
