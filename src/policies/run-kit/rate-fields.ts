/** The reply fields of a rate, those of draft-ietf-httpapi-ratelimit-headers, and the 429. */
import { type ReadyField, readyField } from '../../field-syntax.js';
import type { LimitAnswer, LimitRate } from '../contract.js';
import { type BytesReply, type Problem, problem } from './replies.js';
import { fieldSafe } from './templates.js';

/** Registered by draft-ietf-httpapi-ratelimit-headers. */
const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded';

/** Prepared fields are kept by the low bits of what remains: under load the same few are sent repeatedly. */
const STATE_FIELDS = 64;

/** The two fields of a reply, prepared. */
export class PreparedFields {
  constructor(
    readonly policyField: ReadyField,
    readonly remaining: number,
    readonly seconds: number,
    readonly stateField: ReadyField,
  ) {}
}

/** Makes the fields of one limit. `name`: as clients see it. */
export class RateFields {
  /** The name as a structured-field string. */
  readonly #quoted: string;
  readonly #prepared: (PreparedFields | undefined)[] = new Array(STATE_FIELDS).fill(undefined);

  constructor(name: string) {
    this.#quoted = `"${fieldSafe(name).replace(/["\\]/g, '\\$&').replaceAll('\t', ' ')}"`;
  }

  /** The RateLimit-Policy field of a rate. */
  describe(rate: LimitRate): ReadyField {
    const seconds = Math.max(1, wholeSeconds(rate.periodMs));
    return readyField('ratelimit-policy', `${this.#quoted};q=${rate.capacity};w=${seconds}`);
  }

  /** The fields after an answer of the limiter. `policyField`: as describe() returned it. */
  after(policyField: ReadyField, { remaining, resetMs }: LimitAnswer): PreparedFields {
    const seconds = wholeSeconds(resetMs);
    const at = remaining & (STATE_FIELDS - 1);
    const prepared = this.#prepared[at];
    if (prepared?.remaining === remaining && prepared.seconds === seconds && prepared.policyField === policyField)
      return prepared;
    const field = readyField('ratelimit', `${this.#quoted};r=${remaining};t=${seconds}`);
    const now = new PreparedFields(policyField, remaining, seconds, field);
    this.#prepared[at] = now;
    return now;
  }
}

export interface RateRefusal {
  readonly problem: Pick<Problem, 'code' | 'status' | 'title'>;
  /** Of the policy, for `violated-policies`. */
  readonly policy: string;
  readonly rate: LimitRate;
  readonly answer: LimitAnswer;
  /** Undefined: the reply has none. */
  readonly fields: PreparedFields | undefined;
}

/** The reply to a request beyond a rate. */
export function rateRefusal(
  exchange: { readonly id: string },
  { problem: given, policy, rate, answer, fields }: RateRefusal,
): BytesReply {
  const waits = Number.isFinite(answer.retryMs);
  const seconds = Math.max(1, wholeSeconds(answer.retryMs));
  const { code, status, title } = given;
  return problem(exchange, {
    code,
    status,
    title,
    type: QUOTA_EXCEEDED,
    detail: waits
      ? `The limit is ${rate.capacity} in ${rate.periodMs / 1000} s; try again in ${seconds} s.`
      : `The limit of ${rate.capacity} never lets a request of this cost pass.`,
    headers: {
      ...(waits ? { 'retry-after': String(seconds) } : {}),
      ...(fields === undefined
        ? {}
        : { 'ratelimit-policy': fields.policyField.value, ratelimit: fields.stateField.value }),
    },
    extensions: { 'violated-policies': [policy] },
  });
}

/** Rounded up, but not for what rounding errors add to a whole second. */
const wholeSeconds = (ms: number): number => Math.ceil(ms / 1000 - 1e-6);
