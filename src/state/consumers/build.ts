/** Builds tables of consumers (layout.ts). */
import { randomInt } from 'node:crypto';
import type { ConsumerEntry, CredentialEntry } from '../../bundle/types.js';
import { TextHash } from '../hash.js';
import {
  DIGEST_BYTES,
  DIGEST_WORDS,
  digestOf,
  HEADER_WORDS,
  Header,
  hashOfDigest,
  MAGIC,
  NAME_WORDS,
  RECORD_WORDS,
  type Sections,
  sameDigest,
  sectionsOf,
  type Words,
} from './layout.js';
import { RestTexts } from './rest.js';

/**
 * Builds the table of all consumers. Returns `previous` if it has the same content. Throws, which rejects the generation, if
 * the hash of a key is malformed, two consumers have the same credential, or two have the same name.
 */
export function buildConsumers(consumers: readonly ConsumerEntry[], previous?: SharedArrayBuffer): SharedArrayBuffer {
  const table = new Builder(consumers, previous).build();
  if (previous === undefined || previous.byteLength !== table.byteLength) return table;
  const skipped = (Header.IdHigh + 1) * 4;
  return Buffer.from(previous, skipped).equals(Buffer.from(table, skipped)) ? previous : table;
}

class Builder {
  readonly #consumers: readonly ConsumerEntry[];
  readonly #texts: readonly string[];
  readonly #sections: Sections;
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Words;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #hash = new TextHash();

  constructor(consumers: readonly ConsumerEntry[], previous: SharedArrayBuffer | undefined) {
    this.#consumers = consumers;
    const texts = new RestTexts();
    this.#texts = consumers.map((consumer) => texts.of(consumer));
    let [count, textBytes] = [0, 0];
    for (const [at, { name, credentials }] of consumers.entries()) {
      count += credentials.length;
      textBytes += Buffer.byteLength(name) + Buffer.byteLength(this.#texts[at]!);
    }
    this.#sections = sectionsOf(consumers.length, count, textBytes);
    this.#buffer = new SharedArrayBuffer(this.#sections.bytes);
    this.#words = new Int32Array(this.#buffer);
    this.#bytes = Buffer.from(this.#buffer);
    const header = previous === undefined ? undefined : new Int32Array(previous, 0, HEADER_WORDS);
    const random = (): number => randomInt(2 ** 32) | 0;
    const seed = header === undefined ? [random(), random()] : [header[Header.SeedLow]!, header[Header.SeedHigh]!];
    this.#words.set([MAGIC, random(), random(), seed[0]!, seed[1]!, consumers.length, count, textBytes]);
  }

  build(): SharedArrayBuffer {
    const { records, texts } = this.#sections;
    let [text, credential] = [texts * 4, 0];
    for (const [record, consumer] of this.#consumers.entries()) {
      const nameBytes = this.#bytes.write(consumer.name, text);
      this.#setRecord(records + record * RECORD_WORDS, text, nameBytes, credential);
      text += nameBytes + this.#bytes.write(this.#texts[record]!, text + nameBytes);
      this.#addName(record, consumer.name);
      for (const each of consumer.credentials) this.#addCredential(record, credential++, each);
    }
    // The end of the last record.
    this.#setRecord(records + this.#consumers.length * RECORD_WORDS, text, 0, credential);
    return this.#buffer;
  }

  #setRecord(at: number, text: number, nameBytes: number, credential: number): void {
    this.#words[at] = text;
    this.#words[at + 1] = nameBytes;
    this.#words[at + 2] = credential;
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

  #addCredential(record: number, credential: number, entry: CredentialEntry): void {
    const { name } = this.#consumers[record]!;
    const { index, indexSlots, digests, owners } = this.#sections;
    const words = this.#words;
    const at = digests + credential * DIGEST_WORDS;
    this.#bytes.write(checkedDigest(entry, name), at * 4, DIGEST_BYTES, 'hex');
    words[owners + credential] = record;
    let slot = hashOfDigest(words, at, words[Header.SeedLow]!) & (indexSlots - 1);
    for (; words[index + slot] !== 0; slot = (slot + 1) & (indexSlots - 1)) {
      const other = words[index + slot]! - 1;
      if (!sameDigest(words, digests + other * DIGEST_WORDS, words, at)) continue;
      const owner = words[owners + other]!;
      // The first one counts.
      if (owner === record) return;
      throw sameCredential(this.#consumers[owner]!.name, name, entry);
    }
    words[index + slot] = credential + 1;
  }
}

const NOUNS = { key: 'API key', certificate: 'certificate', signature: 'key id', password: 'user name' } as const;

export const sameCredential = (one: string, other: string, { kind }: CredentialEntry): Error =>
  new Error(`Consumers ${one} and ${other} have the same ${NOUNS[kind]}.`);

/** The digest of a credential as hex. Throws for a malformed or unresolved id. */
export function checkedDigest({ kind, id, name }: CredentialEntry, consumer: string): string {
  const digest = typeof id === 'string' ? digestOf(kind, id) : undefined;
  if (digest !== undefined) return digest;
  if (kind === 'key')
    throw new Error(`An API key of consumer ${consumer} is not "sha256:" and 64 lower-case hex digits.`);
  throw new Error(`The id of credential ${name} of consumer ${consumer} is not resolved.`);
}
