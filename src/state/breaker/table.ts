/**
 * Circuit breakers, and the numbers of requests in flight, of services, in one SharedArrayBuffer for all workers: one worker that
 * sees failures protects the targets from all, and bounds are exact. An entry has a column for each worker, so that what an ended
 * worker counted can be removed.
 *
 *              failures                        openFor is over                  all probes succeed
 *     closed ------------> open ------------------------------> half-open -------------------------> closed
 *                            ^------------------------------------- | a probe fails
 *
 * While it is closed and requests are not counted, a request costs one load, and its result a lock of its own entry.
 */
import { TextHash } from '../hash.js';
import { SharedLocks } from '../shared-lock.js';
import { Breaker } from './breaker.js';
import { type BreakerState, COLUMN_WORDS, HALF_OPEN, OPEN, STATES, strideOf, Word } from './layout.js';

const MAGIC = 0x62726b31;
const HEADER_WORDS = 16;
const Header = { Magic: 0, Slots: 1, Workers: 2, Lock: 3 } as const;

const DEFAULT_SLOTS = 1024;

export interface BreakerFacts {
  readonly breaker: BreakerState;
  readonly inFlight: number;
  readonly openings: number;
  readonly refusedOpen: number;
  readonly refusedFull: number;
}

export class BreakerTable {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #times: Float64Array<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #hash = new TextHash();
  readonly #slots: number;
  readonly #workers: number;
  readonly #worker: number;
  readonly #now: () => number;

  /** Memory for `new BreakerTable` in every thread: 144 bytes for each slot, and 8 for each worker. */
  static allocate({
    workers,
    slots = DEFAULT_SLOTS,
  }: {
    readonly workers: number;
    readonly slots?: number;
  }): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer((HEADER_WORDS + slots * strideOf(workers)) * 4);
    const words = new Int32Array(buffer);
    words[Header.Slots] = slots;
    words[Header.Workers] = workers;
    words[Header.Magic] = MAGIC;
    return buffer;
  }

  /**
   * `worker`: the number of the worker, from 0. `now`: milliseconds of a clock that all threads share.
   * @throws TypeError for memory that allocate() did not create
   */
  constructor(buffer: SharedArrayBuffer, worker: number, now: () => number) {
    const words = new Int32Array(buffer);
    const slots = words[Header.Slots] ?? 0;
    const workers = words[Header.Workers] ?? 0;
    if (words[Header.Magic] !== MAGIC || words.length !== HEADER_WORDS + slots * strideOf(workers))
      throw new TypeError('Not the memory of a breaker table');
    if (worker < 0 || worker >= workers) throw new RangeError(`The table has no column for worker ${worker}`);
    this.#words = words;
    this.#times = new Float64Array(buffer);
    this.#locks = new SharedLocks(words);
    this.#slots = slots;
    this.#workers = workers;
    this.#worker = worker;
    this.#now = now;
  }

  /** The breaker of a service, the same in all workers. If the table is full, one of this worker alone. */
  breaker(service: string): Breaker {
    const at = this.#find(service, true);
    if (at >= 0) return this.#open(at);
    const alone = new BreakerTable(BreakerTable.allocate({ workers: 1, slots: 1 }), 0, this.#now);
    return alone.#open(alone.#find(service, true));
  }

  #open(at: number): Breaker {
    const recount = (): void => this.#recount(at);
    const memory = { words: this.#words, times: this.#times, locks: this.#locks, recount };
    return new Breaker(memory, at, at + Word.Columns + this.#worker * COLUMN_WORDS, this.#now);
  }

  /** What is known of a service; undefined if nothing is. */
  facts(service: string): BreakerFacts | undefined {
    const at = this.#find(service, false);
    if (at < 0) return undefined;
    const words = this.#words;
    const over = words[at + Word.State] === OPEN && this.#now() >= this.#times[(at + Word.OpenUntil) / 2]!;
    return {
      breaker: STATES[over ? HALF_OPEN : words[at + Word.State]!] ?? 'closed',
      inFlight: Math.max(0, words[at + Word.InFlight]!),
      openings: words[at + Word.Openings]! >>> 0,
      refusedOpen: words[at + Word.RefusedOpen]! >>> 0,
      refusedFull: words[at + Word.RefusedFull]! >>> 0,
    };
  }

  /** Frees the entries of all other services that have no requests in flight. */
  retain(services: Iterable<string>): void {
    const kept = new Set<number>();
    for (const service of services) kept.add(this.#find(service, false));
    this.#locks.acquire(Header.Lock);
    for (let slot = 0; slot < this.#slots; slot++) {
      const at = this.#at(slot);
      if (kept.has(at) || this.#words[at + Word.InFlight] !== 0) continue;
      this.#words.fill(0, at, at + strideOf(this.#workers));
    }
    this.#locks.release(Header.Lock);
  }

  /** A worker has ended: what it had in flight is over, without a result. */
  forget(worker: number): void {
    for (let slot = 0; slot < this.#slots; slot++) {
      const at = this.#at(slot);
      const column = at + Word.Columns + worker * COLUMN_WORDS;
      if (this.#words[column] === 0 && this.#words[column + 1] === 0) continue;
      this.#locks.acquire(at + Word.Lock);
      this.#words[column] = 0;
      this.#words[column + 1] = 0;
      this.#recount(at);
      this.#locks.release(at + Word.Lock);
    }
  }

  #recount(at: number): void {
    let inFlight = 0;
    let probes = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      inFlight += this.#words[at + Word.Columns + worker * COLUMN_WORDS]!;
      probes += this.#words[at + Word.Columns + worker * COLUMN_WORDS + 1]!;
    }
    this.#words[at + Word.InFlight] = inFlight;
    this.#words[at + Word.Probes] = probes;
  }

  #at(slot: number): number {
    return HEADER_WORDS + slot * strideOf(this.#workers);
  }

  /** The place of a service's entry; -1 if there is none, and none can be claimed. */
  #find(service: string, claim: boolean): number {
    const { low: given, high } = this.#hash.update(MAGIC, 0, service);
    const low = given === 0 ? 1 : given;
    this.#locks.acquire(Header.Lock);
    let free = -1;
    let found = -1;
    // Entries are freed in any order, so an empty one ends no search.
    for (let probe = 0; probe < this.#slots && found < 0; probe++) {
      const at = this.#at(((high >>> 0) + probe) % this.#slots);
      if (this.#words[at] === low && this.#words[at + 1] === high) found = at;
      else if (free < 0 && this.#words[at] === 0) free = at;
    }
    if (found < 0 && claim && free >= 0) {
      this.#words[free] = low;
      this.#words[free + 1] = high;
      found = free;
    }
    this.#locks.release(Header.Lock);
    return found;
  }
}
