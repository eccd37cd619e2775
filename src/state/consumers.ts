/**
 * The consumers of a spec in one SharedArrayBuffer for all workers, looked up by name and by the digest of a key. It is built
 * once in control and never changes: a reload with other consumers builds another one, so readers need no lock.
 *
 *     names    [ hash of the name | record + 1 ] ...    open addressing, at most half full
 *     index    [ key + 1 ] ...                          likewise, by a hash of the digest
 *     records  [ place of the text | length of the name | first key ] ...
 *     keys     [ digest, 256 bits ] ...                 in the order of the records
 *     owners   [ record ] ...                           of each key
 *     texts    name, then plan and tags as JSON
 */
import { randomInt } from 'node:crypto';
import type { ConsumerEntry, RefString } from '../bundle/types.js';
import { finish, TextHash } from './hash.js';
import type { ConsumerLookup } from './types.js';

const MAGIC = 0x636e7331;
const HEADER_WORDS = 16;
const Header = { Magic: 0, IdLow: 1, IdHigh: 2, SeedLow: 3, SeedHigh: 4, Count: 5, Keys: 6, TextBytes: 7 } as const;
const NAME_WORDS = 2;
const RECORD_WORDS = 3;
const DIGEST_WORDS = 8;
const DIGEST_BYTES = DIGEST_WORDS * 4;

/** Decoded entries that a worker keeps; others are decoded again when they are looked up. */
const KEPT_ENTRIES = 4096;

/** Word offsets of the sections. */
interface Sections {
  readonly names: number;
  readonly nameSlots: number;
  readonly index: number;
  readonly keySlots: number;
  readonly records: number;
  readonly keys: number;
  readonly owners: number;
  readonly texts: number;
  readonly bytes: number;
}

function sectionsOf(count: number, keys: number, textBytes: number): Sections {
  const [nameSlots, keySlots] = [slotsFor(count), slotsFor(keys)];
  const index = HEADER_WORDS + nameSlots * NAME_WORDS;
  const records = index + keySlots;
  const digests = records + (count + 1) * RECORD_WORDS;
  const owners = digests + keys * DIGEST_WORDS;
  const texts = owners + keys;
  const bytes = texts * 4 + Math.ceil(textBytes / 4) * 4;
  return { names: HEADER_WORDS, nameSlots, index, keySlots, records, keys: digests, owners, texts, bytes };
}

const slotsFor = (entries: number): number => 2 ** Math.ceil(Math.log2(Math.max(4, entries * 2)));

/**
 * Builds the table of all consumers. Returns `previous` if it has the same content. Throws, which rejects the generation, if
 * a key's hash is malformed, two consumers have the same key, or two have the same name.
 */
export function buildConsumers(consumers: readonly ConsumerEntry[], previous?: SharedArrayBuffer): SharedArrayBuffer {
  const table = new Builder(consumers, previous).build();
  if (previous === undefined || previous.byteLength !== table.byteLength) return table;
  const skipped = (Header.IdHigh + 1) * 4;
  return Buffer.from(previous, skipped).equals(Buffer.from(table, skipped)) ? previous : table;
}

/** Plan and tags as JSON. Most consumers have no tags, and few plans exist. */
class RestTexts {
  readonly #byPlan = new Map<string | undefined, string>();

  of({ plan, tags }: ConsumerEntry): string {
    for (const _ in tags) return JSON.stringify([plan ?? null, tags]);
    let text = this.#byPlan.get(plan);
    if (text === undefined) {
      text = JSON.stringify([plan ?? null, {}]);
      this.#byPlan.set(plan, text);
    }
    return text;
  }
}

class Builder {
  readonly #consumers: readonly ConsumerEntry[];
  readonly #texts: readonly string[];
  readonly #sections: Sections;
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #hash = new TextHash();

