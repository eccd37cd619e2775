/** Runs the calls of one request: each as soon as those that it waits for have ended. */
import type { ActionHost, Exchange, Reply } from '../../policies/contract.js';
import { isLongNumber, type JsonValue } from '../../policies/kits/json-text/index.js';
import type { CallStore } from './call-cache.js';
import { type FanOut, fanOut, itemsOf } from './fan-out.js';
import { type Failure, timedOut, unusable } from './outcome.js';
import { type Part, Replies, type ReplyPlan } from './reply.js';
import { type PreparedCall, passableFields, type RenderedRequest } from './request.js';
import { type ReadAnswer, Sender, type Sent } from './sender.js';
import { type Value, ValueFault } from './value.js';
import type { CallResult, Scope } from './values.js';

/** What all requests of an aggregate have in common. */
export interface Prepared {
  readonly calls: readonly PreparedCall[];
  /** By index: the calls that wait for it. */
  readonly waiting: readonly (readonly number[])[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly maxTotal: number;
  /** Of replies; undefined: no call uses them again. */
  readonly store: CallStore | undefined;
  readonly reply: ReplyPlan;
}

/** How a call has ended. */
interface Ended {
  readonly result: CallResult;
  /** Its member of the reply; absent: none. */
  readonly part?: Part;
  /** Failures that did not end the request. */
  readonly failures?: readonly Failure[];
  readonly answers?: readonly ReadAnswer[];
}

export class Execution {
  readonly #prepared: Prepared;
  readonly #host: ActionHost;
  readonly #exchange: Exchange;
  readonly #body: JsonValue | undefined;
  readonly #sender: Sender;
  readonly #results: (CallResult | undefined)[];
  /** By index: how many calls it still waits for. */
  readonly #left: number[];
  readonly #ended: (Ended | undefined)[];
  #open: number;
  #passed: ReturnType<typeof passableFields> = [];
  /** By index: whether its `when` holds. */
  #wanted: readonly boolean[] = [];
  /** The failure that decides about the reply. */
  #failure: Failure | undefined = undefined;
  #over = false;
  #resolve: (reply: Reply) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #cancelTimer: () => void = () => {};

  /** `body`: of the request, if it is read. */
  constructor(prepared: Prepared, host: ActionHost, exchange: Exchange, body: JsonValue | undefined) {
    this.#body = body;
    const { calls, maxTotal, store, timeout } = prepared;
    this.#prepared = prepared;
    this.#host = host;
    this.#exchange = exchange;
    this.#sender = new Sender(host, exchange, { deadline: host.clock.monotonic() + timeout, maxTotal, store });
    this.#results = calls.map(() => undefined);
    this.#ended = calls.map(() => undefined);
    this.#left = calls.map(({ settings }) => settings.after.length);
    this.#open = calls.length;
  }

