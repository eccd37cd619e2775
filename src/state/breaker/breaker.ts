/** The circuit breaker of one service, in memory that all workers share. */
import type { SharedLocks } from '../shared-lock.js';
import { type BreakerState, BUCKETS, CLOSED, HALF_OPEN, OPEN, Word } from './layout.js';

/** Results of enter(): the breaker is open; too many requests are in flight. */
export const REFUSED_OPEN = -1;
export const REFUSED_FULL = -2;
/** The request passes. Above: it is a probe. */
export const ADMITTED = 0;

/** Milliseconds; percentages. An absent condition never opens it. */
export interface BreakerSettings {
  readonly errors?: number;
  readonly requests: number;
  readonly consecutive?: number;
  readonly window: number;
  readonly openFor: number;
  readonly probes: number;
}

export interface BreakerMemory {
  readonly words: Int32Array<ArrayBufferLike>;
  readonly times: Float64Array<ArrayBufferLike>;
  readonly locks: SharedLocks;
  /** Makes the totals those of the columns. */
  readonly recount: () => void;
}

/** The breaker of one service, as one worker uses it. */
export class Breaker {
  readonly #memory: BreakerMemory;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #at: number;
  readonly #column: number;
  readonly #low: number;
  readonly #high: number;
  readonly #now: () => number;

  constructor(memory: BreakerMemory, at: number, column: number, now: () => number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#at = at;
    this.#column = column;
    this.#low = memory.words[at]!;
    this.#high = memory.words[at + 1]!;
    this.#now = now;
  }

