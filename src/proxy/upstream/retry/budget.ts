/**
 * Retry budget of a service in one worker: of the requests of the last ten seconds, only a percentage may be repeated, so that
 * retries do not multiply the load on targets that fail. A number of repeats each second is free, for services with few requests.
 */

/** Seconds that count, the present one included. */
const SECONDS = 10;

export class RetryBudget {
  /** Requests of the present second, to be counted by their owner. */
  requests = 0;
  /** Percentage. */
  #percent = 20;
  /** Repeats each second that need no requests; the share of this worker. */
  #min = 3;
  #repeats = 0;
  /** Of the seconds before, by their number; the present one is not in it. */
  readonly #requestsOf = new Float64Array(SECONDS);
  readonly #repeatsOf = new Float64Array(SECONDS);
  /** Below 0: no sweep so far. */
  #second = -1;

  /** `sharers`: workers among which the minimum is divided. */
  configure(percent: number, min: number, sharers: number): void {
    this.#percent = percent;
    this.#min = min / sharers;
  }

  /** Takes one repeat from the budget; false if it is used up. */
  take(): boolean {
    let requests = this.requests;
    let repeats = this.#repeats;
    for (let at = 0; at < SECONDS; at++) {
      requests += this.#requestsOf[at]!;
      repeats += this.#repeatsOf[at]!;
    }
    const most = Math.max((requests * this.#percent) / 100, this.#min * SECONDS);
    if (repeats + 1 > most) return false;
    this.#repeats++;
    return true;
  }

  /** Called a few times a second with the monotonic time in milliseconds. */
  sweep(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    // What was before the first sweep counts for its second.
    if (this.#second < 0) {
      this.#second = second;
      return;
    }
    if (second - this.#second >= SECONDS) {
      this.#requestsOf.fill(0);
      this.#repeatsOf.fill(0);
    } else {
      this.#store(this.#second, this.requests, this.#repeats);
      // The last of these is the present second, whose place holds one that is ten seconds old.
      for (let after = this.#second + 1; after <= second; after++) this.#store(after, 0, 0);
    }
    this.requests = 0;
    this.#repeats = 0;
    this.#second = second;
  }

  #store(second: number, requests: number, repeats: number): void {
    const at = second % SECONDS;
    this.#requestsOf[at] = requests;
    this.#repeatsOf[at] = repeats;
  }
}
