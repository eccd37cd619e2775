/**
 * The contents in an lmdb file. Each change is one transaction, so that a process that is killed leaves the old state or the
 * new one. Used by one thread of one process at a time (place.ts).
 */
import type { ContentFacts, ListedContent } from '../types.js';
import { type FoundRecord, StoreEntries } from './entries.js';
import { FileLength } from './file-length.js';
import type { DiskMemory } from './memory.js';
import {
  type Body,
  CHUNK,
  type ContentName,
  checksum,
  chunkKey,
  chunksOf,
  encodeRecord,
  type IndexKind,
  indexPrefix,
  recordKey,
  type StoredRecord,
  selects,
  stayOf,
  wholeBody,
} from './record.js';
import { DiskRoom } from './room.js';
import { fileBytes, fileOf, NOTHING, openTables, readTotals, writeTotals } from './tables.js';

export interface DatabaseOptions {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly entries: number;
  readonly memory: DiskMemory;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called often while the whole store is read. */
  readonly progress?: () => void;
}

export interface FoundContent extends Body {
  readonly facts: ContentFacts<unknown>;
  readonly soft: boolean;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A content to write: `parts` may be shared memory. */
export interface NewContent extends ContentName, Body {
  readonly facts: ContentFacts<unknown>;
  /** It is not evicted before its time, or else not written. */
  readonly keeps?: boolean | undefined;
  readonly parts: readonly Uint8Array[];
}

/** `full`: there is no room. `damaged`: its bytes are not those that were to be written. */
export type PutOutcome = 'written' | 'tooLarge' | 'full' | 'damaged';

const MAX_USED = 65_536;
/** Contents in one transaction of a purge, or one step of a list. */
const STEP = 500;
/** Keys that lmdb reads at a time. */
const LAST = Buffer.alloc(8, 255);

export class ContentDatabase {
  readonly #options: DatabaseOptions;
  readonly #entries: StoreEntries;
  readonly #room: DiskRoom;
  readonly #length: FileLength;

  /** @throws Error if the file cannot be opened, or is not a store. */
  constructor(options: DatabaseOptions) {
    this.#options = options;
    const tables = openTables(options.path, options.size);
    this.#length = new FileLength(fileOf(options.path), options.size);
    try {
      this.#entries = new StoreEntries(tables, readTotals(tables));
      this.#room = new DiskRoom(this.#entries, options);
      if (!this.#entries.totals.clean) this.#check();
      this.#write(() => {
        this.#entries.totals.clean = false;
      });
    } catch (error) {
      // Nothing is pending, so that it is closed at once.
      void tables.root.close();
      throw error;
    }
  }

  /** Undefined: there is none, or it does not verify and is removed. */
  get(name: ContentName): FoundContent | undefined {
    const found = this.#entries.find(recordKey(name));
    if (found === undefined) return undefined;
    const { record } = found;
    const body = record && this.#read(record);
    if (record === undefined || body === undefined || record.key !== name.key || record.owner !== name.owner)
      return this.#drop(found, 'damaged');
    if (record.facts.expiresAt <= this.#options.now()) return this.#drop(found, 'expired');
    const { used } = this.#entries;
    if (record.order !== 0 && used.size < MAX_USED) used.add(record.id);
    const { facts, soft, length, crc } = record;
    return { facts, soft, length, crc, body };
  }

  #drop(found: FoundRecord, why: 'damaged' | 'expired'): undefined {
    this.#options.memory.count(why);
    this.#write(() => this.#entries.remove(found));
  }

