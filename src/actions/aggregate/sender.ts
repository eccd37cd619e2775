/** Sends the requests of one aggregate: attempts, bounds of time and memory, and how replies are read. */
import type { ActionHost, CallReply, CallRequest, ContentStore, Exchange } from '../../policies/contract.js';
import { type JsonValue, readJsonText } from '../../policies/kits/json-text/index.js';
import { callFailure } from '../../policies/run-kit.js';
import { MOST_AT_ONCE } from './bounds.js';
import { type CachedReply, CallCache, type StoredCall } from './call-cache.js';
import { CodingFault, codingsOf, decode } from './codings.js';
import { Gate } from './gate.js';
import { isSafe } from './methods.js';
import { type Answer, type Failure, failed, noMemory, refusal, timedOut, unusable } from './outcome.js';
import type { CallSettings } from './schema.js';

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

type Request = Pick<CallRequest, 'method' | 'path' | 'headers' | 'body'>;

export class Sender {
  readonly #host: ActionHost;
  readonly #exchange: Exchange;
  readonly #deadline: number;
  readonly #maxTotal: number;
  /** Present if a call has a cache. */
  readonly #store: ContentStore<StoredCall> | undefined;
  readonly #gate = new Gate(MOST_AT_ONCE);
  /** Bytes of all replies so far. */
  #total = 0;
  /** Taken of the memory for bodies. */
  #taken = 0;
  /** Unsafe requests in progress. */
  unsafe = 0;
  readonly ran: RanCall[] = [];
  #over = false;

  /** `deadline`: monotonic milliseconds. */
  constructor(
    host: ActionHost,
    exchange: Exchange,
    { deadline, maxTotal, store }: { deadline: number; maxTotal: number; store: ContentStore<StoredCall> | undefined },
  ) {
    this.#store = store;
    this.#host = host;
    this.#exchange = exchange;
    this.#deadline = deadline;
    this.#maxTotal = maxTotal;
  }

  /** Nothing more is sent, and no memory more is taken. */
  stop(): void {
    this.#over = true;
  }

  /** Counts bytes of the reply that is made of all; false: there is no room. */
  keep(bytes: number): boolean {
    return this.#take(bytes);
  }

  /** The answer to an equal request, for a further item: it counts again, since the reply contains it again. */
  repeat(sent: Sent, label: string): Sent {
    if ('failure' in sent) return sent;
    const { json, status } = sent.answer;
    const failure = this.#count(json.length, label, status);
    return failure === undefined ? sent : { failure };
  }

  /** Gives back the memory of all replies. Idempotent. */
  release(): void {
    this.#over = true;
    this.#host.memory.give(this.#taken);
    this.#taken = 0;
  }

  /** Sends a request, again if it may be. `label` names it in records. Never rejects for a failure of the call. */
  async send(call: CallSettings, request: Request, label: string): Promise<Sent> {
    const { body } = request;
    if (body === undefined) return this.#send(call, request, label);
    const held = Buffer.byteLength(body);
    if (!this.#take(held)) return { failure: noMemory(label) };
    try {
      return await this.#send(call, request, label);
    } finally {
      this.#give(held);
    }
  }

  async #send(call: CallSettings, request: Request, label: string): Promise<Sent> {
    await this.#gate.enter();
    try {
      const cache = this.#cacheOf(call, request);
      const cached = await cache?.find(this.#host.clock.now());
      if (cached !== undefined) {
        this.#exchange.decisions?.push({
          step: label,
          use: 'aggregate',
          outcome: 'pass',
          why: 'a fresh reply is used again',
        });
        return this.#answer(call, cached, label);
      }
      for (let attempt = 1; ; attempt++) {
        const sent = await this.#attempt(call, request, label, cache);
        const again =
          attempt < call.attempts && !this.#over && 'failure' in sent && this.#mayRepeat(call, sent.failure);
        if (!again) return sent;
      }
    } finally {
      this.#gate.leave();
    }
  }

  #mayRepeat({ retryStatuses }: CallSettings, { ended, from }: Failure): boolean {
    return ended !== true && (from === undefined || retryStatuses.includes(from));
  }

  #cacheOf(call: CallSettings, request: Request): CallCache | undefined {
    const usable = call.cache !== undefined && call.method === 'GET' && request.body === undefined;
    return usable ? new CallCache(this.#store!, call, this.#exchange, request) : undefined;
  }

  async #attempt(call: CallSettings, request: Request, label: string, cache: CallCache | undefined): Promise<Sent> {
    const { clock } = this.#host;
    const left = this.#deadline - clock.monotonic();
    if (this.#over || left <= 0) return { failure: timedOut(label, 'the time of the aggregate is over') };
    const requestedAt = clock.now();
    const ran = isSafe(call.method) ? undefined : this.#begin(label, call.method);
    let reply: CallReply;
    try {
      const timeout = Math.min(call.timeout, left);
      reply = await this.#host.call(call.service, {
        ...request,
        timeout,
        maxReply: call.maxReply,
        exchange: this.#exchange,
        label,
      });
    } catch (error) {
      const failure = callFailure(error);
      if (failure === undefined) throw error;
      return { failure: failed(label, failure) };
    } finally {
      if (ran !== undefined) this.unsafe--;
    }
    if (ran !== undefined) ran.status = reply.status;
    if (reply.status < 200 || reply.status > 299) return { failure: refusal(label, reply) };
    const decoded = await this.#decoded(call, reply, label);
    if ('failure' in decoded) return decoded;
    const { headers, status } = reply;
    const whole = { status, headers, body: decoded.bytes, requestedAt, receivedAt: clock.now() };
    const sent = this.#answer(call, whole, label);
    if ('answer' in sent) cache?.keep(whole);
    return sent;
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
      if (!this.#take(maxReply)) return { failure: noMemory(label) };
      try {
        return { bytes: await decode(body, codings, maxReply) };
      } finally {
        this.#give(maxReply);
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
    if (this.#over || !this.#host.memory.take(bytes)) return false;
    this.#taken += bytes;
    return true;
  }

  #give(bytes: number): void {
    // release() has given back everything.
    if (this.#taken < bytes) return;
    this.#taken -= bytes;
    this.#host.memory.give(bytes);
  }
}

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
