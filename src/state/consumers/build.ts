/** Writes tables of consumers (layout.ts). */
import { randomInt } from 'node:crypto';
import type { ConsumerEntry, CredentialEntry, CredentialKind } from '../../bundle/types.js';
import { TextHash } from '../hash.js';
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
import { RestTexts } from './rest.js';
import type { ConsumerTable, Run } from './table.js';

/** Why consumers cannot be in one table. */
export class ConsumerConflict extends Error {
  override readonly name = 'ConsumerConflict';
  readonly consumer: string;
  /** The consumer that has the name or the credential already; absent: an id is malformed. */
  readonly other: string | undefined;
  /** Absent: the names are equal. */
  readonly credential: CredentialEntry | undefined;

  constructor(message: string, consumer: string, other?: string, credential?: CredentialEntry) {
    super(message);
    this.consumer = consumer;
    this.other = other;
    this.credential = credential;
  }
}

const NOUNS: { readonly [kind in CredentialKind]: string } = {
  key: 'API key',
  certificate: 'certificate',
  signature: 'key id',
  password: 'user name',
};

/** For two consumers with the same credential. `one` has it already. */
export const sameCredential = (one: string, other: string, credential: CredentialEntry): ConsumerConflict =>
  new ConsumerConflict(
    `Consumers ${one} and ${other} have the same ${NOUNS[credential.kind]}.`,
    other,
    one,
    credential,
  );

/** The digest of a credential as hex. Throws ConsumerConflict for a malformed or unresolved id. */
export function checkedDigest(credential: CredentialEntry, consumer: string): string {
  const { kind, id, name } = credential;
  const digest = typeof id === 'string' ? digestOf(kind, id) : undefined;
  if (digest !== undefined) return digest;
  const message =
    kind === 'key'
      ? `An API key of consumer ${consumer} is not "sha256:" and 64 lower-case hex digits.`
      : `The id of credential ${name} of consumer ${consumer} is not resolved.`;
  throw new ConsumerConflict(message, consumer, undefined, credential);
}

/** What a table takes over from another one with the same seed. */
export interface Kept {
  readonly table: ConsumerTable;
  readonly runs: readonly Run[];
}

/** What a table consists of. Names and credentials are unique in all of it. */
export interface TableContent {
  readonly entries: readonly ConsumerEntry[];
  /** Names of consumers that a table below it has, and that were removed. */
  readonly removed?: readonly string[];
  readonly kept?: Kept;
}

/** Two random words. Tables with the same seed can take over records from each other. */
export type Seed = readonly [low: number, high: number];

const random = (): number => randomInt(2 ** 32) | 0;
export const newSeed = (): Seed => [random(), random()];

/** Throws ConsumerConflict. */
export function buildTable(content: TableContent, seed: Seed): SharedArrayBuffer {
  return new Writer(content, seed).write();
}

/** Whether two tables have the same content. Their identities differ. */
export function sameTable(one: SharedArrayBuffer, other: SharedArrayBuffer): boolean {
  if (one.byteLength !== other.byteLength) return false;
  const skipped = (Header.IdHigh + 1) * 4;
  return Buffer.from(one, skipped).equals(Buffer.from(other, skipped));
}

class Writer {
  readonly #content: TableContent;
  readonly #rests: readonly string[];
  readonly #sections: Sections;
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Words;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #hash = new TextHash();
  readonly #seed: Seed;
  #record = 0;
  #credential = 0;
  /** Byte offset of the next text. */
  #text: number;

