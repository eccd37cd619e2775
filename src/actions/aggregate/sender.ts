/** Sends the requests of one aggregate: attempts, bounds of time and memory, and how replies are read. */
import type { ActionHost, CallFailure, CallReply, Exchange } from '../../policies/contract.js';
import { type JsonValue, readJsonText } from '../../policies/kits/json-text/index.js';
import { callFailure } from '../../policies/run-kit.js';
import { MOST_AT_ONCE } from './bounds.js';
import { type CachedReply, CallCache, type CallStore, invalidate } from './call-cache.js';
import { CodingFault, codingsOf, decode } from './codings.js';
import { Gate } from './gate.js';
import { isSafe } from './methods.js';
import { type Answer, type Failure, failed, isUnsent, noMemory, refusal, timedOut, unusable } from './outcome.js';
import type { RenderedRequest } from './request.js';
import type { CallSettings } from './schema.js';
import { traced } from './trace.js';

/** A parsed body takes several times the memory of its text. */
const PARSED_FACTOR = 4;

/** An answer with its body as a value, if that is wanted. */
export interface ReadAnswer extends Answer {
  readonly value?: JsonValue;
}

export type Sent = { readonly answer: ReadAnswer } | { readonly failure: Failure };

/** A request with effects that was sent. */
export interface RanCall {
  readonly call: string;
  readonly method: string;
  /** Null: it is not known whether the service has acted on it. */
  status: number | null;
}

type Request = RenderedRequest;

type Fields = RenderedRequest['headers'];
const NO_FIELDS: Fields = [];

/** What a request is sent with, besides what it has itself. */
interface Asked {
  readonly conditions: Fields;
  /** Milliseconds. */
  readonly timeout: number;
}

/** How one attempt is made. */
interface Attempt {
  readonly cache: CallCache | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

export class Sender {
  readonly #host: ActionHost;
  readonly #exchange: Exchange;
  readonly #deadline: number;
  readonly #maxTotal: number;
  /** Present if a call has a cache. */
  readonly #store: CallStore | undefined;
  readonly #gate = new Gate(MOST_AT_ONCE);
  /** Bytes of all replies so far. */
  #total = 0;
  /** Taken of the memory for bodies. */
  #taken = 0;
  /** Unsafe requests in progress. */
  unsafe = 0;
  readonly ran: RanCall[] = [];
  readonly #random: () => number;
  #over = false;
  /** All memory was given back. */
  #released = false;

  /** `deadline`: monotonic milliseconds. */
  constructor(
    host: ActionHost,
    exchange: Exchange,
    { deadline, maxTotal, store }: { deadline: number; maxTotal: number; store: CallStore | undefined },
  ) {
    this.#store = store;
    this.#host = host;
    this.#exchange = exchange;
    this.#deadline = deadline;
    this.#maxTotal = maxTotal;
    this.#random = () => host.random();
  }

  /** Nothing more is sent, and replies that come take no memory. */
  stop(): void {
    this.#over = true;
  }

