/**
 * Whether a silent connection is dead. A PING asks (RFC 9113 section 6.7), but seldom: gRPC servers close connections that ask more
 * than once in five minutes without a reply in between.
 */

/** Milliseconds of silence, while replies are awaited, before a PING. */
const SILENT_MS = 10_000;
/** Milliseconds between two PINGs without other bytes of the target in between. */
const PING_EVERY = 300_000;
/** Milliseconds without an answer after which the connection gets no further requests. */
const DOUBT_MS = 500;

export class Liveness {
  /** All bytes that had come at the last sweep, or with the last answer. */
  #bytes = 0;
  #silentSince: number;
  #mayPingAt = 0;
  /** When the unanswered PING was sent; 0 for none. */
  #pingedAt = 0;
  #lastPing = Number.NEGATIVE_INFINITY;
  #now: number;

  /** Monotonic milliseconds. */
  constructor(now: number) {
    this.#silentSince = now;
    this.#now = now;
  }

  /** A PING is not answered yet. */
  get doubtful(): boolean {
    return this.#pingedAt !== 0 && this.#now - this.#pingedAt >= DOUBT_MS;
  }

  /** Whether a PING may be sent now, which it then must be. `late`: a reply is missing, so that it is worth the risk. */
  mayPing(now: number, late: boolean): boolean {
    if (this.#pingedAt !== 0 || (now < this.#mayPingAt && !(late && now - this.#lastPing >= SILENT_MS))) return false;
    this.#pingedAt = now;
    this.#lastPing = now;
    this.#mayPingAt = now + PING_EVERY;
    return true;
  }

  /** The answer has come. `bytes`: all that have come. */
  answered(bytes: number): void {
    this.#pingedAt = 0;
    this.#silentSince = this.#now;
    this.#bytes = bytes;
  }

  /** Called a few times a second. `awaited`: there are requests. Returns whether it is time for a PING. */
  sweep(now: number, bytes: number, awaited: boolean): boolean {
    this.#now = now;
    if (bytes !== this.#bytes || !awaited) {
      if (bytes !== this.#bytes && this.#pingedAt === 0) this.#mayPingAt = 0;
      this.#bytes = bytes;
      this.#silentSince = now;
      return false;
    }
    return this.#pingedAt === 0 && now - this.#silentSince >= SILENT_MS && now >= this.#mayPingAt;
  }

  /** Whether the PING has been unanswered for `timeout` milliseconds. */
  isDead(now: number, timeout: number): boolean {
    return this.#pingedAt !== 0 && now - this.#pingedAt >= timeout;
  }
}
