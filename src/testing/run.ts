/** Runs one exchange through one policy, as a chain does: every hook, in order, and an end. */
import type {
  BodyStage,
  Exchange,
  ExchangeEnd,
  HeaderFields,
  PolicyInstance,
  Reply,
  StageOut,
} from '../contract/index.js';
import { HeaderMap } from '../policies/run-kit/fields.js';
import { BytesReply } from '../policies/run-kit/replies.js';
import { bytesOf } from './exchange.js';

/** The reply of the target. */
export interface TargetReply {
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array;
  /** Fields behind the body. */
  readonly trailers?: { readonly [name: string]: string };
}

export interface RunOptions {
  /** Fields behind the request's body. */
  readonly trailers?: { readonly [name: string]: string } | undefined;
  readonly body?: string | Uint8Array | undefined;
  readonly target?: TargetReply;
  /** Which bodies the policy collects. */
  readonly collects: { readonly request: boolean; readonly reply: boolean };
  /** Size of the parts in which stages get bodies. Default: all at once. */
  readonly chunk?: number;
  /** Stages get a full output after each write. */
  readonly slow?: boolean;
  /** The exchange ends before the hook with this number, from 0. */
  readonly abortAt?: number;
}

export interface RunResult {
  readonly reply: Reply | undefined;
  /** The reply's body as the client gets it. */
  readonly body: Uint8Array;
  /** Fields behind it. */
  readonly trailers: HeaderFields | undefined;
  /** Fields behind the request's body, as the target gets them. */
  readonly sentTrailers: HeaderFields | undefined;
  /** The request's body as the target gets it; undefined if the policy answered, or there is none. */
  readonly sent: Uint8Array | undefined;
  /** Whether the policy answered the request itself. */
  readonly answered: boolean;
  /** Number of hooks that were called. */
  readonly steps: number;
  readonly end: ExchangeEnd;
}

class Aborted extends Error {}

/** Counts hooks, and ends the exchange before a chosen one. */
class Points {
  count = 0;
  constructor(readonly abortAt: number) {}
  pass(): void {
    if (this.count++ === this.abortAt) throw new Aborted();
  }
}

/** Rejects if a hook throws. finished() has then been called, as in a gateway. */
export async function runExchange(policy: PolicyInstance, exchange: Exchange, options: RunOptions): Promise<RunResult> {
  const points = new Points(options.abortAt ?? Number.POSITIVE_INFINITY);
  let end: ExchangeEnd = 'cut';
  try {
    const result = await passes(policy, exchange, options, points);
    end = 'sent';
    return { ...result, steps: points.count, end };
  } catch (error) {
    if (!(error instanceof Aborted)) throw error;
    end = 'aborted';
    return { ...answeredBy(undefined), answered: false, steps: points.count, end };
  } finally {
    policy.finished?.(exchange, end);
  }
}

const NOTHING = new Uint8Array(0);
type Passed = Omit<RunResult, 'steps' | 'end'>;

/** A body and what is behind it. */
interface Content {
  readonly body: Uint8Array;
  readonly trailers: HeaderFields | undefined;
}

const fieldsOf = (fields: TargetReply['trailers']): HeaderFields | undefined =>
  fields === undefined ? undefined : new HeaderMap(Object.entries(fields));

const answeredBy = (reply: Reply | undefined): Passed => ({
  reply,
  body: reply === undefined ? NOTHING : bytesIn(reply),
  trailers: undefined,
  sent: undefined,
  sentTrailers: undefined,
  answered: true,
});