  constructor(consumers: readonly ConsumerEntry[], previous: SharedArrayBuffer | undefined) {
    this.#consumers = consumers;
    const texts = new RestTexts();
    this.#texts = consumers.map((consumer) => texts.of(consumer));
    let [keys, textBytes] = [0, 0];
    for (const [at, { name, apiKeys }] of consumers.entries()) {
      keys += apiKeys.length;
      textBytes += Buffer.byteLength(name) + Buffer.byteLength(this.#texts[at]!);
    }
    this.#sections = sectionsOf(consumers.length, keys, textBytes);
    this.#buffer = new SharedArrayBuffer(this.#sections.bytes);
    this.#words = new Int32Array(this.#buffer);
    this.#bytes = Buffer.from(this.#buffer);
    const header = previous === undefined ? undefined : new Int32Array(previous, 0, HEADER_WORDS);
    const random = (): number => randomInt(2 ** 32) | 0;
    const seed = header === undefined ? [random(), random()] : [header[Header.SeedLow]!, header[Header.SeedHigh]!];
    this.#words.set([MAGIC, random(), random(), seed[0]!, seed[1]!, consumers.length, keys, textBytes]);
  }

  build(): SharedArrayBuffer {
    const { records, texts } = this.#sections;
    let [text, key] = [texts * 4, 0];
    for (const [record, consumer] of this.#consumers.entries()) {
      const nameBytes = this.#bytes.write(consumer.name, text);
      this.#setRecord(records + record * RECORD_WORDS, text, nameBytes, key);
      text += nameBytes + this.#bytes.write(this.#texts[record]!, text + nameBytes);
      this.#addName(record, consumer.name);
      for (const hash of consumer.apiKeys) this.#addKey(record, key++, hash);
    }
    // The end of the last record.
    this.#setRecord(records + this.#consumers.length * RECORD_WORDS, text, 0, key);
    return this.#buffer;
  }

  #setRecord(at: number, text: number, nameBytes: number, key: number): void {
    this.#words[at] = text;
    this.#words[at + 1] = nameBytes;
    this.#words[at + 2] = key;
  }

  #addName(record: number, name: string): void {
    const { names, nameSlots } = this.#sections;
    const { low, high } = this.#hash.update(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, name);
    let slot = high & (nameSlots - 1);
    for (; this.#words[names + slot * NAME_WORDS + 1] !== 0; slot = (slot + 1) & (nameSlots - 1)) {
      const other = this.#words[names + slot * NAME_WORDS + 1]! - 1;
      if (this.#words[names + slot * NAME_WORDS] === low && this.#consumers[other]!.name === name)
        throw new Error(`Two consumers have the name ${name}.`);
    }
    this.#words[names + slot * NAME_WORDS] = low;
    this.#words[names + slot * NAME_WORDS + 1] = record + 1;
  }

  #addKey(record: number, key: number, hash: RefString): void {
    const { name } = this.#consumers[record]!;
    const digest = typeof hash === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(hash)?.[1] : undefined;
    if (digest === undefined)
      throw new Error(`An API key of consumer ${name} is not "sha256:" and 64 lower-case hex digits.`);
    const { index, keySlots, keys, owners } = this.#sections;
    const words = this.#words;
    const at = keys + key * DIGEST_WORDS;
    this.#bytes.write(digest, at * 4, DIGEST_BYTES, 'hex');
    words[owners + key] = record;
    let slot = hashOf(words, at, words[Header.SeedLow]!) & (keySlots - 1);
    for (; words[index + slot] !== 0; slot = (slot + 1) & (keySlots - 1)) {
      const other = words[index + slot]! - 1;
      if (!sameDigest(words, keys + other * DIGEST_WORDS, words, at)) continue;
      const owner = words[owners + other]!;
      if (owner === record) return;
      throw new Error(`Consumers ${this.#consumers[owner]!.name} and ${name} have the same API key.`);
    }
    words[index + slot] = key + 1;
  }
}

type Words = Int32Array<ArrayBufferLike>;

function sameDigest(one: Words, at: number, other: Words, otherAt: number): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (one[at + word] !== other[otherAt + word]) return false;
  return true;
}

/** A seeded hash of a digest. Its own bits are not enough: a spec may list hashes that no key has. */
function hashOf(words: Words, at: number, seed: number): number {
  let hash = seed;
  for (let word = 0; word < DIGEST_WORDS; word++) {
    hash = Math.imul(hash ^ words[at + word]!, 0xcc9e2d51);
    hash = (hash << 15) | (hash >>> 17);
  }
  return finish(hash);
}

/** One table, opened in one thread. */
export class ConsumerTable {
  /** Identifies the table in all threads. */
  readonly id: string;
  readonly size: number;
  readonly #words: Words;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #sections: Sections;
  readonly #hash = new TextHash();
  /** The digest that is looked up. */
  readonly #wanted = new Int32Array(DIGEST_WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);
  /** Decoded entries and their records, by the low bits of the record. */
  readonly #entries: (ConsumerEntry | undefined)[];
  readonly #decoded: Int32Array;

