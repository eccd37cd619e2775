/**
 * All limits of a gateway in one SharedArrayBuffer that all workers use: exact across threads.
 *
 * A key's slot holds the used part of its capacity and the time of that value; it drains evenly, one capacity per period.
 * This is GCRA with the arrival time written as used x period / capacity after `at`: the same results, with whole numbers for
 * whole requests. A drained slot equals an empty one, so it can be replaced without loss.
 *
 * A key can be in any of the WAYS slots of one group, under that group's lock. If all of them are live, one is evicted and
 * counted; victimOf() in eviction.ts chooses it.
 */
import { randomInt } from 'node:crypto';
import { TextHash } from '../hash.js';
import { SharedLocks } from '../shared-lock.js';
import type { LimitAnswer, Limiter, LimitKeySnapshot, LimitRate, LimitStore } from '../types.js';
import { drain, SLACK, spareSlot, victimOf } from './eviction.js';
import {
  allocateTable,
  DEFAULT_SLOTS,
  Header,
  IDENTITIES,
  IDENTITY_WORDS,
  Identity,
  KEY_BYTES,
  KEY_CUT,
  type LimitViews,
  SLOT_FLOATS,
  Slot,
  viewTable,
  WAYS,
} from './layout.js';

export interface LimitTotals {
  readonly allowed: number;
  readonly refused: number;
  /** Live keys of this limit evicted for others, its own or another limit's: there are more keys than slots. */
  readonly evicted: number;
}

export interface LimitTableHealth {
  readonly slots: number;
  /** The same for all limits. */
  readonly evictions: number;
  /** Locks taken over from ended threads. */
  readonly takeOvers: number;
}

export class LimitTable implements LimitStore {
  readonly #views: LimitViews;
  readonly #locks: SharedLocks;
  readonly #headerLock: SharedLocks;
  readonly #hash = new TextHash();

  /** Memory for `new LimitTable` in every thread. 136 bytes per slot, 8.5 MiB by default. */
  static allocate({ slots = DEFAULT_SLOTS }: { readonly slots?: number } = {}): SharedArrayBuffer {
    return allocateTable(slots, [randomInt(2 ** 32) | 0, randomInt(2 ** 32) | 0]);
  }

  /** @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer) {
    this.#views = viewTable(buffer);
    this.#locks = new SharedLocks(this.#views.locks);
    this.#headerLock = new SharedLocks(this.#views.header);
  }

  /** The limit with this identity. It continues the counts of all threads and generations. */
  limiter(identity: string): TableLimiter {
    const { low, high } = this.#hashIdentity(identity);
    return new TableLimiter(this.#views, this.#locks, low, high, this.#totalsOf(low, high, true));
  }

  /** Since the table was created. */
  totals(identity: string): LimitTotals {
    const { low, high } = this.#hashIdentity(identity);
    const entry = this.#totalsOf(low, high, false);
    if (entry < 0) return this.#totalsFromSlots(low, high);
    const { identities } = this.#views;
    return {
      allowed: readCount(identities, entry + Identity.Allowed),
      refused: readCount(identities, entry + Identity.Refused),
      evicted: readCount(identities, entry + Identity.Evicted),
    };
  }

  /** The keys of one limit, fullest first, at most `max`. Reads without locks, so counts may differ by a request. */
  snapshot(identity: string, nowMs: number, max: number): LimitKeySnapshot[] {
    return this.snapshots([identity], nowMs, max).get(identity) ?? [];
  }

  /** snapshot() of many limits in one pass over the table. */
  snapshots(identities: readonly string[], nowMs: number, max: number): Map<string, LimitKeySnapshot[]> {
    const wanted = new Map<string, LimitKeySnapshot[]>();
    const found = new Map<string, LimitKeySnapshot[]>();
    for (const identity of identities) {
      const { low, high } = this.#hashIdentity(identity);
      const keys = wanted.get(`${low},${high}`) ?? [];
      wanted.set(`${low},${high}`, keys);
      found.set(identity, keys);
    }
    const { owners, tags, slots } = this.#views;
    for (let slot = 0; slot < slots; slot++) {
      if (tags[slot * 2] === 0 && tags[slot * 2 + 1] === 0) continue;
      wanted.get(`${owners[slot * 2]},${owners[slot * 2 + 1]}`)?.push(readKey(this.#views, slot, nowMs));
    }
    for (const [identity, keys] of found) {
      keys.sort((a, b) => fullness(b) - fullness(a) || (a.key < b.key ? -1 : 1));
      found.set(identity, keys.slice(0, max));
    }
    return found;
  }

  health(): LimitTableHealth {
    const { header, slots } = this.#views;
    return {
      slots,
      evictions: Atomics.load(header, Header.Evictions) >>> 0,
      takeOvers: Atomics.load(header, Header.TakeOvers) >>> 0,
    };
  }

  #hashIdentity(identity: string): TextHash {
    const { header } = this.#views;
    return this.#hash.update(header[Header.SeedLow]!, header[Header.SeedHigh]!, identity);
  }

  /** Offset of the identity's totals; -1 if it has none and cannot get one. */
  #totalsOf(low: number, high: number, claim: boolean): number {
    const { identities } = this.#views;
    const takenOver = this.#headerLock.acquire(Header.IdentityLock);
    const { entry, free } = findTotals(identities, low, high);
    if (free && claim) {
      identities[entry + Identity.Low] = low;
      identities[entry + Identity.High] = high;
    }
    const found = free && !claim ? -1 : entry;
    if (takenOver) Atomics.add(this.#views.header, Header.TakeOvers, 1);
    this.#headerLock.release(Header.IdentityLock);
    return found;
  }

  #totalsFromSlots(low: number, high: number): LimitTotals {
    const { owners, numbers, slots } = this.#views;
    let allowed = 0;
    let refused = 0;
    for (let slot = 0; slot < slots; slot++) {
      if (owners[slot * 2] !== low || owners[slot * 2 + 1] !== high) continue;
      allowed += numbers[slot * SLOT_FLOATS + Slot.Allowed]!;
      refused += numbers[slot * SLOT_FLOATS + Slot.Refused]!;
    }
    return { allowed, refused, evicted: 0 };
  }
}

/** A limit in memory: it answers at once. */
export class TableLimiter implements Limiter {
  readonly #views: LimitViews;
  readonly #locks: SharedLocks;
  readonly #low: number;
  readonly #high: number;
  /** Offset of this identity's totals, or -1. */
  readonly #totals: number;
  readonly #groupMask: number;
  readonly #hash = new TextHash();
  readonly #answer: LimitAnswer = { allowed: true, remaining: 0, resetMs: 0, retryMs: 0 };