  /** Resolves with the reply, also if calls fail. Rejects for a bug, and for a condition that cannot be evaluated. */
  run(): Promise<Reply> {
    const { calls, timeout } = this.#prepared;
    // Before anything is sent: a condition that cannot be evaluated must not leave half of the calls done.
    this.#wanted = calls.map(({ when }) => when?.holds(this.#exchange) !== false);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#cancelTimer = this.#host.after(timeout, () => this.#timeOut());
      this.#passed = passableFields(this.#host, this.#exchange);
      this.#left.forEach((left, index) => {
        if (left === 0) this.#start(index);
      });
    });
  }

  /** The exchange has ended: nothing more is sent, and all memory is given back. */
  close(): void {
    this.#over = true;
    this.#cancelTimer();
    this.#sender.release();
  }

  #start(index: number): void {
    this.#call(index).then(
      (ended) => this.#settle(index, ended),
      (error: unknown) => this.#break(error),
    );
  }

  #break(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer();
    this.#sender.stop();
    this.#reject(error);
  }

  #settle(index: number, ended: Ended): void {
    // One that comes after the time of the aggregate has been given up.
    if (this.#over || this.#ended[index] !== undefined) return;
    this.#ended[index] = ended;
    this.#results[index] = ended.result;
    this.#open--;
    if (this.#failure !== undefined) {
      this.#answerFailure();
      return;
    }
    for (const other of this.#prepared.waiting[index]!) if (--this.#left[other]! === 0) this.#start(other);
    if (this.#open === 0) this.#finish();
  }

  async #call(index: number): Promise<Ended> {
    const call = this.#prepared.calls[index]!;
    if (!this.#wanted[index]!) return skipped(call);
    const scope = this.#scope();
    try {
      if (call.only !== undefined && !isTrue(await call.only.read(scope))) return skipped(call);
      // Without the result of a call that was not sent, this one has nothing to ask for, or would ask for everything.
      if (this.#lacks(call.settings.needs) || this.#lacksFields(call.settings.needsFields)) return skipped(call);
      return await (call.items === undefined ? this.#one(call, scope) : this.#each(call, call.items, scope));
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      return this.#failed(call, unusable(call.settings.name, error.message));
    }
  }

  #scope(item?: JsonValue): Scope {
    const scope = { exchange: this.#exchange, body: this.#body, results: this.#results };
    return item === undefined ? scope : { ...scope, item };
  }

  async #one(call: PreparedCall, scope: Scope): Promise<Ended> {
    const { name } = call.settings;
    const rendered = call.render(scope, this.#passed);
    const request = rendered instanceof Promise ? await rendered : rendered;
    if (typeof request === 'string') return this.#failed(call, unusable(name, request));
    const sent = await this.#sender.send(call.settings, request, name);
    if ('failure' in sent) return this.#failed(call, sent.failure);
    const { answer } = sent;
    const { headers, json, status, value } = answer;
    const result: CallResult = { outcome: 'ok', status, headers, ...(value === undefined ? {} : { value }) };
    return { result, part: { json }, answers: [answer] };
  }

  /** Whether one of these calls has no result: it was not sent or has failed, and has no default. */
  #lacks(calls: readonly number[]): boolean {
    return calls.some((index) => {
      const result = this.#results[index];
      return result !== undefined && result.outcome !== 'ok' && result.value === undefined;
    });
  }

  /** Whether one of these calls has no fields: a default is only a body. */
  #lacksFields(calls: readonly number[]): boolean {
    return calls.some((index) => this.#results[index]?.headers === undefined);
  }

  /** A failure that the call's default takes the place of, or that the reply is made without, or that decides about it. */
  #failed(call: PreparedCall, failure: Failure): Ended {
    const { from } = failure;
    const status = from === undefined ? {} : { status: from };
    if (call.settings.onFailure === 'default' && failure.ended !== true) {
      const { part, value } = inPlaceOf(call);
      return { result: { outcome: 'failed', ...status, value }, part, failures: [failure] };
    }
    if (this.#decides(call)) this.#fail(failure);
    return { result: { outcome: 'failed', ...status }, failures: [failure] };
  }

  /** Whether a failure of the call decides about the reply. */
  #decides({ settings }: PreparedCall): boolean {
    return settings.onFailure === 'fail' && !this.#prepared.reply.decidesStatus;
  }

  async #each(call: PreparedCall, from: Value, scope: Scope): Promise<Ended> {
    const { forEach, name, onFailure, unique } = call.settings;
    const { concurrency, max } = forEach!;
    const found = await from.read(scope);
    if (found === undefined && this.#lacks(call.settings.after)) return skipped(call);
    const items = itemsOf(found);
    if (items.length > max)
      return this.#failed(call, unusable(name, `${items.length} items, at most ${max} are accepted`));
    const work: FanOut = {
      count: items.length,
      render: (index) => this.#render(call, this.#scope(items[index])),
      concurrency,
      unique,
      send: (request, index): Promise<Sent> => this.#sender.send(call.settings, request, `${name}[${index}]`),
      repeat: (sent, index): Sent => this.#sender.repeat(sent, `${name}[${index}]`),
      refuse: (why, index) => unusable(`${name}[${index}]`, why),
      ends: ({ ended }) => ended === true || this.#over || this.#failure !== undefined || this.#decides(call),
    };
    const outcomes = await fanOut(work);
    const failures = outcomes.flatMap((one) => (one !== undefined && 'failure' in one ? [one.failure] : []));
    if (failures[0] !== undefined && onFailure === 'fail') return { ...this.#failed(call, failures[0]), failures };
    const kept: { json: Uint8Array | string; value: JsonValue; answer?: ReadAnswer }[] = [];
    for (const one of outcomes) {
      if (one === undefined) continue;
      if ('answer' in one) kept.push({ json: one.answer.json, value: one.answer.value ?? null, answer: one.answer });
      else if (onFailure === 'default') {
        const value = call.settings.default ?? null;
        kept.push({ json: JSON.stringify(value), value });
      }
    }
    return {
      result: { outcome: 'ok', value: kept.map(({ value }) => value) },
      part: { list: kept.map(({ json }) => json) },
      failures,
      answers: kept.flatMap(({ answer }) => answer ?? []),
    };
  }

  /** As render() of the call; a phrase also if an expression fails. */
  async #render(call: PreparedCall, scope: Scope): Promise<RenderedRequest | string> {
    try {
      return await call.render(scope, this.#passed);
    } catch (error) {
      if (error instanceof ValueFault) return error.message;
      throw error;
    }
  }

  #fail(failure: Failure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#sender.stop();
  }

  /** Requests with effects that are in progress are awaited, so that the reply can say what has happened. */
  #answerFailure(): void {
    if (this.#over || this.#sender.unsafe > 0) return;
    this.#end(new Replies(this.#prepared.reply, this.#exchange).failure(this.#failure!, this.#sender.ran));
  }

  /** The time is over: each call without a reply has failed. */
  #timeOut(): void {
    if (this.#over) return;
    const { calls, reply } = this.#prepared;
    const open = [...calls.keys()].filter((index) => this.#ended[index] === undefined);
    const names = open.map((index) => calls[index]!.settings.name).join(', ');
    const cause = `the time of the aggregate is over: ${names} had no reply`;
    const required = open.find((index) => this.#decides(calls[index]!));
    if (required !== undefined) this.#fail(timedOut(calls[required]!.settings.name, cause));
    if (this.#failure !== undefined)
      this.#end(new Replies(reply, this.#exchange).failure(this.#failure, this.#sender.ran));
    else this.#giveUp(open, cause);
  }

  /** None of these calls is required: the reply is made without them. */
  #giveUp(open: readonly number[], cause: string): void {
    this.#sender.stop();
    for (const index of open) {
      const call = this.#prepared.calls[index]!;
      const ended = this.#failed(call, timedOut(call.settings.name, cause));
      this.#ended[index] = ended;
      this.#results[index] = ended.result;
    }
    this.#finish();
  }

  #finish(): void {
    // No call is left that could time out. What makes the reply has bounds of its own.
    this.#cancelTimer();
    const ended = this.#ended as readonly Ended[];
    const outcome = {
      scope: this.#scope(),
      parts: ended.map(({ part }) => part),
      answers: ended.map(({ answers = [] }) => answers),
      failures: ended.map(({ failures = [] }) => failures),
      ran: this.#sender.ran,
      now: this.#host.clock.now(),
      keep: (bytes: number): boolean => this.#sender.keep(bytes),
    };
    new Replies(this.#prepared.reply, this.#exchange).success(outcome).then(
      (reply) => {
        if (!this.#over) this.#end(reply);
      },
      (error: unknown) => this.#break(error),
    );
  }

  #end(reply: Reply): void {
    this.#over = true;
    this.#cancelTimer();
    this.#sender.stop();
    this.#resolve(reply);
  }
}

/** A call that is not sent: its default, if it has one, takes the place of the body. */
function skipped(call: PreparedCall): Ended {
  if (call.settings.default === undefined) return { result: { outcome: 'skipped' } };
  const { part, value } = inPlaceOf(call);
  return { result: { outcome: 'skipped', value }, part };
}

/** The default of a call. That of a fan-out is one of its items: without them the list is empty. */
function inPlaceOf({ settings }: PreparedCall): { readonly part: Part; readonly value: JsonValue } {
  if (settings.forEach !== undefined) return { part: { list: [] }, value: [] };
  const value = settings.default ?? null;
  return { part: { json: JSON.stringify(value) }, value };
}

/** As a condition, as JSONata's `$boolean` has it. */
function isTrue(value: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined && value !== null && Boolean(value);
  if (isLongNumber(value)) return value.toNumber() !== 0;
  return Array.isArray(value) ? value.some(isTrue) : Object.keys(value).length > 0;
}