async function passes(
  policy: PolicyInstance,
  exchange: Exchange,
  options: RunOptions,
  points: Points,
): Promise<Passed> {
  const refused = await enter(policy, exchange, options, points);
  if (refused !== undefined) return answeredBy(refused);
  const request = await requestBody(policy, exchange, options, points);
  if (request !== undefined && 'status' in request) return answeredBy(request);
  const sent = request?.body;
  if (policy.onAttempt !== undefined) {
    points.pass();
    const instead = await policy.onAttempt(exchange, attemptOf(exchange, sent));
    if (instead) return { ...answeredBy(instead), sent };
  }
  const { status = 200, headers = {}, body } = options.target ?? {};
  let reply: Reply = new BytesReply(status, {
    headers: new HeaderMap(Object.entries(headers)),
    ...(body === undefined ? {} : { body: bytesOf(body) }),
  });
  if (policy.after !== undefined) {
    points.pass();
    reply = (await policy.after(exchange, reply)) ?? reply;
  }
  const left = await replyBody(policy, exchange, reply, options, points);
  return { ...left, sent, sentTrailers: request?.trailers, answered: false };
}

async function enter(
  policy: PolicyInstance,
  exchange: Exchange,
  { body, collects }: RunOptions,
  points: Points,
): Promise<Reply | undefined> {
  const collect = (): Promise<Uint8Array> => {
    if (collects.request) return Promise.resolve(bytesOf(body ?? NOTHING));
    return Promise.reject(new TypeError('body() does not declare that the policy reads the body'));
  };
  if (policy.authenticate !== undefined) {
    points.pass();
    const found = await policy.authenticate(exchange, collect);
    policy.strip?.(exchange);
    if (found.outcome === 'unavailable') return new BytesReply(503, { code: 'auth/unavailable' });
    const passed = found.outcome === 'identity' || (found.outcome === 'absent' && found.pass === true);
    if (!passed && 'problem' in found)
      return found.reply ?? new BytesReply(found.problem.status ?? 401, { code: found.problem.code });
    if (found.outcome === 'identity') {
      exchange.consumer ??= found.consumer;
      exchange.claims ??= found.claims;
      for (const [name, value] of found.fields ?? []) exchange.headers.set(name, value);
    }
  }
  if (policy.before === undefined) return undefined;
  points.pass();
  return policy.before(exchange);
}

async function requestBody(
  policy: PolicyInstance,
  exchange: Exchange,
  options: RunOptions,
  points: Points,
): Promise<Reply | Content | undefined> {
  if (options.body === undefined) return undefined;
  let body = bytesOf(options.body);
  let trailers = fieldsOf(options.trailers);
  const wanted = policy.readsRequest?.(exchange);
  if (wanted === false) return { body, trailers };
  if (policy.onRequestBody !== undefined && options.collects.request && wanted !== 'stream') {
    points.pass();
    const result = await policy.onRequestBody(exchange, body);
    if (result !== undefined && !(result instanceof Uint8Array)) return result;
    body = result ?? body;
    // A body that is collected gets a length, and has no place for them.
    trailers = undefined;
  }
  if (policy.requestStage === undefined) return { body, trailers };
  return throughStage((out) => policy.requestStage!(exchange, out), { body, trailers }, options, points);
}

async function replyBody(
  policy: PolicyInstance,
  exchange: Exchange,
  given: Reply,
  options: RunOptions,
  points: Points,
): Promise<Content & { readonly reply: Reply }> {
  let reply = given;
  let body = bytesIn(reply);
  let trailers = fieldsOf(options.target?.trailers);
  const bodiless = reply.body === null || exchange.method === 'HEAD' || reply.status === 204 || reply.status === 304;
  const wanted = bodiless ? false : policy.readsReply?.(exchange, reply);
  if (wanted === false) return { reply, body, trailers };
  if (policy.onReplyBody !== undefined && options.collects.reply && wanted !== 'stream') {
    points.pass();
    const result = await policy.onReplyBody(exchange, reply, body);
    if (result instanceof Uint8Array) body = result;
    else if (result !== undefined) [reply, body] = [result, bytesIn(result)];
    trailers = undefined;
  }
  if (policy.replyStage === undefined) return { reply, body, trailers };
  const content = { body, trailers };
  const out = await throughStage((sink) => policy.replyStage!(exchange, reply, sink), content, options, points);
  return { reply, ...out };
}