  constructor(views: LimitViews, locks: SharedLocks, low: number, high: number, totals: number) {
    this.#views = views;
    this.#locks = locks;
    this.#low = low;
    this.#high = high;
    this.#totals = totals;
    this.#groupMask = views.slots / WAYS - 1;
  }

  take(key: string, rate: LimitRate, cost: number, nowMs: number): LimitAnswer {
    const hash = this.#hash.update(this.#low, this.#high, key);
    // An all-zero tag means an empty slot.
    const low = hash.low === 0 && hash.high === 0 ? 1 : hash.low;
    const group = hash.high & this.#groupMask;
    if (this.#locks.acquire(group)) Atomics.add(this.#views.header, Header.TakeOvers, 1);
    let slot = this.#find(group * WAYS, low, hash.high);
    if (slot < 0 && cost > 0) slot = this.#claim(group * WAYS, low, hash.high, key, nowMs);
    const allowed = slot < 0 ? this.#fill(0, rate, 1) : this.#count(slot, rate, cost, nowMs);
    this.#locks.release(group);
    if (cost > 0 && this.#totals >= 0) {
      addCount(this.#views.identities, this.#totals + (allowed ? Identity.Allowed : Identity.Refused));
    }
    return this.#answer;
  }

  #find(first: number, low: number, high: number): number {
    const { tags } = this.#views;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (tags[slot * 2] === low && tags[slot * 2 + 1] === high) return slot;
    }
    return -1;
  }

  #claim(first: number, low: number, high: number, key: string, nowMs: number): number {
    const { tags, owners, numbers } = this.#views;
    const spare = spareSlot(this.#views, first, nowMs);
    const chosen = spare >= 0 ? spare : victimOf(this.#views, first, this.#low, this.#high, nowMs);
    if (spare < 0) this.#countEviction(chosen);
    tags[chosen * 2] = low;
    tags[chosen * 2 + 1] = high;
    owners[chosen * 2] = this.#low;
    owners[chosen * 2 + 1] = this.#high;
    const base = chosen * SLOT_FLOATS;
    numbers.fill(0, base, base + SLOT_FLOATS);
    numbers[base + Slot.At] = nowMs;
    writeKey(this.#views.keys, chosen * KEY_BYTES, key);
    return chosen;
  }

  #countEviction(slot: number): void {
    const { header, owners, identities } = this.#views;
    Atomics.add(header, Header.Evictions, 1);
    const { entry, free } = findTotals(identities, owners[slot * 2]!, owners[slot * 2 + 1]!);
    if (entry >= 0 && !free) addCount(identities, entry + Identity.Evicted);
  }

  #count(slot: number, rate: LimitRate, cost: number, nowMs: number): boolean {
    const { numbers } = this.#views;
    const base = slot * SLOT_FLOATS;
    const at = numbers[base + Slot.At]!;
    const used = this.#usedOf(base, rate, nowMs);
    if (cost === 0) return this.#fill(used, rate, 1);
    const allowed = used + cost <= rate.capacity + SLACK;
    numbers[base + Slot.Used] = allowed ? used + cost : used;
    // Another thread may have read the clock a little later.
    numbers[base + Slot.At] = Math.max(at, nowMs);
    numbers[base + Slot.Capacity] = rate.capacity;
    numbers[base + Slot.PeriodMs] = rate.periodMs;
    const counter = base + (allowed ? Slot.Allowed : Slot.Refused);
    numbers[counter] = numbers[counter]! + 1;
    this.#fill(allowed ? used + cost : used, rate, cost);
    this.#answer.allowed = allowed;
    if (allowed) this.#answer.retryMs = 0;
    return allowed;
  }

