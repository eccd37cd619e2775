/**
 * Counts the connections of each listener and each client address in one SharedArrayBuffer for all workers, so that bounds
 * are exact. Used when a connection opens and closes, never in between.
 *
 * Each entry has a column per worker, so that the counts of an ended worker can be removed. An address can be in any of the
 * WAYS slots of one group; its last connection frees the slot. If a group is full, a connection of a further address counts
 * only for its listener: a lack of slots refuses no connection.
 */
import { randomInt } from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';

const MAGIC = 0x636f6e31;
const HEADER_WORDS = 16;
const Header = {
  Magic: 0,
  Slots: 1,
  Workers: 2,
  Lock: 3,
  SeedLow: 4,
  SeedHigh: 5,
  Listeners: 6,
  Overflows: 7,
} as const;

/** Slots per group. */
const WAYS = 16;
const DEFAULT_SLOTS = 32_768;
/** Maximum number of listeners with connections; further ones are counted only in their own worker. */
const LISTENERS = 1024;
/** Words of an entry before its columns: the hash of its listener or address; both 0: empty. */
const TAG_WORDS = 2;

/** Results of enter() for a connection above a bound. */
export const LISTENER_FULL = -1;
export const ADDRESS_FULL = -2;

export class ConnectionTable {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #lock: SharedLocks;
  readonly #hash = new TextHash();
  readonly #workers: number;
  readonly #worker: number;
  /** Words of an entry. */
  readonly #stride: number;
  readonly #slots: number;

  /** The view of a worker. Resets the counts of a dead worker that had the same place. Without memory: a table of its own. */
  static ofWorker({
    connections,
    worker = 0,
  }: {
    readonly connections?: SharedArrayBuffer;
    readonly worker?: number;
  }): ConnectionTable {
    const table = new ConnectionTable(connections ?? ConnectionTable.allocate({ workers: worker + 1 }), worker);
    table.forget(worker);
    return table;
  }

  /**
   * Memory for `new ConnectionTable` in every thread. `slots`: number of addresses, rounded up to a power of two; each needs
   * 8 bytes and 4 per worker.
   */
  static allocate({
    workers,
    slots = DEFAULT_SLOTS,
  }: {
    readonly workers: number;
    readonly slots?: number;
  }): SharedArrayBuffer {
    const rounded = 2 ** Math.ceil(Math.log2(Math.max(WAYS, slots)));
    const buffer = new SharedArrayBuffer(bytesFor(rounded, workers));
    const header = new Int32Array(buffer, 0, HEADER_WORDS);
    header[Header.Slots] = rounded;
    header[Header.Workers] = workers;
    header[Header.SeedLow] = randomInt(2 ** 32) | 0;
    header[Header.SeedHigh] = randomInt(2 ** 32) | 0;
    header[Header.Magic] = MAGIC;
    return buffer;
  }

  /** `worker`: the number of the counting worker, from 0. @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    const words = new Int32Array(buffer);
    const slots = words[Header.Slots] ?? 0;
    const workers = words[Header.Workers] ?? 0;
    if (words[Header.Magic] !== MAGIC || buffer.byteLength !== bytesFor(slots, workers))
      throw new TypeError('Not the memory of a connection table');
    if (worker < 0 || worker >= workers) throw new RangeError(`The table has no column for worker ${worker}`);
    this.#words = words;
    this.#lock = new SharedLocks(words);
    this.#slots = slots;
    this.#workers = workers;
    this.#worker = worker;
    this.#stride = TAG_WORDS + workers;
  }

  /**
   * Counts a connection to `listener`. `address`: also counts under this address; '' for none. Returns its place for leave(),
   * or LISTENER_FULL or ADDRESS_FULL, which count nothing.
   */
  enter(listener: string, address: string, max: number, maxOfAddress: number): number {
    this.#lock.acquire(Header.Lock);
    try {
      return this.#enter(listener, address, max, maxOfAddress);
    } finally {
      this.#lock.release(Header.Lock);
    }
  }

  #enter(listener: string, address: string, max: number, maxOfAddress: number): number {
    const { low, high } = this.#tag(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, listener);
    const total = this.#listener(low, high);
    if (total >= 0 && this.#sum(total) >= max) return LISTENER_FULL;
    const place = address === '' ? 0 : this.#enterAddress(low, high, address, maxOfAddress);
    if (place >= 0 && total >= 0) this.#claim(total, low, high);
    return place;
  }

  #enterAddress(listenerLow: number, listenerHigh: number, address: string, max: number): number {
    const { low, high } = this.#tag(listenerLow, listenerHigh, address);
    const slot = this.#address(low, high);
    if (slot < 0) {
      this.#words[Header.Overflows]!++;
      return 0;
    }
    if (this.#sum(slot) >= max) return ADDRESS_FULL;
    this.#claim(slot, low, high);
    return slot;
  }