  #read({ id, length, crc }: StoredRecord): Uint8Array<ArrayBuffer> | undefined {
    const body = new Uint8Array(length);
    for (let chunk = 0, at = 0; at < length; chunk++) {
      const size = Math.min(CHUNK, length - at);
      // The bytes are in a buffer that lmdb uses again, and that may be longer than its length says.
      const bytes = this.#entries.tables.bodies.getBinaryFast(chunkKey(id, chunk));
      if (bytes === undefined || bytes.length !== size) return undefined;
      body.set(bytes.subarray(0, size), at);
      at += size;
    }
    return checksum(body) === crc ? body : undefined;
  }

  /** Runs the work in one transaction. @throws the errors of lmdb; nothing has changed then */
  #write<T>(work: () => T): T {
    const entries = this.#entries;
    const { root } = entries.tables;
    const before = { ...entries.totals };
    const { memory } = this.#options;
    let result: T;
    memory.set('inTransaction', 1);
    try {
      // A reader of an old state would keep its pages from being used again.
      root.resetReadTxn();
      root.transactionSync(() => {
        result = work();
        writeTotals(entries.tables, entries.totals);
        // Of a block: lmdb would wait for what its callback returns.
      });
    } catch (error) {
      entries.totals = before;
      throw error;
    } finally {
      memory.set('inTransaction', 0);
    }
    this.#publish();
    return result!;
  }

  /** Several changes in one transaction: all of them are on disk when it returns, or none. */
  batch(work: () => void): void {
    this.#write(work);
  }

  /** The owners that are in use: what others have left makes room when nothing else can. Without it, all are. */
  setOwners(owners: readonly string[]): void {
    this.#room.setOwners(owners);
  }

  /** Within batch(). */
  put(content: NewContent): PutOutcome {
    const { owner, key, facts, length, crc, keeps: kept = false } = content;
    const entries = this.#entries;
    const hash = recordKey(content);
    const id = entries.totals.next++;
    const order = kept || facts.expiresAt === Number.POSITIVE_INFINITY ? 0 : id;
    const record: StoredRecord = { owner, key, facts, length, crc, id, order, kept, soft: false };
    const encoded = encodeRecord(record);
    if (encoded === undefined || this.#room.isTooLarge(record, encoded.length)) return 'tooLarge';
    const body = wholeBody(content.parts, content);
    if (body === undefined) return 'damaged';
    const old = entries.find(hash);
    if (old !== undefined) entries.remove(old);
    if (!this.#room.make(record, encoded.length)) return 'full';
    for (let chunk = 0; chunk < chunksOf(length); chunk++)
      entries.tables.bodies.put(chunkKey(id, chunk), body.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));
    entries.add(hash, record, encoded);
    return 'written';
  }

  /** Within batch(). False: the body that is stored is another one, or there is none. */
  refresh(name: ContentName & Body, facts: ContentFacts<unknown>): boolean {
    const entries = this.#entries;
    const found = entries.find(recordKey(name));
    const old = found?.record;
    if (found === undefined || old === undefined || old.length !== name.length || old.crc !== name.crc) return false;
    const unordered = old.kept || facts.expiresAt === Number.POSITIVE_INFINITY;
    const order = unordered ? 0 : old.order || entries.totals.next++;
    const record: StoredRecord = { ...old, facts, order, soft: false };
    const encoded = encodeRecord(record);
    entries.unlink(found, old);
    if (encoded === undefined || !this.#room.make(record, encoded.length)) {
      entries.removeBody(old);
      return false;
    }
    entries.add(found.hash, record, encoded);
    return true;
  }

  /** Within batch(). Whether there was one. */
  delete(name: ContentName): boolean {
    const found = this.#entries.find(recordKey(name));
    if (found !== undefined) this.#entries.remove(found);
    return found !== undefined;
  }

  /**
   * Removes or marks some of what a purge selects. `after`: where the last step ended. A mark leaves the entries of the index,
   * so that it needs a place to go on from.
   */
  purgeStep(range: Selected, soft: boolean, after?: Buffer): { count: number; next: Buffer | undefined } {
    const { hashes, next } = this.#indexed(range, after);
    let count = 0;
    this.#write(() => {
      for (const hash of hashes) {
        const found = this.#selected(hash, range);
        if (found === undefined) continue;
        count++;
        const marked = soft ? encodeRecord({ ...found.record, soft: true }) : undefined;
        if (marked === undefined) this.#entries.remove(found);
        else this.#entries.tables.records.put(hash, marked);
      }
    });
    return { count, next };
  }

  /** Some of what a purge would select. `after`: as there. */
  listStep(range: Selected, after?: Buffer): { contents: ListedContent[]; next: Buffer | undefined } {
    const { hashes, next } = this.#indexed(range, after);
    const now = this.#options.now();
    const contents: ListedContent[] = [];
    for (const hash of hashes) {
      const record = this.#selected(hash, range)?.record;
      if (record === undefined || record.facts.expiresAt <= now) continue;
      const { key, length, soft, facts } = record;
      const { url, route, tags, expiresAt } = facts;
      contents.push({ key, url, route, tags, expiresAt, length, soft });
    }
    return { contents, next };
  }

  /** The next keys of records that the index has for a range. */
  #indexed({ owner, kind, text, whole }: Selected, after?: Buffer): { hashes: Buffer[]; next: Buffer | undefined } {
    const prefix = indexPrefix(kind, owner, text, whole);
    const start = after === undefined ? prefix : Buffer.concat([after, Buffer.from([0])]);
    const range = { start, end: Buffer.concat([prefix, LAST]), limit: STEP };
    const hashes: Buffer[] = [];
    let last: Buffer | undefined;
    for (const { key, value } of this.#entries.tables.index.getRange(range)) {
      last = Buffer.from(key);
      hashes.push(Buffer.from(value));
    }
    return { hashes, next: hashes.length < STEP ? undefined : last };
  }

  /** The record, if it is one of those that the index was asked for: it has the beginning of a text only. */
  #selected(
    hash: Buffer,
    { owner, kind, text, whole }: Selected,
  ): (FoundRecord & { record: StoredRecord }) | undefined {
    const found = this.#entries.find(hash);
    const record = found?.record;
    if (found === undefined || record === undefined || record.owner !== owner) return undefined;
    return selects(kind, text, whole, record.facts) ? { ...found, record } : undefined;
  }

  /** Removes some of what is not kept until it expires. `after`: where the last step ended. */
  clearStep(after?: Buffer): { count: number; next: Buffer | undefined } {
    const from = after === undefined ? {} : { start: Buffer.concat([after, Buffer.from([0])]) };
    const hashes: Buffer[] = [];
    for (const key of this.#entries.tables.records.getKeys({ ...from, limit: STEP })) hashes.push(Buffer.from(key));
    let count = 0;
    this.#write(() => {
      for (const hash of hashes) {
        const found = this.#entries.find(hash);
        if (found === undefined || (found.record !== undefined && stayOf(found.record) === 'kept')) continue;
        count++;
        this.#entries.remove(found);
      }
    });
    return { count, next: hashes.length < STEP ? undefined : hashes.at(-1) };
  }

  /** Removes everything. */
  clear(): number {
    const entries = this.#entries;
    const count = entries.totals.entries;
    const { records, bodies, index, queue, kept } = entries.tables;
    for (const table of [records, bodies, index, queue, kept]) table.clearSync();
    entries.used.clear();
    this.#write(() => {
      Object.assign(entries.totals, NOTHING);
    });
    return count;
  }

  /** Whether some of it is kept until it expires. */
  get keeps(): boolean {
    return this.#entries.totals.kept > 0;
  }

  /** Marks the store as complete, so that the next open need not check it. */
  async close(): Promise<void> {
    this.#write(() => {
      this.#entries.totals.clean = true;
    });
    await this.#entries.tables.root.close();
  }

  /** Reads all tables, removes records that do not verify, and counts anew. */
  #check(): void {
    const { bodies, index, queue, kept, records } = this.#entries.tables;
    const { progress = () => {} } = this.#options;
    const damaged = this.#entries.recount(progress);
    // Their pages are read, which is what the check is for.
    for (const table of [bodies, index, queue, kept]) for (const _ of table.getKeys()) progress();
    this.#options.memory.count('damaged', damaged.length);
    this.#write(() => {
      for (const hash of damaged) records.remove(hash);
    });
  }

  /** The commit is done, whatever becomes of this. */
  #lengthen(file: number): void {
    try {
      this.#length.keepAbove(file);
    } catch {
      this.#options.memory.count('errors');
    }
  }

  /** After a commit: what is stored, and how much of it the file may hold from now on. */
  #publish(): void {
    const { memory, size } = this.#options;
    const file = fileBytes(this.#entries.tables);
    this.#room.noteFile(file);
    this.#lengthen(file);
    const { bytes, entries, forever, keptBytes } = this.#entries.totals;
    memory.set('bytes', bytes);
    memory.set('entries', entries);
    memory.set('forever', forever);
    memory.set('keptBytes', keptBytes);
    memory.set('fileBytes', file);
    memory.set('limitBytes', size);
  }
}

/** What a purge or a list looks for in the index. */
export interface Selected {
  readonly owner: string;
  readonly kind: IndexKind;
  readonly text: string;
  /** The text is the whole value, not its beginning. */
  readonly whole: boolean;
}