  /**
   * What a key has used. After a reload with another rate, it has drained at the old one, and is at most the new capacity: a
   * lowered limit refuses for no longer than one of its own periods.
   */
  #usedOf(base: number, { capacity, periodMs }: LimitRate, nowMs: number): number {
    const { numbers } = this.#views;
    const at = numbers[base + Slot.At]!;
    const known = numbers[base + Slot.Capacity]!;
    const period = numbers[base + Slot.PeriodMs]!;
    if (known === 0 || (known === capacity && period === periodMs))
      return drain(numbers[base + Slot.Used]!, at, capacity, periodMs, nowMs);
    return Math.min(capacity, drain(numbers[base + Slot.Used]!, at, known, period, nowMs));
  }

  /** The answer for `cost` when `used` is in use. */
  #fill(used: number, { capacity, periodMs }: LimitRate, cost: number): boolean {
    const answer = this.#answer;
    const over = used + cost - capacity;
    answer.allowed = over <= SLACK;
    answer.remaining = Math.max(0, Math.floor(capacity - used + SLACK));
    answer.resetMs = capacity > 0 ? (used * periodMs) / capacity : 0;
    answer.retryMs = answer.allowed ? 0 : cost > capacity ? Number.POSITIVE_INFINITY : (over * periodMs) / capacity;
    return answer.allowed;
  }
}

const fullness = ({ used, capacity }: LimitKeySnapshot): number => (capacity > 0 ? used / capacity : 1);

/** Offset of an identity's totals, or of a free place for them; -1 if all places are in use. */
function findTotals(
  identities: Int32Array<ArrayBufferLike>,
  low: number,
  high: number,
): { readonly entry: number; readonly free: boolean } {
  for (let probe = 0; probe < IDENTITIES; probe++) {
    const entry = (((low >>> 0) + probe) % IDENTITIES) * IDENTITY_WORDS;
    if (identities[entry] === low && identities[entry + Identity.High] === high) return { entry, free: false };
    if (identities[entry] === 0 && identities[entry + Identity.High] === 0) return { entry, free: true };
  }
  return { entry: -1, free: false };
}

function readKey(views: LimitViews, slot: number, nowMs: number): LimitKeySnapshot {
  const { numbers, keys } = views;
  const base = slot * SLOT_FLOATS;
  const capacity = numbers[base + Slot.Capacity]!;
  const periodMs = numbers[base + Slot.PeriodMs]!;
  const used = drain(numbers[base + Slot.Used]!, numbers[base + Slot.At]!, capacity, periodMs, nowMs);
  const over = used + 1 - capacity;
  return {
    key: keyText(keys, slot * KEY_BYTES),
    capacity,
    periodMs,
    used: Math.ceil(used - SLACK),
    remaining: Math.max(0, Math.floor(capacity - used + SLACK)),
    resetMs: capacity > 0 ? (used * periodMs) / capacity : 0,
    nextFreeMs: over <= SLACK || capacity <= 0 ? 0 : (over * periodMs) / capacity,
    allowed: numbers[base + Slot.Allowed]!,
    refused: numbers[base + Slot.Refused]!,
  };
}

/** Latin-1 text of a key, other characters as question marks. Only for display: the hash identifies a key. */
function writeKey(keys: Uint8Array<ArrayBufferLike>, base: number, key: string): void {
  const length = Math.min(key.length, KEY_BYTES - 1);
  keys[base] = key.length > length ? KEY_CUT : length;
  for (let at = 0; at < length; at++) {
    const unit = key.charCodeAt(at);
    keys[base + 1 + at] = unit > 0xff ? 0x3f : unit;
  }
}

function keyText(keys: Uint8Array<ArrayBufferLike>, base: number): string {
  const marked = keys[base]!;
  const length = Math.min(marked, KEY_BYTES - 1);
  const text = String.fromCharCode(...keys.subarray(base + 1, base + 1 + length));
  return marked === KEY_CUT ? `${text}...` : text;
}

/** 64 bits in two words, with a carry when the low one overflows. */
function addCount(words: Int32Array<ArrayBufferLike>, low: number): void {
  if (Atomics.add(words, low, 1) === -1) Atomics.add(words, low + 1, 1);
}

function readCount(words: Int32Array<ArrayBufferLike>, low: number): number {
  return (Atomics.load(words, low + 1) >>> 0) * 2 ** 32 + (Atomics.load(words, low) >>> 0);
}