  /** The connection with this place has closed. */
  leave(listener: string, place: number): void {
    this.#lock.acquire(Header.Lock);
    try {
      const total = this.#find(listener);
      if (total >= 0) this.#giveUp(total);
      if (place > 0) this.#giveUp(place);
    } finally {
      this.#lock.release(Header.Lock);
    }
  }

  /** Removes the counts of a worker that has ended. */
  forget(worker: number): void {
    this.#lock.acquire(Header.Lock);
    try {
      const end = this.#words.length;
      for (let entry = HEADER_WORDS; entry < end; entry += this.#stride) {
        const column = entry + TAG_WORDS + worker;
        if (this.#words[column] === 0) continue;
        this.#words[column] = 0;
        this.#freeIfEmpty(entry);
      }
    } finally {
      this.#lock.release(Header.Lock);
    }
  }

  /** Connections of a listener in all workers. */
  total(listener: string): number {
    this.#lock.acquire(Header.Lock);
    try {
      const entry = this.#find(listener);
      return entry < 0 ? 0 : this.#sum(entry);
    } finally {
      this.#lock.release(Header.Lock);
    }
  }

  /** Connections that were not counted for their address, since the table was created. */
  get overflows(): number {
    return this.#words[Header.Overflows]! >>> 0;
  }

  #tag(seedLow: number, seedHigh: number, text: string): { readonly low: number; readonly high: number } {
    const { low, high } = this.#hash.update(seedLow, seedHigh, text);
    return { low: low === 0 && high === 0 ? 1 : low, high };
  }

  #find(listener: string): number {
    const { low, high } = this.#tag(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, listener);
    return this.#listener(low, high);
  }

  /** The entry of a listener, or a free one; -1 if all are in use. */
  #listener(low: number, high: number): number {
    const words = this.#words;
    const used = words[Header.Listeners]!;
    let free = -1;
    for (let at = 0; at < used; at++) {
      const entry = HEADER_WORDS + at * this.#stride;
      if (words[entry] === low && words[entry + 1] === high) return entry;
      if (free < 0 && words[entry] === 0 && words[entry + 1] === 0) free = entry;
    }
    if (free >= 0 || used === LISTENERS) return free;
    words[Header.Listeners] = used + 1;
    return HEADER_WORDS + used * this.#stride;
  }

  /** The entry of an address, or a free one; -1 if its group is full. */
  #address(low: number, high: number): number {
    const words = this.#words;
    const group = high & (this.#slots / WAYS - 1);
    const first = HEADER_WORDS + (LISTENERS + group * WAYS) * this.#stride;
    let free = -1;
    for (let entry = first; entry < first + WAYS * this.#stride; entry += this.#stride) {
      if (words[entry] === low && words[entry + 1] === high) return entry;
      if (free < 0 && words[entry] === 0 && words[entry + 1] === 0) free = entry;
    }
    return free;
  }

  #claim(entry: number, low: number, high: number): void {
    this.#words[entry] = low;
    this.#words[entry + 1] = high;
    this.#words[entry + TAG_WORDS + this.#worker]!++;
  }

  #giveUp(entry: number): void {
    const column = entry + TAG_WORDS + this.#worker;
    // Counts that forget() removed are not subtracted again.
    if (this.#words[column]! > 0) this.#words[column]!--;
    this.#freeIfEmpty(entry);
  }

  #freeIfEmpty(entry: number): void {
    if (this.#sum(entry) > 0) return;
    this.#words[entry] = 0;
    this.#words[entry + 1] = 0;
  }

  #sum(entry: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.#workers; worker++) sum += this.#words[entry + TAG_WORDS + worker]!;
    return sum;
  }
}

const bytesFor = (slots: number, workers: number): number =>
  (HEADER_WORDS + (LISTENERS + slots) * (TAG_WORDS + workers)) * 4;

/**
 * The key under which a client's address counts: an IPv4 address as it is; the /64 of an IPv6 address, because one customer
 * gets a whole /64. `address` comes from the system.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const gap = address.indexOf('::');
  const head = groupsOf(gap < 0 ? address : address.slice(0, gap));
  if (gap >= 0 && head.length < 4) {
    const tail = groupsOf(address.slice(gap + 2));
    const left = 8 - head.length - tail.length - (address.includes('.') ? 1 : 0);
    for (let at = 0; at < left; at++) head.push('0');
    head.push(...tail);
  }
  return `${head.slice(0, 4).join(':')}::/64`;
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