  /** Counts bytes of the merged reply, also after stop(). Returns false if the memory for bodies is full. */
  keep(bytes: number): boolean {
    if (this.#released || !this.#host.memory.take(bytes)) return false;
    this.#taken += bytes;
    return true;
  }

  /** The answer to an equal request, for a further item: it counts again, since the reply contains it again. */
  repeat(sent: Sent, label: string): Sent {
    if ('failure' in sent) return { failure: { ...sent.failure, call: label } };
    const { json, status } = sent.answer;
    const failure = this.#count(json.length, label, status);
    return failure === undefined ? sent : { failure };
  }

  /** Gives back the memory of all replies. Idempotent. */
  release(): void {
    this.#over = true;
    this.#released = true;
    this.#host.memory.give(this.#taken);
    this.#taken = 0;
  }

  /** Sends a request, again if it may be. `label` names it in records. Never rejects for a failure of the call. */
  send(call: CallSettings, request: Request, label: string): Promise<Sent> {
    const { body } = request;
    return body === undefined ? this.#send(call, request, label) : this.#sendBody(call, request, label, body);
  }

  async #sendBody(call: CallSettings, request: Request, label: string, body: string | Uint8Array): Promise<Sent> {
    const held = Buffer.byteLength(body);
    if (!this.#take(held)) return { failure: noMemory(label) };
    try {
      return await this.#send(call, request, label);
    } finally {
      this.#give(held);
    }
  }

  async #send(call: CallSettings, request: Request, label: string): Promise<Sent> {
    const place = this.#gate.enter();
    if (place !== undefined) await place;
    const cache = this.#cacheOf(call, request);
    try {
      return await (cache === undefined
        ? this.#attempts(call, request, label, undefined, 0)
        : this.#throughCache(call, request, label, cache));
    } finally {
      cache?.end();
      this.#gate.leave();
    }
  }

  async #throughCache(call: CallSettings, request: Request, label: string, cache: CallCache): Promise<Sent> {
    const { clock } = this.#host;
    const begun = clock.monotonic();
    const stored = await cache.find(() => clock.now(), Math.min(call.timeout, this.#deadline - begun));
    const reused = (reply: CachedReply, why: string): Sent => {
      const { method, service } = call;
      const { body, status } = reply;
      const facts = { label, service, method, path: request.path, status, bytes: body.length, startedAt: begun };
      this.#host.recordStored(this.#exchange, facts);
      return this.#reuse(call, reply, label, why);
    };
    if (stored !== undefined) return reused(stored, 'a stored reply is used again');
    const sent = await this.#attempts(call, request, label, cache, clock.monotonic() - begun);
    if ('answer' in sent) return sent;
    const { ended, from } = sent.failure;
    if (ended === true) cache.abandoned();
    const stale = ended === true ? undefined : cache.inPlaceOfFailure(from, clock.now());
    return stale === undefined ? sent : reused(stale, 'the call failed: a stale reply is used');
  }

  #reuse(call: CallSettings, stored: CachedReply, label: string, why: string): Sent {
    this.#exchange.decisions?.push({ step: label, use: 'aggregate', outcome: 'pass', why });
    return this.#answer(call, stored, label);
  }

  /** `waited`: milliseconds of the first attempt's time that are over. */
  #attempts(
    call: CallSettings,
    request: Request,
    label: string,
    cache: CallCache | undefined,
    waited: number,
  ): Promise<Sent> {
    const first = this.#attempt(call, request, label, { cache, timeout: call.timeout - waited });
    return call.attempts === 1 ? first : this.#repeated(call, request, label, { cache, first });
  }

  /** Further attempts, after the first one, while they fail and may be repeated. */
  async #repeated(
    call: CallSettings,
    request: Request,
    label: string,
    { cache, first }: { readonly cache: CallCache | undefined; readonly first: Promise<Sent> },
  ): Promise<Sent> {
    let sent = await first;
    for (let attempt = 2; attempt <= call.attempts && this.#mayRepeat(call, sent); attempt++)
      sent = await this.#attempt(call, request, label, { cache, timeout: call.timeout });
    return sent;
  }

  #mayRepeat({ retryStatuses }: CallSettings, sent: Sent): boolean {
    if (this.#over || !('failure' in sent)) return false;
    const { ended, from } = sent.failure;
    return ended !== true && (from === undefined || retryStatuses.includes(from));
  }

  #cacheOf(call: CallSettings, request: Request): CallCache | undefined {
    const usable = call.cache !== undefined && call.method === 'GET' && request.body === undefined;
    return usable ? new CallCache(this.#store!, call, this.#exchange, request) : undefined;
  }

  async #attempt(call: CallSettings, request: Request, label: string, { cache, timeout }: Attempt): Promise<Sent> {
    const { clock } = this.#host;
    const left = this.#deadline - clock.monotonic();
    if (this.#over || left <= 0) return { failure: timedOut(label, 'the time of the aggregate is over') };
    if (timeout <= 0) return { failure: timedOut(label, 'an equal call in progress had no reply in time') };
    const requestedAt = clock.now();
    const conditions = cache?.conditions(requestedAt) ?? NO_FIELDS;
    const how: Asked = { conditions, timeout: Math.min(timeout, left) };
    let reply: CallReply;
    try {
      reply = await (isSafe(call.method)
        ? this.#ask(call, request, label, how)
        : this.#askUnsafe(call, request, label, how));
    } catch (error) {
      const failure = callFailure(error);
      if (failure === undefined) throw error;
      return { failure: failed(label, failure) };
    }
    const { headers, status } = reply;
    const head = { status, headers, requestedAt, receivedAt: clock.now() };
    if (status === 304 && cache !== undefined && conditions.length > 0) {
      const stored = cache.validated(head);
      return stored === undefined
        ? this.#attempt(call, request, label, { cache, timeout })
        : this.#reuse(call, stored, label, 'the service says that the stored reply is still right');
    }
    if (status < 200 || status > 299) {
      if (isOtherReply(status)) cache?.outdate();
      return { failure: refusal(label, reply) };
    }
    const isCoded = headers.get('content-encoding') !== undefined;
    const decoded = isCoded ? await this.#decoded(call, reply, label) : { bytes: reply.body };
    if ('failure' in decoded) return decoded;
    const whole = { ...head, body: decoded.bytes };
    const sent = this.#answer(call, whole, label);
    if ('answer' in sent) cache?.keep(whole);
    return sent;
  }

  /** Sends a request once. */
  #ask(call: CallSettings, request: Request, label: string, { conditions, timeout }: Asked): Promise<CallReply> {
    const { body, method, path } = request;
    const fields = conditions.length === 0 ? request.headers : [...request.headers, ...conditions];
    const { headers, span } = traced(fields, call.headers, this.#random);
    const asked = { method, path, headers, timeout, maxReply: call.maxReply, exchange: this.#exchange, label };
    if (body === undefined && span === undefined) return this.#host.call(call.service, asked);
    return this.#host.call(call.service, {
      ...asked,
      ...(body === undefined ? {} : { body }),
      ...(span === undefined ? {} : { span }),
    });
  }

  /** Sends a request with effects once, and notes it. */
  async #askUnsafe(call: CallSettings, request: Request, label: string, how: Asked): Promise<CallReply> {
    const ran = this.#begin(label, call.method);
    let reply: CallReply;
    try {
      reply = await this.#ask(call, request, label, how);
    } catch (error) {
      const failure = callFailure(error);
      if (failure !== undefined) this.#forgetUnsent(ran, failure);
      throw error;
    } finally {
      this.unsafe--;
    }
    ran.status = reply.status;
    if (this.#store !== undefined) await invalidate(this.#store, call, request.path, reply);
    return reply;
  }

  /** A request that no target has got has not run. */
  #forgetUnsent(ran: RanCall, failure: CallFailure): void {
    if (isUnsent(ran.method, failure)) this.ran.splice(this.ran.indexOf(ran), 1);
  }

