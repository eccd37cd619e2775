/**
 * Memory of tables whose records are found by a keyed hash and are never forgotten for others, in one SharedArrayBuffer for all threads:
 *
 *     header | group | group | ...
 *     group   [ lock | end ]  slot, slot, ...     WAYS slots in which a record can be; those from `end` on are free
 *
 * What a slot holds is up to the table. Bits of a hash with a secret choose the group. Room is kept for callers that use little: one
 * gets no further slot of a group while it has SHARE times as many as are free. A caller alone gets two thirds of the table, and leaves a
 * third to others.
 */
import * as crypto from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';

/** Words of the header; a table has those from `Free` on for itself. */
export const Header = { Magic: 0, Slots: 1, SeedLow: 2, SeedHigh: 3, Secret: 4, Free: 8 } as const;
const HEADER_WORDS = 16;
const SECRET_BYTES = 16;

/** Slots of a group. Many, since records fall into groups by chance: the first group is full when the table is three quarters full. */
export const WAYS = 256;
/** Words of a group before its slots. */
export const GROUP_WORDS = 2;
const SHARE = 2;

/** What tells the memory of one kind of table from that of another. */
export interface SlotKind {
  /** For errors: `a replay table`. */
  readonly name: string;
  readonly magic: number;
  /** Even, so that a slot can begin with a 64-bit number. */
  readonly slotWords: number;
}

/** What one identity has in a table. */
export interface SlotIdentity {
  digestOf(text: string): Buffer;
  /** Hash of a caller. */
  ownerOf(caller: string): number;
}

export class SlotGroups {
  readonly words: Int32Array<ArrayBufferLike>;
  readonly numbers: Float64Array<ArrayBufferLike>;
  /** By the word at which a group begins. */
  readonly locks: SharedLocks;
  readonly count: number;
  readonly #hash = new TextHash();
  readonly #slotWords: number;
  readonly #secret: string;

  /** Memory for `new SlotGroups` in every thread. `slots` is rounded up. The system gives a page when it is first written to. */
  static allocate({ magic, slotWords }: SlotKind, slots: number): SharedArrayBuffer {
    const rounded = 2 ** Math.ceil(Math.log2(Math.max(WAYS, slots)));
    const buffer = new SharedArrayBuffer(bytesFor(rounded, slotWords));
    const words = new Int32Array(buffer, 0, HEADER_WORDS);
    words[Header.Slots] = rounded;
    words[Header.SeedLow] = crypto.randomInt(2 ** 32) | 0;
    words[Header.SeedHigh] = crypto.randomInt(2 ** 32) | 0;
    crypto.randomFillSync(words, Header.Secret, SECRET_BYTES / 4);
    words[Header.Magic] = magic;
    return buffer;
  }

  /** @throws TypeError for memory that allocate() did not create for this kind. */
  constructor(buffer: SharedArrayBuffer, { name, magic, slotWords }: SlotKind) {
    this.words = new Int32Array(buffer);
    const slots = this.words[Header.Slots] ?? 0;
    if (this.words[Header.Magic] !== magic || buffer.byteLength !== bytesFor(slots, slotWords))
      throw new TypeError(`Not the memory of ${name}`);
    this.numbers = new Float64Array(buffer);
    this.locks = new SharedLocks(this.words);
    this.count = slots / WAYS;
    this.#slotWords = slotWords;
    this.#secret = Buffer.from(buffer, Header.Secret * 4, SECRET_BYTES).toString('hex');
  }

  identity(name: string): SlotIdentity {
    const { low, high } = this.#hash.update(this.words[Header.SeedLow]!, this.words[Header.SeedHigh]!, name);
    const prefix = `${this.#secret} ${JSON.stringify(name)} `;
    return {
      digestOf: (text) => crypto.hash('sha256', prefix + text, 'buffer'),
      ownerOf: (caller) => this.#hash.update(low, high, caller).low,
    };
  }

  /** The word at which the group with these bits of a digest begins: its lock. */
  groupOf(bits: number): number {
    return this.at(bits & (this.count - 1));
  }

  /** The word at which a group begins, by number. */
  at(index: number): number {
    return HEADER_WORDS + index * (GROUP_WORDS + WAYS * this.#slotWords);
  }

  /** The number of the group that begins at a word. */
  indexOf(group: number): number {
    return Math.floor((group - HEADER_WORDS) / (GROUP_WORDS + WAYS * this.#slotWords));
  }
}

/** Whether a caller that has `own` of the `live` slots of a group gets a further one. */
export const mayHaveMore = (own: number, live: number): boolean => own < SHARE * (WAYS - live);

/**
 * This thread stood still for so long that another one took it for ended: both may have written. Its answer does not count, and
 * the other one's does.
 */
export const suspended = (what: string): Error => new Error(`the thread was suspended while it noted ${what}`);

const bytesFor = (slots: number, slotWords: number): number =>
  (HEADER_WORDS + slots * slotWords + (slots / WAYS) * GROUP_WORDS) * 4;