const bytesIn = (reply: Reply): Uint8Array => (reply.body instanceof Uint8Array ? reply.body : NOTHING);

/** Milliseconds after which a stage that has paused its source counts as stuck. */
const STUCK_MS = 10_000;

/** The output of a stage for a body. Rejects for a stage that breaks the contract. */
async function throughStage(
  create: (out: StageOut) => BodyStage | undefined,
  given: Content,
  { chunk, slow = false }: RunOptions,
  points: Points,
): Promise<Content> {
  const { body } = given;
  const out = new Output(slow);
  const stage = create(out);
  if (stage === undefined) return given;
  try {
    const size = chunk ?? Math.max(1, body.length);
    for (let at = 0; at < body.length; at += size) {
      points.pass();
      const part = Uint8Array.from(body.subarray(at, at + size));
      const ready = stage.write(part);
      // Parts are only valid during the call: as in a gateway, something else is in this memory soon.
      if (chunk !== undefined) part.fill(0xff);
      if (!ready) await out.ready();
    }
    points.pass();
    stage.end(given.trailers);
    return await out.ended;
  } catch (error) {
    if (error instanceof Aborted && !out.done) {
      const { size } = out;
      stage.abort('the client has left');
      await new Promise((resolve) => setImmediate(resolve));
      if (out.size > size) throw new Error('the stage writes after abort()');
    }
    throw error;
  }
}

class Output implements StageOut {
  readonly #slow: boolean;
  readonly #parts: Uint8Array[] = [];
  #callback: (() => void) | undefined;
  #resume: (() => void) | undefined;
  #settle!: { resolve(content: Content): void; reject(error: Error): void };
  readonly ended = new Promise<Content>((resolve, reject) => {
    this.#settle = { resolve, reject };
  });
  done = false;

  constructor(slow: boolean) {
    this.#slow = slow;
    this.ended.catch(() => {});
  }

  get size(): number {
    return this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  write(bytes: Uint8Array): boolean {
    if (this.done) throw new Error('the stage writes after the end');
    this.#parts.push(Uint8Array.from(bytes));
    if (!this.#slow) return true;
    setImmediate(() => this.#drained());
    return false;
  }

  end(trailers?: HeaderFields): void {
    if (this.done) throw new Error('the stage ends twice');
    this.done = true;
    this.#settle.resolve({ body: Buffer.concat(this.#parts), trailers });
  }

  fail(cause: string): void {
    this.done = true;
    this.#settle.reject(new Error(`the stage failed: ${cause}`));
  }

  refuse(cause: string): void {
    this.done = true;
    this.#settle.reject(new Error(`the stage cannot read its input: ${cause}`));
  }

  onWritable(callback: () => void): void {
    this.#callback = callback;
  }

  resume(): void {
    this.#resume?.();
  }

  #drained(): void {
    if (this.#callback === undefined) this.#resume?.();
    else this.#callback();
  }

  /** Resolves when the stage, which paused its source, accepts more. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the stage has paused its source for good')), STUCK_MS);
      this.#resume = () => {
        clearTimeout(timer);
        this.#resume = undefined;
        resolve();
      };
      if (this.done) this.#resume();
    });
  }
}

function attemptOf(
  exchange: Exchange,
  body: Uint8Array | undefined,
): Parameters<NonNullable<PolicyInstance['onAttempt']>>[1] {
  const { headers } = exchange;
  return {
    number: 1,
    service: 'target',
    target: 'http://127.0.0.1:1',
    method: exchange.method,
    path: exchange.query === '' ? exchange.path : `${exchange.path}?${exchange.query}`,
    host: exchange.host,
    header: (name) => headers.get(name),
    headers: () => headers.entries(),
    set: (name, value) => headers.set(name, value),
    remove: (name) => headers.remove(name),
    body,
    hasBody: exchange.hasBody,
    unauthorized: false,
    repeatAfter401: () => {},
  };
}
