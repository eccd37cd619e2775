/** Reads a table of consumers (layout.ts). */
import type { ConsumerEntry, CredentialKind } from '../../bundle/types.js';
import { TextHash } from '../hash.js';
import type { FoundCredential } from '../types.js';
import {
  DIGEST_BYTES,
  DIGEST_WORDS,
  digestOf,
  Field,
  Header,
  hashOfDigest,
  MAGIC,
  RECORD_WORDS,
  type Sections,
  sameDigest,
  sectionsOf,
  type Words,
} from './layout.js';
import { readRest } from './rest.js';

/** Decoded entries that a worker keeps; others are decoded again when they are looked up. */
const KEPT_ENTRIES = 4096;

/** On decoded entries, not enumerable: what is known about the consumer now (live.ts). */
export const MARK = Symbol('current');

export interface Marked {
  readonly [MARK]?: { epoch: object | undefined; current: ConsumerEntry | undefined };
}

/** A decoded consumer, and what a lookup of each of its credentials finds. */
interface Decoded {
  /** Undefined: it was removed. */
  readonly entry: ConsumerEntry | undefined;
  readonly found: readonly FoundCredential[];
}

/** Records in a row, as another table takes them over. */
export interface Run {
  readonly first: number;
  readonly last: number;
  readonly textBytes: number;
  readonly credentials: number;
}

/** Where a run goes: a byte offset, and word offsets in `words`. */
export interface RunPlaces {
  readonly words: Words;
  readonly text: number;
  readonly digests: number;
  readonly records: number;
}

/** One table, opened in one thread. */
export class ConsumerTable {
  /** Identifies the table in all threads. */
  readonly id: string;
  /** Number of records, also of removed consumers. */
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  readonly #words: Words;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #sections: Sections;
  readonly #hash = new TextHash();
  /** The digest that is looked up. */
  readonly #wanted = new Int32Array(DIGEST_WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);
  /** By record; the oldest leave first. */
  readonly #decoded = new Map<number, Decoded>();