  constructor(content: TableContent, seed: Seed) {
    const { entries, removed = [], kept } = content;
    this.#content = content;
    this.#seed = seed;
    const texts = new RestTexts();
    this.#rests = entries.map((entry) => texts.of(entry));
    let [credentials, textBytes] = [0, 0];
    for (const [at, entry] of entries.entries()) {
      credentials += entry.credentials.length;
      textBytes += Buffer.byteLength(entry.name) + Buffer.byteLength(this.#rests[at]!);
    }
    for (const name of removed) textBytes += Buffer.byteLength(name);
    let count = entries.length + removed.length;
    for (const run of kept?.runs ?? []) {
      credentials += run.credentials;
      textBytes += run.textBytes;
      count += run.last - run.first;
    }
    this.#sections = sectionsOf(count, credentials, textBytes);
    this.#buffer = new SharedArrayBuffer(this.#sections.bytes);
    this.#words = new Int32Array(this.#buffer);
    this.#bytes = Buffer.from(this.#buffer);
    this.#words.set([MAGIC, random(), random(), ...seed, count, credentials, textBytes]);
    this.#text = this.#sections.texts * 4;
  }

  write(): SharedArrayBuffer {
    const { entries, removed = [], kept } = this.#content;
    for (const run of kept?.runs ?? []) this.#keep(kept!.table, run);
    for (const [at, entry] of entries.entries()) this.#add(entry.name, this.#rests[at]!, entry.credentials);
    for (const name of removed) this.#add(name, '', []);
    // The end of the last record.
    this.#setRecord(0, 0, 0);
    return this.#buffer;
  }

  #add(name: string, rest: string, credentials: readonly CredentialEntry[]): void {
    const nameBytes = this.#bytes.write(name, this.#text);
    const { low, high } = this.#hash.update(...this.#seed, name);
    this.#setRecord(nameBytes, low, high);
    this.#text += nameBytes + this.#bytes.write(rest, this.#text + nameBytes);
    this.#indexName();
    for (const credential of credentials) {
      const at = (this.#sections.digests + this.#credential * DIGEST_WORDS) * 4;
      this.#bytes.write(checkedDigest(credential, name), at, DIGEST_BYTES, 'hex');
      this.#indexCredential(credential);
    }
    this.#record++;
  }

  #keep(table: ConsumerTable, run: Run): void {
    const { digests, records } = this.#sections;
    const words = this.#words;
    const at = records + this.#record * RECORD_WORDS;
    table.copy(run, this.#bytes, {
      words,
      text: this.#text,
      digests: digests + this.#credential * DIGEST_WORDS,
      records: at,
    });
    const movedText = this.#text - words[at + Field.Text]!;
    const movedCredentials = this.#credential - words[at + Field.Credentials]!;
    const end = this.#record + run.last - run.first;
    const last = this.#credential + run.credentials;
    for (; this.#record < end; this.#record++) {
      const own = records + this.#record * RECORD_WORDS;
      words[own + Field.Text]! += movedText;
      words[own + Field.Credentials]! += movedCredentials;
      this.#indexName();
      // The next record has not moved yet.
      const next = own + RECORD_WORDS + Field.Credentials;
      const until = this.#record + 1 < end ? words[next]! + movedCredentials : last;
      while (this.#credential < until) this.#indexCredential(undefined);
    }
    this.#text += run.textBytes;
  }

  #setRecord(nameBytes: number, low: number, high: number): void {
    const at = this.#sections.records + this.#record * RECORD_WORDS;
    const words = this.#words;
    words[at + Field.Text] = this.#text;
    words[at + Field.NameBytes] = nameBytes;
    words[at + Field.Credentials] = this.#credential;
    words[at + Field.HashLow] = low;
    words[at + Field.HashHigh] = high;
  }

  #indexName(): void {
    const { names, nameSlots, records } = this.#sections;
    const words = this.#words;
    const own = records + this.#record * RECORD_WORDS;
    const [low, high] = [words[own + Field.HashLow]!, words[own + Field.HashHigh]!];
    let slot = high & (nameSlots - 1);
    for (; words[names + slot] !== 0; slot = (slot + 1) & (nameSlots - 1)) {
      const other = records + (words[names + slot]! - 1) * RECORD_WORDS;
      if (words[other + Field.HashLow] !== low || words[other + Field.HashHigh] !== high) continue;
      const name = this.#nameAt(own);
      if (this.#nameAt(other) === name) throw new ConsumerConflict(`Two consumers have the name ${name}.`, name, name);
    }
    words[names + slot] = this.#record + 1;
  }

  #nameAt(record: number): string {
    const text = this.#words[record + Field.Text]!;
    return this.#bytes.toString('utf8', text, text + this.#words[record + Field.NameBytes]!);
  }

  /** `credential`: undefined for one that another table had, where it was unique. */
  #indexCredential(credential: CredentialEntry | undefined): void {
    const { index, indexSlots, digests, owners, records } = this.#sections;
    const words = this.#words;
    const number = this.#credential++;
    const at = digests + number * DIGEST_WORDS;
    words[owners + number] = this.#record;
    let slot = hashOfDigest(words, at, this.#seed[0]) & (indexSlots - 1);
    for (; words[index + slot] !== 0; slot = (slot + 1) & (indexSlots - 1)) {
      const other = words[index + slot]! - 1;
      if (!sameDigest(words, digests + other * DIGEST_WORDS, words, at)) continue;
      const owner = words[owners + other]!;
      // The first one counts.
      if (owner === this.#record || credential === undefined) return;
      const [first, second] = [owner, this.#record].map((record) => this.#nameAt(records + record * RECORD_WORDS));
      throw sameCredential(first!, second!, credential);
    }
    words[index + slot] = number + 1;
  }
}
