/** Checks that a client keeps up while gw waits for it: to send a request body, or to read a reply. */
import type { ListenerEntry } from '../../../bundle/types.js';
import { timeSpan } from '../../errors/cause.js';

/** `silent`: no bytes for too long. `slow`: bytes, but too few. */
export type Verdict = 'fine' | 'silent' | 'slow';

/** A listener's bounds. */
export type PaceLimits = Pick<ListenerEntry, 'minBodyRate' | 'bodyTimeout'>;

/**
 * Checked a few times a second, from byte counts that exist anyway, so that a transfer costs nothing extra.
 *
 * It is an account of time: time spent waiting is deducted, bytes are credited at the required rate. It begins with a grace,
 * and its credit is at most the longest permitted silence, so that a client cannot save up for hours of trickling.
 */
export class Pace {
  readonly #grace: number;
  /** Milliseconds of waiting that are left to the client. */
  #credit: number;
  #bytes: number;
  /** Time of the last check while gw waited for the client; 0 if it did not. */
  #checkedAt = 0;
  #movedAt = 0;

  /** `bytes`: the byte count from which on bytes are credited. */
  constructor(grace: number, bytes: number) {
    this.#grace = grace;
    this.#credit = grace;
    this.#bytes = bytes;
  }

  /**
   * gw waits for the client, which has moved `bytes` so far. `now` in monotonic milliseconds; `minBodyRate` in bytes per
   * second (0: none), `bodyTimeout` in milliseconds.
   */
  check(now: number, bytes: number, { minBodyRate, bodyTimeout }: PaceLimits): Verdict {
    if (this.#checkedAt === 0) this.#movedAt = now;
    else this.#credit -= now - this.#checkedAt;
    this.#checkedAt = now;
    const came = bytes - this.#bytes;
    if (came > 0) {
      this.#bytes = bytes;
      this.#movedAt = now;
      if (minBodyRate > 0)
        this.#credit = Math.min(this.#credit + (came * 1000) / minBodyRate, Math.max(bodyTimeout, this.#grace));
    } else if (now - this.#movedAt >= bodyTimeout) return 'silent';
    return minBodyRate > 0 && this.#credit < 0 ? 'slow' : 'fine';
  }

  /** gw does not wait for the client at present: the time does not count. */
  stop(): void {
    this.#checkedAt = 0;
  }
}

/** Why a client that is `silent` or `slow` fails, in sending its request body or in reading its reply. */
export function paceCause(
  verdict: Verdict,
  what: 'request' | 'reply',
  { minBodyRate, bodyTimeout }: PaceLimits,
): string {
  const doing = what === 'request' ? 'sends its request body' : 'reads its reply';
  if (verdict === 'slow') return `the client ${doing} at less than ${minBodyRate} bytes a second (min_body_rate)`;
  const timeout = what === 'request' ? 'request body timeout' : 'reply timeout: the client does not read';
  return `${timeout} (${timeSpan(bodyTimeout)}, body_timeout)`;
}
