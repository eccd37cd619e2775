/** A replay window: whether a value (a nonce, the id of a proof) is used for the first time, over all workers. */
import type { Awaitable, PolicyHost, Refused, Unavailable, Use } from '../contract.js';

/** What a policy with a replay window may answer besides its own problems. */
export const REPLAY_PROBLEM = {
  code: 'auth/replay-window',
  status: 503,
  title: 'Replay window full',
  description:
    'The request is genuine, but the gateway has no room to remember it, so that a copy of it could pass. Too many signed requests, proofs or messages were accepted lately, in all or from this caller; `Retry-After` says when to try again.',
} as const;

/** The window is full, or cannot be asked: the request must not pass. */
export type Unnoted = Refused | Unavailable;

/** Milliseconds between two log lines of a full window, in each worker and policy. */
const LOG_EVERY = 60_000;

export class ReplayWindow {
  readonly #host: Pick<PolicyHost, 'name' | 'clock' | 'logger' | 'replays'>;
  readonly #full: Refused;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  /** `problem`: REPLAY_PROBLEM, as the policy declares it. */
  constructor(
    host: Pick<PolicyHost, 'name' | 'clock' | 'logger' | 'replays'>,
    { code, status, title }: typeof REPLAY_PROBLEM,
  ) {
    this.#host = host;
    const problem = { code, status, title, headers: { 'retry-after': '5' } };
    this.#full = { outcome: 'refused', why: 'the replay window is full', problem, counts: false };
  }

  /**
   * Notes that `parts` are used, for `ttlMs` milliseconds. True for the first caller alone. Otherwise false, or what to answer if
   * they cannot be noted. `by`: the caller, who cannot take all the room. Never throws or rejects.
   */
  isFirstUse(parts: readonly string[], ttlMs: number, by?: string): Awaitable<boolean | Unnoted> {
    try {
      const use = this.#host.replays.note(JSON.stringify(parts), ttlMs, by);
      return use instanceof Promise ? this.#later(use) : this.#answerTo(use);
    } catch (error) {
      return outage(error);
    }
  }

  /** `parts` may be used again. */
  async forget(parts: readonly string[]): Promise<void> {
    await this.#host.replays.forget(JSON.stringify(parts));
  }

  /** Apart from isFirstUse(), so that the store in memory costs no promise. */
  async #later(pending: Promise<Use>): Promise<boolean | Unnoted> {
    try {
      return this.#answerTo(await pending);
    } catch (error) {
      return outage(error);
    }
  }

  #answerTo(use: Use): boolean | Unnoted {
    if (use !== 'full') return use === 'first';
    this.#logFull();
    return this.#full;
  }

  #logFull(): void {
    const now = this.#host.clock.monotonic();
    this.#unlogged++;
    if (now - this.#loggedAt < LOG_EVERY) return;
    this.#host.logger.warn('replay window full, requests refused', {
      policy: this.#host.name,
      refused: this.#unlogged,
    });
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}

const outage = (error: unknown): Unavailable => ({
  outcome: 'unavailable',
  why: `replay window: ${error instanceof Error ? error.message : 'failed'}`,
});
