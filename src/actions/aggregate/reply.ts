/** The reply of an aggregate: the bodies of the calls by name, or a problem that names the call that failed. */
import * as crypto from 'node:crypto';
import type { Exchange, HeaderFields, Json, Reply } from '../../policies/contract.js';
import { evaluate, fieldsOf304 } from '../../policies/kits/http-cache/conditional.js';
import { writeJsonText } from '../../policies/kits/json-text/index.js';
import { BytesReply, HeaderMap, problem } from '../../policies/run-kit.js';
import { cacheFieldsOf } from './cache-fields.js';
import { isSafe } from './methods.js';
import type { Failure } from './outcome.js';
import { PROBLEMS } from './problems.js';
import type { PreparedCall } from './request.js';
import type { RanCall, ReadAnswer } from './sender.js';
import { type Value, ValueFault } from './value.js';
import type { CallTemplate, Scope } from './values.js';

/** The body of a call as JSON text: one, or a list of them. */
export type Part = { readonly json: Uint8Array | string } | { readonly list: readonly (Uint8Array | string)[] };

export interface ReplyPlan {
  readonly calls: readonly PreparedCall[];
  readonly status: number | Value | undefined;
  /** Undefined: an object with the bodies. */
  readonly merge: Value | undefined;
  readonly headers: readonly (readonly [name: string, value: CallTemplate])[];
  readonly etag: boolean;
  /** The spec decides about the status, also if a required call fails. */
  readonly decidesStatus: boolean;
  /** A call depends on who calls, by its templates or its condition. */
  readonly personal: boolean;
}

/** What the calls have ended with, by index. */
export interface Outcome {
  readonly scope: Scope;
  readonly parts: readonly (Part | undefined)[];
  readonly answers: readonly (readonly ReadAnswer[])[];
  readonly failures: readonly (readonly Failure[])[];
  readonly ran: readonly RanCall[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Counts bytes of the reply in the memory for bodies; false: there is no room. */
  keep(bytes: number): boolean;
}

export class Replies {
  readonly #plan: ReplyPlan;
  readonly #exchange: Exchange;

  constructor(plan: ReplyPlan, exchange: Exchange) {
    this.#plan = plan;
    this.#exchange = exchange;
  }

  /** The problem of a call that decides about the reply. */
  failure(failure: Failure, ran: readonly RanCall[]): Reply {
    const { call, cause, fields, from, status } = failure;
    const { code, title } = failure.problem;
    const extensions = { call, ...(from === undefined ? {} : { call_status: from }), ...extensionsOf(ran) };
    return problem(this.#exchange, {
      code,
      title,
      status,
      detail: detailOf(failure),
      extensions,
      cause: `${call}: ${cause}`,
      ...(fields === undefined ? {} : { headers: fields }),
    });
  }

  /** The reply of all calls, without those that failed and do not decide about it. */
  async success(outcome: Outcome): Promise<Reply> {
    try {
      return await this.#merged(outcome);
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      return this.#unfit(error.message, outcome.ran);
    }
  }

  async #merged(outcome: Outcome): Promise<Reply> {
    const failures = outcome.failures.flat();
    const errors = failures.map(errorOf);
    const status = await this.#status(outcome.scope, errors);
    const omitted = outcome.failures.flatMap((some, index) =>
      this.#plan.calls[index]!.settings.onFailure === 'default' ? [] : some,
    );
    const body = WITHOUT_BODY.has(status) ? null : await this.#body(outcome, omitted, errors);
    if (body === undefined) return this.#overloaded(outcome.ran);
    const headers = new HeaderMap();
    if (body !== null) headers.set('content-type', 'application/json');
    for (const [name, template] of this.#plan.headers) {
      const value = template.render('field', outcome.scope);
      if (value !== undefined) headers.set(name, value);
    }
    this.#cacheFields(headers, outcome, failures.length > 0);
    if (failures.length > 0) {
      headers.set('gw-incomplete', this.#incomplete(outcome));
      return new BytesReply(status, { headers, body });
    }
    return this.#withTag(status, headers, body, outcome.now);
  }

