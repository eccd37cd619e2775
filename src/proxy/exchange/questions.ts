/** Questions to duties on their way: each is asked once at a time, their number is bounded, and each ends in time. */
import { createHash } from 'node:crypto';
import type { Json } from '../../bundle/types.js';

export interface QuestionLimits {
  /** Different questions that may be pending. */
  readonly pending: number;
  /** Milliseconds for an answer. */
  readonly timeout: number;
  /** Largest question, in characters of its JSON. */
  readonly size: number;
}

export const QUESTION_LIMITS: QuestionLimits = { pending: 256, timeout: 15_000, size: 64 * 1024 };

/** Runs `work` once after `ms` milliseconds; returns the function that cancels it. */
export type After = (ms: number, work: () => void) => () => void;

/** The system's timer, which does not keep the process running. */
export const systemAfter: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

/** The pending questions to one duty. */
export class Questions {
  readonly #ask: (question: Json) => Promise<Json>;
  readonly #after: After;
  readonly #limits: QuestionLimits;
  /** By digest, so that a long question is kept once. */
  readonly #pending = new Map<string, Promise<Json>>();

  constructor(ask: (question: Json) => Promise<Json>, after: After = systemAfter, limits = QUESTION_LIMITS) {
    this.#ask = ask;
    this.#after = after;
    this.#limits = limits;
  }

  /** The answer; that of an equal pending question if there is one. Rejects beyond the limits, or if the question fails. */
  ask(question: Json): Promise<Json> {
    const text = JSON.stringify(question);
    if (text === undefined) return Promise.reject(new TypeError('A question to a duty must be JSON.'));
    const { pending, size } = this.#limits;
    if (text.length > size) return Promise.reject(new RangeError(`A question to a duty is longer than ${size}.`));
    const key = text.length < 64 ? text : createHash('sha256').update(text).digest('base64');
    const known = this.#pending.get(key);
    if (known !== undefined) return known;
    if (this.#pending.size >= pending) return Promise.reject(new Error('too many questions to the duty are pending'));
    const answer = this.#bounded(question).finally(() => this.#pending.delete(key));
    this.#pending.set(key, answer);
    return answer;
  }

  #bounded(question: Json): Promise<Json> {
    const { timeout } = this.#limits;
    return new Promise((resolve, reject) => {
      const cancel = this.#after(timeout, () => reject(new Error(`no answer of the duty within ${timeout} ms`)));
      const asked = Promise.resolve().then(() => this.#ask(question));
      asked.then(resolve, reject).finally(cancel);
    });
  }
}
