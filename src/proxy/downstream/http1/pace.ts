/** Whether a client keeps up while gw waits for it: to send a request's body, or to take a reply. */

/** `silent`: nothing moved for too long. `slow`: something did, but too little. */
export type Verdict = 'fine' | 'silent' | 'slow';

/**
 * Looked at a few times a second, from byte counts that are kept anyway, so that a transfer costs nothing by it.
 *
 * It is an account of time: what is waited for is taken off, what came is put on at the rate that is asked for. It begins
 * with a grace, and never holds more than the longest silence, so that nobody can save up for hours of trickling.
 */
export class Pace {
  readonly #grace: number;
  /** Milliseconds that the client may still be waited for. */
  #credit: number;
  #bytes: number;
  /** Of the last look while it was waited for; 0: it was not. */
  #lookedAt = 0;
  #movedAt = 0;

  /** `bytes`: the count from which on they are the client's merit. */
  constructor(grace: number, bytes: number) {
    this.#grace = grace;
    this.#credit = grace;
    this.#bytes = bytes;
  }

  /** The client is waited for. `now` in monotonic milliseconds, `rate` in bytes a second (0: none), `silence` in milliseconds. */
  look(now: number, bytes: number, rate: number, silence: number): Verdict {
    if (this.#lookedAt === 0) this.#movedAt = now;
    else this.#credit -= now - this.#lookedAt;
    this.#lookedAt = now;
    const came = bytes - this.#bytes;
    if (came > 0) {
      this.#bytes = bytes;
      this.#movedAt = now;
      if (rate > 0) this.#credit = Math.min(this.#credit + (came * 1000) / rate, Math.max(silence, this.#grace));
    } else if (now - this.#movedAt >= silence) return 'silent';
    return rate > 0 && this.#credit < 0 ? 'slow' : 'fine';
  }

  /** The client is not waited for at present: the time is somebody else's. */
  rest(): void {
    this.#lookedAt = 0;
  }
}
