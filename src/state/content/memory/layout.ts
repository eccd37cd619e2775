/**
 * The shared memory of contents: sections of words in front of an arena of units in which keys, facts and bodies are.
 *
 *     header | identities | entries | counters | purges | pins | index | map of units | asked keys | names | arena
 *
 * What can be found by other means is derived: index, order, map of units and free units follow from the entries, so they can
 * be built anew (repair.ts). Pages of the memory that are not used yet take no room in the process.
 */
import { randomInt } from 'node:crypto';

const MAGIC = 0x636f6e31;
const HEADER_WORDS = 320;
export const Header = {
  Magic: 0,
  SeedLow: 1,
  SeedHigh: 2,
  Lock: 3,
  Entries: 4,
  Units: 5,
  Workers: 6,
  /** Rows of pins in use: the highest number of a worker, and one. */
  Rows: 7,
  /** Entries that were ever in use are below it. */
  HighWater: 8,
  /** The first unused entry below the high water, and one; 0 for none. */
  Unused: 9,
  /** Ends of the order of eviction, and the hand in it: numbers of entries, and one. */
  Newest: 10,
  Oldest: 11,
  Hand: 12,
  FreeUnits: 13,
  /** The first entry that is being written, and one. */
  Writing: 17,
  TakeOvers: 14,
  /** Counts identities as they are opened. */
  Opened: 15,
  /** Counts contents as they are begun. */
  Born: 16,
  /** Stored contents of all identities. */
  Contents: 18,
  /** Counts misses, to tell how long ago one was. */
  Misses: 19,
  /** The first free run of each list, as unit and one. */
  FreeRuns: 64,
} as const;

const DERIVED = [
  Header.Unused,
  Header.Newest,
  Header.Oldest,
  Header.Hand,
  Header.FreeUnits,
  Header.Writing,
  Header.Contents,
];

/** Bytes of a unit. */
export const UNIT = 256;
/** Bytes of the arena to each entry: about the smallest that a reply takes. */
const BYTES_PER_ENTRY = 1024;
const MAX_ENTRIES = 1 << 19;
/** Pieces of a body at most. */
export const MAX_EXTENTS = 12;

export const ENTRY_WORDS = 48;
/** Words of an entry. */
export const Entry = {
  /** What it is (2 bits), and a version that each change of it raises. Written last. */
  State: 0,
  Flags: 1,
  /** It was read since the hand passed. */
  Visited: 2,
  /** Hash of identity and key. */
  HashLow: 3,
  HashHigh: 4,
  /** Hash of the identity. */
  OwnerLow: 5,
  OwnerHigh: 6,
  /** Place of the identity. */
  Owner: 7,
  /** Neighbours in the order of eviction, as number and one. `Newer` is also the next unused entry. */
  Newer: 8,
  Older: 9,
  /** Tells contents apart that have had this entry. */
  Born: 10,
  /** The worker that writes it. */
  Writer: 11,
  /** Bytes of the body. */
  Length: 12,
  Extents: 13,
  /** Unit and number of units of key and facts. */
  Facts: 14,
  FactsUnits: 15,
  /** Hashes of URL and route, for purges. */
  UrlLow: 17,
  UrlHigh: 18,
  RouteLow: 19,
  RouteHigh: 20,
  /** A 64-bit number: milliseconds since 1970. */
  ExpiresAt: 22,
  /** Unit and number of units of each piece of the body. */
  FirstExtent: 24,
} as const;

export const State = { Unused: 0, Writing: 1, Live: 2, Removed: 3 } as const;
export const STATE_MASK = 3;
export const Flag = {
  /** It must be validated before its use. */
  Soft: 1,
  /** A purge came while it was written: it is not stored. */
  Purged: 2,
} as const;

export const OWNERS = 256;
export const OWNER_WORDS = 8;
/** Words of an identity. */
export const Owner = {
  Low: 0,
  High: 1,
  /** When it was opened last: a count. */
  Opened: 2,
  /** Entries of any state but unused. */
  Held: 3,
  /** Stored contents, and their units. */
  Contents: 4,
  Units: 5,
  /** Units of removed contents that are still read. */
  PinnedUnits: 6,
} as const;

/** Numbers of an identity that each worker counts in a row of its own. */
export const Count = {
  Hits: 0,
  Misses: 1,
  Stored: 2,
  Evicted: 3,
  NotAdmitted: 4,
  TooLarge: 5,
  NoRoom: 6,
  Purged: 7,
  Expired: 8,
} as const;
export type CountName = (typeof Count)[keyof typeof Count];
const COUNTS = 16;
export const NAME_BYTES = 256;

/** Numbers of the last purges, by hashes of what they select: 128 KiB. */
export const PURGES = 1 << 14;

/** Places of the index in which a key can be: one line of a processor's cache. */
export const WAYS = 16;
const PLACES_PER_ENTRY = 4;
const ALIGNMENT = 4096;

export interface ContentSizes {
  /** Of the arena. */
  readonly bytes: number;
  readonly workers: number;
  /** Of the hashes. Default: random, so that no client can choose keys of one group. */
  readonly seed?: readonly [low: number, high: number];
}

