/** idempotency at run time: a request with a key goes to its target at most once, and its reply is repeated. */
import type {
  Awaitable,
  BodyStage,
  Content,
  ContentStore,
  DeclaredProblem,
  Exchange,
  Json,
  Outcome,
  OutcomeAnswer,
  OutcomeStore,
  PolicyHost,
  PolicyInstance,
  Reply,
  StageOut,
} from '../contract.js';
import { type Problem, problem, runPolicy } from '../run-kit.js';
import { FullLog } from './full-log.js';
import { factsOf, KeepingStage, type KeptData, lengthOf, replyOf } from './kept.js';
import { callerOf, fingerprintOf, readKey } from './key.js';
import { PROBLEMS } from './problems.js';
import type { IdempotencySettings } from './schema.js';
import { Work } from './work.js';

export const create = runPolicy<IdempotencySettings>((settings, host) => new Idempotency(settings, host));

const FIELD = 'idempotency-key';
const NO_BYTES = new Uint8Array(0);
/** Seconds after which a request may be tried again while the first one is in progress, or while keys cannot be checked. */
const SOON = '1';
const LATER = '5';

class Idempotency implements PolicyInstance {
  readonly #settings: IdempotencySettings;
  readonly #host: PolicyHost;
  readonly #contents: ContentStore<KeptData>;
  readonly #outcomes: OutcomeStore;
  readonly #full: FullLog;
  /** The field that leads to the documentation, RFC 8288. */
  readonly #link: { readonly link?: string };
  readonly #counts = { done: 0, replayed: 0, refused: 0, unknown: 0, notKept: 0, full: 0 };

  constructor(settings: IdempotencySettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    const { disk, maxReply, documentation } = settings;
    this.#contents = host.kept<KeptData>(maxReply, { disk });
    this.#outcomes = disk ? host.outcomesOnDisk() : host.outcomes;
    this.#full = new FullLog(host);
    this.#link = documentation === null ? {} : { link: `<${documentation}>; rel="describedby"` };
  }

  before(exchange: Exchange): Awaitable<Reply | undefined> {
    const { methods, required } = this.#settings;
    if (!methods.includes(exchange.method)) return undefined;
    const field = exchange.headers.get(FIELD);
    if (field === undefined) {
      if (required) return this.#refuse(exchange, PROBLEMS.missing, 'no key');
      return this.#decide(exchange, 'pass', 'no key');
    }
    const key = readKey(field);
    if (key === undefined) return this.#refuse(exchange, PROBLEMS.malformed, 'the key is malformed');
    const caller = callerOf(exchange);
    // Its key would be that of another caller: the client would find it free when it asks again.
    if (caller === undefined) return this.#outage(exchange, new Error('the client has left, and has no address'));
    const { ttl, lease, retries } = this.#settings;
    const work = new Work(
      {
        key: JSON.stringify([exchange.route.name, caller.name, key]),
        fingerprint: '',
        by: caller.name,
        ttlMs: ttl,
        leaseMs: lease,
        retries,
      },
      caller.known,
    );
    exchange.note(this, work);
    return exchange.hasBody ? undefined : this.#begin(exchange, work, NO_BYTES);
  }

  readsRequest(exchange: Exchange): boolean {
    return exchange.noted(this) !== undefined;
  }

  onRequestBody(exchange: Exchange, body: Uint8Array): Awaitable<Reply | undefined> {
    return this.#begin(exchange, exchange.noted(this) as Work, body);
  }

  // ---------------------------------------------------------------- claims

