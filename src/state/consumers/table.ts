/** Reads a table of consumers (layout.ts). */
import type { ConsumerEntry, CredentialKind } from '../../bundle/types.js';
import { TextHash } from '../hash.js';
import type { FoundCredential } from '../types.js';
import {
  DIGEST_BYTES,
  DIGEST_WORDS,
  digestOf,
  Header,
  hashOfDigest,
  MAGIC,
  NAME_WORDS,
  RECORD_WORDS,
  type Sections,
  sameDigest,
  sectionsOf,
  slotsFor,
  type Words,
} from './layout.js';
import { readRest } from './rest.js';

/** Decoded entries that a worker keeps; others are decoded again when they are looked up. */
const KEPT_ENTRIES = 4096;

/** A decoded consumer, and what a lookup of each of its credentials finds. */
interface Decoded {
  readonly record: number;
  readonly entry: ConsumerEntry;
  readonly found: readonly FoundCredential[];
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
  /** By the low bits of the record. */
  readonly #decoded: (Decoded | undefined)[];

  /** @throws TypeError for memory that buildConsumers() did not create. */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.size = this.#words[Header.Count] ?? 0;
    this.#sections = sectionsOf(this.size, this.#words[Header.Credentials] ?? 0, this.#words[Header.TextBytes] ?? 0);
    if (this.#words[Header.Magic] !== MAGIC || this.#sections.bytes !== buffer.byteLength)
      throw new TypeError('Not the memory of a table of consumers');
    this.id = `${this.#words[Header.IdLow]} ${this.#words[Header.IdHigh]}`;
    this.#bytes = Buffer.from(buffer);
    this.#decoded = new Array(Math.min(KEPT_ENTRIES, slotsFor(this.size))).fill(undefined);
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
      const { entry } = this.#decode(record);
      if (entry.name === name) return entry;
    }
  }

  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined {
    const digest = digestOf(kind, id);
    return digest === undefined ? undefined : this.#find(kind, digest);
  }

  byKey(digest: string): FoundCredential | undefined {
    return this.#find('key', digest);
  }

  /** A key may have the digest of another credential (`password`, NUL, `alice`): the kind decides. */
  #find(kind: CredentialKind, digest: string): FoundCredential | undefined {
    if (digest.length !== DIGEST_BYTES * 2 || this.#wantedBytes.write(digest, 'hex') !== DIGEST_BYTES) return undefined;
    const { index, indexSlots, digests, owners, records } = this.#sections;
    const words = this.#words;
    let slot = hashOfDigest(this.#wanted, 0, words[Header.SeedLow]!) & (indexSlots - 1);
    for (; ; slot = (slot + 1) & (indexSlots - 1)) {
      const credential = words[index + slot]! - 1;
      if (credential < 0) return undefined;
      if (!sameDigest(words, digests + credential * DIGEST_WORDS, this.#wanted, 0)) continue;
      const record = words[owners + credential]!;
      const found = this.#decode(record).found[credential - words[records + record * RECORD_WORDS + 2]!]!;
      return found.credential.kind === kind ? found : undefined;
    }
  }

  #decode(record: number): Decoded {
    const at = record & (this.#decoded.length - 1);
    const known = this.#decoded[at];
    if (known?.record === record) return known;
    const entry = this.#entry(record);
    const found = entry.credentials.map((credential) => ({ consumer: entry, credential }));
    const decoded = { record, entry, found };
    this.#decoded[at] = decoded;
    return decoded;
  }

  #entry(record: number): ConsumerEntry {
    const words = this.#words;
    const at = this.#sections.records + record * RECORD_WORDS;
    const [text, nameBytes, first] = [words[at]!, words[at + 1]!, words[at + 2]!];
    const [end, last] = [words[at + RECORD_WORDS]!, words[at + RECORD_WORDS + 2]!];
    const name = this.#bytes.toString('utf8', text, text + nameBytes);
    const ids = Array.from({ length: last - first }, (_, index) => this.#keyIdAt(first + index));
    return readRest(name, this.#bytes.toString('utf8', text + nameBytes, end), ids);
  }

  #keyIdAt(credential: number): string {
    const from = (this.#sections.digests + credential * DIGEST_WORDS) * 4;
    return `sha256:${this.#bytes.toString('hex', from, from + DIGEST_BYTES)}`;
  }
}