  /** @throws TypeError for memory that buildConsumers() did not create. */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.size = this.#words[Header.Count] ?? 0;
    this.#sections = sectionsOf(this.size, this.#words[Header.Keys] ?? 0, this.#words[Header.TextBytes] ?? 0);
    if (this.#words[Header.Magic] !== MAGIC || this.#sections.bytes !== buffer.byteLength)
      throw new TypeError('Not the memory of a table of consumers');
    this.id = `${this.#words[Header.IdLow]} ${this.#words[Header.IdHigh]}`;
    this.#bytes = Buffer.from(buffer);
    const kept = Math.min(KEPT_ENTRIES, slotsFor(this.size));
    this.#entries = new Array(kept).fill(undefined);
    this.#decoded = new Int32Array(kept);
  }

  byName(name: string): ConsumerEntry | undefined {
    const { names, nameSlots } = this.#sections;
    const words = this.#words;
    const { low, high } = this.#hash.update(words[Header.SeedLow]!, words[Header.SeedHigh]!, name);
    for (let slot = high & (nameSlots - 1); ; slot = (slot + 1) & (nameSlots - 1)) {
      const at = names + slot * NAME_WORDS;
      const record = words[at + 1]! - 1;
      if (record < 0) return undefined;
      if (words[at] !== low) continue;
      const entry = this.#entry(record);
      if (entry.name === name) return entry;
    }
  }

  byKey(digest: string): ConsumerEntry | undefined {
    if (digest.length !== DIGEST_BYTES * 2 || this.#wantedBytes.write(digest, 'hex') !== DIGEST_BYTES) return undefined;
    const { index, keySlots, keys, owners } = this.#sections;
    const words = this.#words;
    for (
      let slot = hashOf(this.#wanted, 0, words[Header.SeedLow]!) & (keySlots - 1);
      ;
      slot = (slot + 1) & (keySlots - 1)
    ) {
      const key = words[index + slot]! - 1;
      if (key < 0) return undefined;
      if (sameDigest(words, keys + key * DIGEST_WORDS, this.#wanted, 0)) return this.#entry(words[owners + key]!);
    }
  }

  #entry(record: number): ConsumerEntry {
    const at = record & (this.#entries.length - 1);
    const known = this.#entries[at];
    if (known !== undefined && this.#decoded[at] === record) return known;
    const entry = this.#decode(record);
    this.#entries[at] = entry;
    this.#decoded[at] = record;
    return entry;
  }

  #decode(record: number): ConsumerEntry {
    const words = this.#words;
    const at = this.#sections.records + record * RECORD_WORDS;
    const [text, nameBytes, key] = [words[at]!, words[at + 1]!, words[at + 2]!];
    const [end, keyEnd] = [words[at + RECORD_WORDS]!, words[at + RECORD_WORDS + 2]!];
    const name = this.#bytes.toString('utf8', text, text + nameBytes);
    const rest = JSON.parse(this.#bytes.toString('utf8', text + nameBytes, end)) as [
      string | null,
      ConsumerEntry['tags'],
    ];
    const apiKeys = Array.from({ length: keyEnd - key }, (_, index) => this.#digestAt(key + index));
    const [plan, tags] = rest;
    return { name, ...(plan === null ? {} : { plan }), apiKeys, tags };
  }

  #digestAt(key: number): string {
    const from = (this.#sections.keys + key * DIGEST_WORDS) * 4;
    return `sha256:${this.#bytes.toString('hex', from, from + DIGEST_BYTES)}`;
  }
}

/** The consumers of the live generation: what policies hold, while reloads replace the table. */
export class LiveConsumers implements ConsumerLookup {
  #table = new ConsumerTable(buildConsumers([]));
  #version = 0;

  /** A generation with this table goes live. */
  use(table: ConsumerTable): void {
    if (table.id === this.#table.id) return;
    this.#table = table;
    this.#version++;
  }

  get size(): number {
    return this.#table.size;
  }

  get version(): number {
    return this.#version;
  }

  byName(name: string): ConsumerEntry | undefined {
    return this.#table.byName(name);
  }

  byKey(digest: string): ConsumerEntry | undefined {
    return this.#table.byKey(digest);
  }
}