  /** @throws TypeError for memory that buildTable() did not create. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.size = this.#words[Header.Count] ?? 0;
    this.#sections = sectionsOf(this.size, this.#words[Header.Credentials] ?? 0, this.#words[Header.TextBytes] ?? 0);
    if (this.#words[Header.Magic] !== MAGIC || this.#sections.bytes !== buffer.byteLength)
      throw new TypeError('Not the memory of a table of consumers');
    this.id = `${this.#words[Header.IdLow]} ${this.#words[Header.IdHigh]}`;
    this.#bytes = Buffer.from(buffer);
  }

  get seed(): readonly [low: number, high: number] {
    return [this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!];
  }

  /** The consumer; null if the table says that it was removed; undefined if the table does not have it. */
  byName(name: string): ConsumerEntry | null | undefined {
    const record = this.recordOf(name);
    return record < 0 ? undefined : (this.#decode(record).entry ?? null);
  }

  has(name: string): boolean {
    return this.recordOf(name) >= 0;
  }

  /** -1: the table does not have the name. */
  recordOf(name: string): number {
    const { names, nameSlots, records } = this.#sections;
    const words = this.#words;
    const { low, high } = this.#hash.update(words[Header.SeedLow]!, words[Header.SeedHigh]!, name);
    for (let slot = high & (nameSlots - 1); ; slot = (slot + 1) & (nameSlots - 1)) {
      const record = words[names + slot]! - 1;
      if (record < 0) return -1;
      const at = records + record * RECORD_WORDS;
      if (words[at + Field.HashLow] !== low || words[at + Field.HashHigh] !== high) continue;
      if (this.nameOf(record) === name) return record;
    }
  }

  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined {
    const digest = digestOf(kind, id);
    return digest === undefined ? undefined : this.byDigest(kind, digest);
  }

  /** A key may have the digest of another credential (`password`, NUL, `alice`): the kind decides. */
  byDigest(kind: CredentialKind, digest: string): FoundCredential | undefined {
    if (digest.length !== DIGEST_BYTES * 2 || this.#wantedBytes.write(digest, 'hex') !== DIGEST_BYTES) return undefined;
    const { index, indexSlots, digests, owners, records } = this.#sections;
    const words = this.#words;
    let slot = hashOfDigest(this.#wanted, 0, words[Header.SeedLow]!) & (indexSlots - 1);
    for (; ; slot = (slot + 1) & (indexSlots - 1)) {
      const credential = words[index + slot]! - 1;
      if (credential < 0) return undefined;
      if (!sameDigest(words, digests + credential * DIGEST_WORDS, this.#wanted, 0)) continue;
      const record = words[owners + credential]!;
      const first = words[records + record * RECORD_WORDS + Field.Credentials]!;
      const found = this.#decode(record).found[credential - first]!;
      return found.credential.kind === kind ? found : undefined;
    }
  }

  /** The name of a record. */
  nameOf(record: number): string {
    const at = this.#sections.records + record * RECORD_WORDS;
    const text = this.#words[at + Field.Text]!;
    return this.#bytes.toString('utf8', text, text + this.#words[at + Field.NameBytes]!);
  }

  /** The consumer of a record; undefined if it was removed. */
  entryOf(record: number): ConsumerEntry | undefined {
    return this.#entry(record);
  }

  /** The records from `first` up to, and without, `last`. */
  run(first: number, last: number): Run {
    const { records } = this.#sections;
    const words = this.#words;
    const [from, to] = [records + first * RECORD_WORDS, records + last * RECORD_WORDS];
    return {
      first,
      last,
      textBytes: words[to + Field.Text]! - words[from + Field.Text]!,
      credentials: words[to + Field.Credentials]! - words[from + Field.Credentials]!,
    };
  }

  /** Copies texts, digests and records of a run, at byte and word offsets. The places in the records stay those of this table. */
  copy({ first, last, textBytes, credentials }: Run, bytes: Buffer<ArrayBufferLike>, to: RunPlaces): void {
    const { records, digests } = this.#sections;
    const words = this.#words;
    const from = records + first * RECORD_WORDS;
    const text = words[from + Field.Text]!;
    this.#bytes.copy(bytes, to.text, text, text + textBytes);
    const digest = digests + words[from + Field.Credentials]! * DIGEST_WORDS;
    to.words.set(words.subarray(digest, digest + credentials * DIGEST_WORDS), to.digests);
    to.words.set(words.subarray(from, records + last * RECORD_WORDS), to.records);
  }

  #decode(record: number): Decoded {
    const known = this.#decoded.get(record);
    if (known !== undefined) return known;
    const entry = this.#entry(record);
    if (entry !== undefined) Object.defineProperty(entry, MARK, { value: { epoch: undefined, current: undefined } });
    const found = entry?.credentials.map((credential) => ({ consumer: entry, credential })) ?? [];
    const decoded = { entry, found };
    if (this.#decoded.size >= KEPT_ENTRIES)
      for (const oldest of this.#decoded.keys()) {
        this.#decoded.delete(oldest);
        break;
      }
    this.#decoded.set(record, decoded);
    return decoded;
  }

  #entry(record: number): ConsumerEntry | undefined {
    const words = this.#words;
    const at = this.#sections.records + record * RECORD_WORDS;
    const rest = words[at + Field.Text]! + words[at + Field.NameBytes]!;
    const [first, last] = [words[at + Field.Credentials]!, words[at + RECORD_WORDS + Field.Credentials]!];
    const end = words[at + RECORD_WORDS + Field.Text]!;
    if (rest === end) return undefined;
    const ids = Array.from({ length: last - first }, (_, index) => this.#keyIdAt(first + index));
    return readRest(this.nameOf(record), this.#bytes.toString('utf8', rest, end), ids);
  }

  #keyIdAt(credential: number): string {
    const from = (this.#sections.digests + credential * DIGEST_WORDS) * 4;
    return `sha256:${this.#bytes.toString('hex', from, from + DIGEST_BYTES)}`;
  }
}