  /** A list of tokens: an item of a fan-out is not named by its index. */
  #incomplete({ failures }: Outcome): string {
    const names = this.#plan.calls.map(({ settings }) => settings.name);
    return names.filter((_name, index) => failures[index]!.length > 0).join(', ');
  }

  #unfit(cause: string, ran: readonly RanCall[]): Reply {
    const { code, status, title } = PROBLEMS.merge;
    return problem(this.#exchange, { code, status, title, cause, extensions: extensionsOf(ran) });
  }

  #overloaded(ran: readonly RanCall[]): Reply {
    const { code, status, title } = PROBLEMS.overloaded;
    const cause = 'no memory left for bodies';
    return problem(this.#exchange, { code, status, title, cause, extensions: extensionsOf(ran) });
  }

  async #status(scope: Scope, errors: readonly Json[]): Promise<number> {
    const { status } = this.#plan;
    if (status === undefined || typeof status === 'number') return status ?? 200;
    const value = Number((await status.read(scope, errors)) ?? Number.NaN);
    if (Number.isInteger(value) && value >= 200 && value <= 599) return value;
    throw new ValueFault('the value of `status` is not a status from 200 to 599');
  }

  /** Undefined: there is no room for it. */
  async #body(outcome: Outcome, omitted: readonly Failure[], errors: readonly Json[]): Promise<Buffer | undefined> {
    const { merge } = this.#plan;
    if (merge === undefined) return this.#byName(outcome, omitted);
    const body = Buffer.from(writeJsonText((await merge.read(outcome.scope, errors)) ?? null));
    return outcome.keep(body.length) ? body : undefined;
  }

  /** An object with the bodies as they were received, so that no digit is lost. */
  #byName({ keep, parts }: Outcome, omitted: readonly Failure[]): Buffer | undefined {
    const texts: Uint8Array[] = [];
    const add = (text: Uint8Array | string): void =>
      void texts.push(typeof text === 'string' ? Buffer.from(text) : text);
    let before = '{';
    parts.forEach((part, index) => {
      const { merged, name } = this.#plan.calls[index]!.settings;
      if (part === undefined || !merged) return;
      add(`${before}${JSON.stringify(name)}:`);
      before = ',';
      if ('json' in part) add(part.json);
      else {
        add('[');
        part.list.forEach((json, at) => {
          if (at > 0) add(',');
          add(json);
        });
        add(']');
      }
    });
    if (omitted.length > 0) add(`${before}"errors":${JSON.stringify(omitted.map(errorOf))}}`);
    else add(before === '{' ? '{}' : '}');
    const size = texts.reduce((sum, { length }) => sum + length, 0);
    return keep(size) ? Buffer.concat(texts, size) : undefined;
  }

  #cacheFields(headers: HeaderFields, { answers, now, scope }: Outcome, incomplete: boolean): void {
    const { calls, personal } = this.#plan;
    // Caches do not have the body of a request in their keys: one client could leave its reply there for all.
    const unkeyed = scope.body !== undefined;
    if (incomplete || unkeyed || calls.some(({ settings }) => !isSafe(settings.method))) {
      headers.set('cache-control', 'no-store');
      return;
    }
    const parts = answers.flatMap((some, index) =>
      some.map(({ headers: of, receivedAt, requestedAt }) => ({
        read: (name: string) => of.get(name),
        requestedAt,
        receivedAt,
        own: calls[index]!.own,
      })),
    );
    const authorized = this.#exchange.received('authorization') !== undefined;
    const { cacheControl, vary } = cacheFieldsOf(parts, { personal, authorized }, now);
    if (cacheControl !== undefined && headers.get('cache-control') === undefined)
      headers.set('cache-control', cacheControl);
    if (vary !== undefined) headers.append('vary', vary);
  }

  /** With a tag of the body; or what the conditions of the request make of it, RFC 9110 section 13. */
  #withTag(status: number, headers: HeaderFields, body: Buffer | null, now: number): Reply {
    const { method } = this.#exchange;
    const tagged = this.#plan.etag && status === 200 && body !== null && (method === 'GET' || method === 'HEAD');
    if (!tagged || headers.get('cache-control')?.includes('no-store')) return new BytesReply(status, { headers, body });
    const tag = headers.get('etag') ?? `"${crypto.hash('sha256', body, 'base64url').slice(0, 27)}"`;
    headers.set('etag', tag);
    const fields = (name: string): string | undefined => headers.get(name);
    const asked = (name: string): string | undefined =>
      // Without a date of the last change it does not count, RFC 9110 section 13.1.3.
      name === 'if-modified-since' && fields('last-modified') === undefined
        ? undefined
        : this.#exchange.headers.get(name);
    const outcome = evaluate(asked, { status, fields, receivedAt: now }, 'origin');
    if (outcome === 412) return problem(this.#exchange, PROBLEMS.precondition);
    if (outcome !== 304) return new BytesReply(status, { headers, body });
    return new BytesReply(304, { headers: new HeaderMap(fieldsOf304([...headers.entries()])) });
  }
}

/** What a problem says about requests with effects. */
const extensionsOf = (ran: readonly RanCall[]): { readonly [name: string]: Json } =>
  ran.length === 0 ? {} : { ran: ran.map(({ call, method, status }) => ({ call, method, status })) };

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** A failure that the reply is made without, as the client may know it. */
const errorOf = ({ call, problem: { code }, status }: Failure): Json => ({ call, status, code });

function detailOf({ call, from, problem: { code } }: Failure): string {
  if (code === PROBLEMS.timeout.code) return `The call \`${call}\` had no reply in time.`;
  return from === undefined
    ? `The call \`${call}\` has no usable reply.`
    : `The call \`${call}\` was answered with ${from}.`;
}