  #begin(exchange: Exchange, work: Work, body: Uint8Array): Awaitable<Reply | undefined> {
    work.of.fingerprint = fingerprintOf(exchange, body);
    try {
      const answer = this.#outcomes.claim(work.of);
      if (answer instanceof Promise) return this.#later(exchange, work, answer);
      return this.#answered(exchange, work, answer);
    } catch (error) {
      return this.#outage(exchange, error);
    }
  }

  async #later(exchange: Exchange, work: Work, pending: Promise<OutcomeAnswer>): Promise<Reply | undefined> {
    let answer: OutcomeAnswer;
    try {
      answer = await pending;
    } catch (error) {
      return this.#outage(exchange, error);
    }
    return this.#answered(exchange, work, answer);
  }

  #answered(exchange: Exchange, work: Work, answer: OutcomeAnswer): Awaitable<Reply | undefined> {
    switch (answer.state) {
      case 'mine':
        return this.#run(exchange, work, answer.claim);
      case 'running':
        return this.#refuse(exchange, PROBLEMS.running, 'a request with the key is in progress', { wait: SOON });
      case 'unknown':
        return this.#refuseUnknown(exchange, answer.leftMs);
      case 'other':
        return this.#refuse(exchange, PROBLEMS.reused, 'the key was used for another request');
      case 'full':
        this.#counts.full++;
        this.#full.note();
        return this.#refuse(exchange, PROBLEMS.full, 'no room for another key', { wait: LATER });
      case 'done':
        return answer.kept ? this.#replay(exchange, work, answer) : this.#refuseDone(exchange, answer.status, false);
    }
  }

  #run(exchange: Exchange, work: Work, claim: number): undefined {
    work.claim = claim;
    work.state = 'running';
    // The exchange has ended while the store was asked.
    if (work.ended) return this.#settle(work, { state: 'free' });
    exchange.lasting = true;
    exchange.sendOnce = true;
    return this.#decide(exchange, 'pass', 'first request with the key');
  }

  #replay(
    exchange: Exchange,
    work: Work,
    { claim, status }: { readonly claim: number; readonly status: number },
  ): Awaitable<Reply> {
    const found = this.#contents.get(contentKey(work, claim));
    if (found instanceof Promise) return found.then((late) => this.#replayed(exchange, late, status));
    return this.#replayed(exchange, found, status);
  }

  #replayed(exchange: Exchange, content: Content<KeptData> | undefined, status: number): Reply {
    const reply = content && replyOf(content);
    // After a restart, or while the disk is slow, its reply may still be there.
    if (reply === undefined) return this.#refuseDone(exchange, status, this.#contents.answers?.() === false);
    this.#counts.replayed++;
    this.#decide(exchange, 'answer', `reply of the first request with the key: ${status}`);
    return reply;
  }

  // ---------------------------------------------------------------- replies

  after(exchange: Exchange, reply: Reply): Reply | undefined {
    const work = exchange.noted(this) as Work | undefined;
    if (work?.state !== 'running') return undefined;
    const { status, code } = reply;
    const free = code === undefined ? this.#settings.freeOn.includes(status) : !exchange.sent;
    if (free) this.#settle(work, FREE);
    // The code is that of a reply by gw: the one of the target is lost.
    else if (status >= 500 || code !== undefined) this.#settle(work, exchange.sent ? UNKNOWN : FREE);
    else this.#keep(exchange, work, reply);
    if (work.settled) exchange.lasting = false;
    return undefined;
  }

  #keep(exchange: Exchange, work: Work, reply: Reply): void {
    const { status } = reply;
    work.status = status;
    // A part, or a tunnel, is not the whole reply.
    if (status === 206 || status < 200) this.#done(work, false);
    else if (hasBody(status)) work.state = 'keeping';
    else {
      const writer = this.#contents.put(contentKey(work, work.claim), this.#facts(work, reply), 0);
      writer?.commit();
      this.#done(work, writer !== undefined);
    }
    this.#decide(exchange, 'pass', `reply ${status}`);
  }

  readsReply(exchange: Exchange): boolean {
    return (exchange.noted(this) as Work | undefined)?.state === 'keeping';
  }

  replyStage(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined {
    const work = exchange.noted(this) as Work;
    const length = lengthOf(reply);
    const fits = length <= this.#settings.maxReply;
    const writer = fits
      ? this.#contents.put(contentKey(work, work.claim), this.#facts(work, reply), length)
      : undefined;
    if (writer !== undefined) return new KeepingStage(writer, out, (kept) => this.#done(work, kept));
    // The target has done the work: its reply alone is lost.
    this.#done(work, false);
    exchange.lasting = false;
    return undefined;
  }

  #facts(work: Work, reply: Reply) {
    return factsOf(reply, this.#host.clock.now() + this.#settings.ttl, work.known);
  }

  finished(exchange: Exchange): void {
    const work = exchange.noted(this) as Work | undefined;
    if (work === undefined) return;
    work.ended = true;
    if (work.state === 'running') this.#settle(work, exchange.sent ? UNKNOWN : FREE);
    else if (work.state === 'keeping') this.#done(work, false);
  }

  // ---------------------------------------------------------------- outcomes

  #done(work: Work, kept: boolean): void {
    if (work.settled) return;
    this.#counts.done++;
    if (!kept) this.#counts.notKept++;
    this.#settle(work, { state: 'done', kept, status: work.status });
  }

  #settle(work: Work, outcome: Outcome): undefined {
    if (work.settled) return;
    work.state = 'settled';
    if (outcome.state === 'unknown') this.#counts.unknown++;
    try {
      const noted = this.#outcomes.settle(work.of, work.claim, outcome);
      if (noted instanceof Promise) noted.catch((error: unknown) => this.#unsettled(error));
    } catch (error) {
      this.#unsettled(error);
    }
  }

  #unsettled(error: unknown): void {
    const cause = error instanceof Error ? error.message : String(error);
    this.#host.logger.error('outcome of a request with a key not noted', { policy: this.#host.name, cause });
  }

  // ---------------------------------------------------------------- refusals

  #refuseUnknown(exchange: Exchange, leftMs: number): Reply {
    const why = 'it is not known whether the first request with the key was done';
    // Without retries, the lease changes nothing.
    if (leftMs <= 0 || !this.#settings.retries) return this.#refuse(exchange, PROBLEMS.unknown, why);
    return this.#refuse(exchange, PROBLEMS.unknown, why, { wait: String(Math.ceil(leftMs / 1000)) });
  }

  /** `mayCome`: its reply may be found later. */
  #refuseDone(exchange: Exchange, status: number, mayCome: boolean): Reply {
    const why = `the first request with the key was done (${status}), and its reply ${mayCome ? 'cannot be read now' : 'is not kept'}`;
    const extensions = { completed_status: status };
    return this.#refuse(exchange, PROBLEMS.notKept, why, mayCome ? { wait: LATER, extensions } : { extensions });
  }

  #outage(exchange: Exchange, error: unknown): Reply {
    const cause = error instanceof Error ? error.message : String(error);
    return this.#refuse(exchange, PROBLEMS.unavailable, cause, { wait: LATER });
  }

  #refuse(
    exchange: Exchange,
    { code, status, title, description }: DeclaredProblem,
    why: string,
    { wait, extensions }: { readonly wait?: string; readonly extensions?: Problem['extensions'] } = {},
  ): Reply {
    this.#counts.refused++;
    this.#decide(exchange, 'answer', why);
    return problem(exchange, {
      code,
      status,
      title,
      detail: description.replaceAll('`', ''),
      cause: why,
      headers: { ...this.#link, ...(wait === undefined ? {} : { 'retry-after': wait }) },
      ...(extensions === undefined ? {} : { extensions }),
    });
  }

  #decide(exchange: Exchange, outcome: 'pass' | 'answer', why: string): undefined {
    exchange.decisions?.push({ step: this.#host.name, use: 'idempotency', outcome, why });
  }

  stats(): Json {
    return { ...this.#counts };
  }
}

const UNKNOWN: Outcome = { state: 'unknown' };
const FREE: Outcome = { state: 'free' };

/** Whether replies with this status have a body, RFC 9110 section 6.4.1. */
const hasBody = (status: number): boolean => status !== 204 && status !== 205 && status !== 304;

/** A claim has one reply at most, so no reply of another claim can be found under its key. */
const contentKey = ({ of }: Work, claim: number): string => `${claim} ${of.key}`;