/** The sections of the memory, as views of one thread. */
export class ContentLayout {
  readonly words: Int32Array<ArrayBufferLike>;
  readonly numbers: Float64Array<ArrayBufferLike>;
  readonly bytes: Buffer<ArrayBufferLike>;
  /** How many purges there were, and the last one of each hash. */
  readonly purges: BigInt64Array<ArrayBufferLike>;
  readonly memory: SharedArrayBuffer;
  readonly entries: number;
  readonly units: number;
  readonly workers: number;
  /** Groups of the index, less one. */
  readonly groupMask: number;
  readonly #at: Sections;
  readonly #askedMask: number;

  static allocate({
    bytes,
    workers,
    seed = [randomInt(2 ** 32), randomInt(2 ** 32)],
  }: ContentSizes): SharedArrayBuffer {
    const units = Math.max(64, Math.floor(bytes / UNIT));
    const entries = Math.min(MAX_ENTRIES, Math.max(64, Math.floor((units * UNIT) / BYTES_PER_ENTRY)));
    const memory = new SharedArrayBuffer(sectionsOf(entries, units, workers).end);
    const words = new Int32Array(memory, 0, HEADER_WORDS);
    words[Header.SeedLow] = seed[0];
    words[Header.SeedHigh] = seed[1];
    words[Header.Entries] = entries;
    words[Header.Units] = units;
    words[Header.Workers] = workers;
    words[Header.Magic] = MAGIC;
    return memory;
  }

  /** @throws TypeError for memory that allocate() did not create. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    this.entries = this.words[Header.Entries] ?? 0;
    this.units = this.words[Header.Units] ?? 0;
    this.workers = this.words[Header.Workers] ?? 0;
    this.#at = sectionsOf(this.entries, this.units, this.workers);
    if (this.words[Header.Magic] !== MAGIC || this.#at.end !== memory.byteLength)
      throw new TypeError('Not the memory of a content table');
    this.numbers = new Float64Array(memory);
    this.bytes = Buffer.from(memory);
    this.purges = new BigInt64Array(memory, this.#at.purges, PURGES + 1);
    this.groupMask = groupsFor(this.entries) - 1;
    this.#askedMask = askedFor(this.entries) - 1;
  }

  /** Word at which an entry begins. */
  entryAt(entry: number): number {
    return this.#at.entries + entry * ENTRY_WORDS;
  }

  /** Word of a worker's pins of an entry. */
  pinAt(worker: number, entry: number): number {
    return this.#at.pins + worker * this.entries + entry;
  }

  /** First word of a group of the index. */
  groupAt(hashHigh: number): number {
    return this.#at.index + (hashHigh & this.groupMask) * WAYS;
  }

  /** Word of a key that was asked for in vain. */
  askedAt(hashLow: number): number {
    return this.#at.asked + (hashLow & this.#askedMask);
  }

  /** Word of a unit in the map of units. */
  unitAt(unit: number): number {
    return this.#at.map + unit;
  }

  ownerAt(owner: number): number {
    return this.#at.owners + owner * OWNER_WORDS;
  }

  /** Place of a count among the 64-bit numbers. */
  countAt(owner: number, worker: number, count: CountName): number {
    return this.#at.counters / 8 + (owner * this.workers + worker) * COUNTS + count;
  }

  /** Byte at which the name of an identity begins. */
  nameAt(owner: number): number {
    return this.#at.names + owner * NAME_BYTES;
  }

  /** Byte at which a unit begins. */
  byteAt(unit: number): number {
    return this.#at.arena + unit * UNIT;
  }

  expiresAt(at: number): number {
    return this.numbers[(at + Entry.ExpiresAt) / 2]!;
  }

  /** Empties index and map of units, for a repair. */
  clearDerived(): void {
    this.words.fill(0, this.#at.index, this.#at.map + this.units);
    this.words.fill(0, Header.FreeRuns, HEADER_WORDS);
    for (const field of DERIVED) this.words[field] = 0;
  }
}

/** In words up to `asked`; in bytes from `names` on, and for `counters` and `purges`. */
interface Sections {
  readonly owners: number;
  readonly entries: number;
  readonly counters: number;
  readonly purges: number;
  readonly pins: number;
  readonly index: number;
  readonly map: number;
  readonly asked: number;
  readonly names: number;
  readonly arena: number;
  readonly end: number;
}

function sectionsOf(entries: number, units: number, workers: number): Sections {
  const owners = HEADER_WORDS;
  const entriesAt = owners + OWNERS * OWNER_WORDS;
  const counters = (entriesAt + entries * ENTRY_WORDS) * 4;
  const purges = counters + OWNERS * workers * COUNTS * 8;
  const pins = purges / 4 + (PURGES + 1) * 2;
  const index = Math.ceil((pins + workers * entries) / WAYS) * WAYS;
  const map = index + groupsFor(entries) * WAYS;
  const asked = map + units;
  const names = (asked + askedFor(entries)) * 4;
  const arena = Math.ceil((names + OWNERS * NAME_BYTES) / ALIGNMENT) * ALIGNMENT;
  const end = arena + units * UNIT;
  return { owners, entries: entriesAt, counters, purges, pins, index, map, asked, names, arena, end };
}

/** At least two for each entry. */
const askedFor = (entries: number): number => 2 ** Math.ceil(Math.log2(entries * 2));

const groupsFor = (entries: number): number => 2 ** Math.ceil(Math.log2((entries * PLACES_PER_ENTRY) / WAYS));