  #begin(call: string, method: string): RanCall {
    this.unsafe++;
    const ran = { call, method, status: null };
    this.ran.push(ran);
    return ran;
  }

  /** Counts and reads the body of a reply. */
  #answer(call: CallSettings, { body: bytes, headers, status, ...times }: CachedReply, label: string): Sent {
    const failure = this.#count(bytes.length, label, status);
    if (failure !== undefined) return { failure };
    const needed = bytes.length * (call.read || call.forEach !== undefined ? 1 + PARSED_FACTOR : 1);
    if (!this.#take(needed)) return { failure: noMemory(label) };
    const read = call.as === 'json' ? readJsonBody(bytes) : readText(bytes);
    if ('fault' in read) return { failure: unusable(label, read.fault, status) };
    const answer = { status, headers, json: read.json, ...times };
    return { answer: call.read ? { ...answer, value: read.value } : answer };
  }

  /** The body without content codings. While it is decoded, the memory of the largest result is taken. */
  async #decoded(
    { maxReply }: CallSettings,
    { body, headers, status }: CallReply,
    label: string,
  ): Promise<{ readonly bytes: Uint8Array } | { readonly failure: Failure }> {
    try {
      const codings = codingsOf(headers.get('content-encoding'));
      if (codings.length === 0 || body.length === 0) return { bytes: body };
      // Between two codings, there are two results.
      const held = maxReply * Math.min(codings.length, 2);
      if (!this.#take(held)) return { failure: noMemory(label) };
      try {
        return { bytes: await decode(body, codings, maxReply) };
      } finally {
        this.#give(held);
      }
    } catch (error) {
      if (error instanceof CodingFault) return { failure: unusable(label, error.message, status) };
      throw error;
    }
  }

  #count(bytes: number, label: string, status: number): Failure | undefined {
    this.#total += bytes;
    if (this.#total <= this.#maxTotal) return undefined;
    return unusable(label, `the replies have more than ${this.#maxTotal} bytes`, status);
  }

  #take(bytes: number): boolean {
    return !this.#over && this.keep(bytes);
  }

  #give(bytes: number): void {
    // release() has given back everything.
    if (this.#taken < bytes) return;
    this.#taken -= bytes;
    this.#host.memory.give(bytes);
  }
}

/** Whether a reply that is not stored says that the stored one is wrong, and not that the service has failed or refuses the caller. */
const isOtherReply = (status: number): boolean => (status >= 300 && status < 400) || status === 404 || status === 410;

type ReadBody = { readonly json: Uint8Array | string; readonly value: JsonValue } | { readonly fault: string };

function readJsonBody(bytes: Uint8Array): ReadBody {
  if (bytes.length === 0) return { json: 'null', value: null };
  const read = readJsonText(bytes, { bytes: bytes.length });
  return read.fault === undefined
    ? { json: bytes, value: read.value }
    : { fault: `the body is not JSON: ${read.fault.detail}` };
}

function readText(bytes: Uint8Array): ReadBody {
  try {
    const value = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { json: JSON.stringify(value), value };
  } catch (error) {
    if (error instanceof TypeError) return { fault: 'the body is not UTF-8' };
    throw error;
  }
}