  /**
   * A request wants to pass; `most`: bound of requests in flight, 0 for none. Without `settings` only the bound applies.
   * Returns ADMITTED, the number of a probe, or why it is refused. What passes must leave().
   */
  enter(settings: BreakerSettings | undefined, most: number): number {
    if (most === 0 && this.#words[this.#at + Word.State] === CLOSED) return ADMITTED;
    this.#lock();
    try {
      return this.#enter(settings, most);
    } finally {
      this.#unlock();
    }
  }

  #enter(settings: BreakerSettings | undefined, most: number): number {
    const words = this.#words;
    const at = this.#at;
    if (!this.#mine) return ADMITTED;
    if (settings === undefined) words[at + Word.State] = CLOSED;
    if (words[at + Word.State] === OPEN) {
      if (this.#now() < this.#memory.times[(at + Word.OpenUntil) / 2]!) return this.#refuse(Word.RefusedOpen);
      words[at + Word.State] = HALF_OPEN;
      words[at + Word.Successes] = 0;
    }
    const probing = words[at + Word.State] === HALF_OPEN;
    if (probing && words[at + Word.Probes]! + words[at + Word.Successes]! >= settings!.probes)
      return this.#refuse(Word.RefusedOpen);
    if (most > 0 && words[at + Word.InFlight]! >= most) return this.#refuse(Word.RefusedFull);
    if (most > 0 || probing) this.#count(1);
    if (!probing) return ADMITTED;
    words[at + Word.Probes]!++;
    words[this.#column + 1]!++;
    return Math.max(1, words[at + Word.Openings]!);
  }

  #count(amount: 1 | -1): void {
    this.#words[this.#at + Word.InFlight]! += amount;
    this.#words[this.#column]! += amount;
  }

  #refuse(why: typeof Word.RefusedOpen | typeof Word.RefusedFull): number {
    this.#words[this.#at + why]!++;
    return why === Word.RefusedOpen ? REFUSED_OPEN : REFUSED_FULL;
  }

  /** Milliseconds until the next request may pass, for a Retry-After. */
  get opensInMs(): number {
    const at = this.#at;
    if (this.#words[at + Word.State] !== OPEN) return 0;
    return Math.max(0, this.#memory.times[(at + Word.OpenUntil) / 2]! - this.#now());
  }

  /** The result of a request that passed with `token`. Returns the state that it leads to, if that is another one. */
  result(settings: BreakerSettings, token: number, failed: boolean): BreakerState | undefined {
    this.#lock();
    try {
      if (!this.#mine) return undefined;
      const words = this.#words;
      const state = words[this.#at + Word.State]!;
      if (state === CLOSED && token === ADMITTED) return this.#closed(settings, failed);
      // Requests of an earlier time say nothing about the present one.
      if (state !== HALF_OPEN || token !== Math.max(1, words[this.#at + Word.Openings]!)) return undefined;
      if (failed) return this.#trip(settings);
      if (++words[this.#at + Word.Successes]! < settings.probes) return undefined;
      words[this.#at + Word.State] = CLOSED;
      this.#reset();
      return 'closed';
    } finally {
      this.#unlock();
    }
  }

  #closed(settings: BreakerSettings, failed: boolean): BreakerState | undefined {
    const words = this.#words;
    const at = this.#at;
    const bucket = this.#rotate(settings);
    words[bucket]!++;
    if (!failed) {
      words[at + Word.Consecutive] = 0;
      return undefined;
    }
    words[bucket + 1]!++;
    const inRow = ++words[at + Word.Consecutive]!;
    if (settings.consecutive !== undefined && inRow >= settings.consecutive) return this.#trip(settings);
    return settings.errors !== undefined && this.#isAbove(settings.errors, settings.requests)
      ? this.#trip(settings)
      : undefined;
  }

  #isAbove(percent: number, requests: number): boolean {
    let results = 0;
    let failures = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      results += this.#words[this.#at + Word.Results + bucket * 2]!;
      failures += this.#words[this.#at + Word.Results + bucket * 2 + 1]!;
    }
    return results >= requests && failures * 100 >= results * percent;
  }

  /** Empties the buckets whose time is over. Returns the place of the present one. */
  #rotate({ window }: BreakerSettings): number {
    const words = this.#words;
    const at = this.#at;
    const length = Math.max(1, Math.ceil(window / BUCKETS));
    const { times } = this.#memory;
    const present = Math.floor(this.#now() / length);
    if (words[at + Word.BucketMs] !== length) {
      this.#reset();
      words[at + Word.BucketMs] = length;
      times[(at + Word.Bucket) / 2] = present;
    }
    const last = times[(at + Word.Bucket) / 2]!;
    const first = Math.max(last + 1, present - BUCKETS + 1);
    for (let bucket = first; bucket <= present; bucket++)
      this.#words.fill(0, placeOf(at, bucket), placeOf(at, bucket) + 2);
    // Another worker may have read the clock a moment later.
    times[(at + Word.Bucket) / 2] = Math.max(last, present);
    return placeOf(at, present);
  }

  #reset(): void {
    this.#words[this.#at + Word.Consecutive] = 0;
    this.#words.fill(0, this.#at + Word.Results, this.#at + Word.Columns);
  }

  #trip({ openFor }: BreakerSettings): BreakerState {
    this.#words[this.#at + Word.State] = OPEN;
    this.#words[this.#at + Word.Openings]!++;
    this.#memory.times[(this.#at + Word.OpenUntil) / 2] = this.#now() + openFor;
    this.#reset();
    return 'open';
  }

  /** A request that passed with `token` is over. `most`: as for enter(). */
  leave(token: number, most: number): void {
    if (token === ADMITTED && most === 0) return;
    this.#lock();
    try {
      // What forget() removed is not subtracted again.
      if (!this.#mine || this.#words[this.#column] === 0) return;
      this.#count(-1);
      if (token === ADMITTED || this.#words[this.#column + 1] === 0) return;
      this.#words[this.#column + 1]!--;
      this.#words[this.#at + Word.Probes]!--;
    } finally {
      this.#unlock();
    }
  }

  /** The entry may have been freed, and be another service's by now. */
  get #mine(): boolean {
    return this.#words[this.#at] === this.#low && this.#words[this.#at + 1] === this.#high;
  }

  #lock(): void {
    // A thread ended between its two counts.
    if (this.#memory.locks.acquire(this.#at + Word.Lock)) this.#memory.recount();
  }

  #unlock(): void {
    this.#memory.locks.release(this.#at + Word.Lock);
  }
}

const placeOf = (at: number, bucket: number): number => at + Word.Results + (bucket % BUCKETS) * 2;
