/**
 * The contents in an lmdb file. Each change is one transaction, so that a process that is killed leaves the old state or the
 * new one. Used by one thread of one process at a time (place.ts).
 */
import type { ContentFacts } from '../types.js';
import type { DiskMemory } from './memory.js';
import {
  type Body,
  CHUNK,
  type ContentName,
  checksum,
  chunkKey,
  chunksOf,
  costOfRecord,
  decodeRecord,
  encodeRecord,
  type IndexKind,
  indexKeys,
  indexPrefix,
  numberKey,
  ownerHash,
  ownerIn,
  recordKey,
  type StoredRecord,
  selects,
  wholeBody,
} from './record.js';
import { fileBytes, openTables, readTotals, type Tables, type Totals, writeTotals } from './tables.js';

export interface DatabaseOptions {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly entries: number;
  readonly memory: DiskMemory;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface FoundContent extends Body {
  readonly facts: ContentFacts<unknown>;
  readonly soft: boolean;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A content to write: `parts` may be shared memory. */
export interface NewContent extends ContentName, Body {
  readonly facts: ContentFacts<unknown>;
  readonly parts: readonly Uint8Array[];
}

/** `full`: there is no room. `damaged`: its bytes are not those that were to be written. */
export type PutOutcome = 'written' | 'tooLarge' | 'full' | 'damaged';

/** The part of the file for what the estimates leave out, and for pages that wait to be used again. */
const RESERVE = 0.25;
/** Contents that were read since they were queued and get a second turn, in one eviction. */
const SECOND_TURNS = 16;
const MAX_USED = 65_536;
/** In one transaction of a purge. */
const PURGE_STEP = 500;
/** Keys that lmdb reads at a time. */
const LAST = Buffer.alloc(8, 255);

export class ContentDatabase {
  readonly #options: DatabaseOptions;
  readonly #tables: Tables;
  #totals: Totals;
  /** Bytes that contents may take: less than the file, and less still after the file has grown beyond its size. */
  #budget: number;
  /** Hashes of the owners in use; undefined: all. */
  #owners: ReadonlySet<string> | undefined;
  /** Bodies that were read since they were queued. */
  readonly #used = new Set<number>();

  /** @throws Error if the file cannot be opened, or is not a store. */
  constructor(options: DatabaseOptions) {
    this.#options = options;
    const { size } = options;
    this.#tables = openTables(options.path, size);
    this.#budget = Math.floor(size * (1 - RESERVE));
    try {
      this.#totals = readTotals(this.#tables);
      if (!this.#totals.clean) this.#check();
      this.#write(() => {
        this.#totals.clean = false;
      });
    } catch (error) {
      // Nothing is pending, so that it is closed at once.
      void this.#tables.root.close();
      throw error;
    }
  }

  /** Undefined: there is none, or it does not verify and is removed. */
  get(name: ContentName): FoundContent | undefined {
    const hash = recordKey(name);
    const bytes = this.#tables.records.getBinary(hash);
    if (bytes === undefined) return undefined;
    const record = decodeRecord(bytes);
    const body = record && this.#read(record);
    if (record === undefined || body === undefined || record.key !== name.key || record.owner !== name.owner) {
      this.#options.memory.count('damaged');
      this.#write(() => this.#removeRaw(hash, bytes));
      return undefined;
    }
    if (record.facts.expiresAt <= this.#options.now()) {
      this.#options.memory.count('expired');
      this.#write(() => this.#removeRaw(hash, bytes));
      return undefined;
    }
    if (record.order !== 0 && this.#used.size < MAX_USED) this.#used.add(record.id);
    const { facts, soft, length, crc } = record;
    return { facts, soft, length, crc, body };
  }

  #read({ id, length, crc }: StoredRecord): Uint8Array<ArrayBuffer> | undefined {
    const body = new Uint8Array(length);
    for (let chunk = 0, at = 0; at < length; chunk++) {
      const size = Math.min(CHUNK, length - at);
      // The bytes are in a buffer that lmdb uses again, and that may be longer than its length says.
      const bytes = this.#tables.bodies.getBinaryFast(chunkKey(id, chunk));
      if (bytes === undefined || bytes.length !== size) return undefined;
      body.set(bytes.subarray(0, size), at);
      at += size;
    }
    return checksum(body) === crc ? body : undefined;
  }

  /** Runs the work in one transaction. @throws the errors of lmdb; nothing has changed then */
  #write<T>(work: () => T): T {
    const before = { ...this.#totals };
    let result: T;
    try {
      // A reader of an old state would keep its pages from being used again.
      this.#tables.root.resetReadTxn();
      this.#tables.root.transactionSync(() => {
        result = work();
        writeTotals(this.#tables, this.#totals);
        // Of a block: lmdb would wait for what its callback returns.
      });
    } catch (error) {
      this.#totals = before;
      throw error;
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
    this.#owners = new Set(owners.map((owner) => ownerHash(owner).toString('latin1')));
  }

  /** Within batch(). */
  put(content: NewContent): PutOutcome {
    const { owner, key, facts, length, crc } = content;
    const hash = recordKey(content);
    const id = this.#totals.next++;
    const forever = facts.expiresAt === Number.POSITIVE_INFINITY;
    const record: StoredRecord = { owner, key, facts, length, crc, id, order: forever ? 0 : id, soft: false };
    const encoded = encodeRecord(record);
    if (encoded === undefined) return 'tooLarge';
    const cost = costOfRecord(record, encoded.length);
    if (cost > this.#budget / 2) return 'tooLarge';
    const body = wholeBody(content.parts, content);
    if (body === undefined) return 'damaged';
    const old = this.#tables.records.getBinary(hash);
    if (old !== undefined) this.#removeRaw(hash, old);
    if (!this.#makeRoom(cost)) return 'full';
    for (let chunk = 0; chunk < chunksOf(length); chunk++) {
      this.#tables.bodies.put(chunkKey(id, chunk), body.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));
    }
    this.#add(hash, record, encoded);
    return 'written';
  }

  /** Within batch(). False: the body that is stored is another one, or there is none. */
  refresh(name: ContentName & Body, facts: ContentFacts<unknown>): boolean {
    const hash = recordKey(name);
    const bytes = this.#tables.records.getBinary(hash);
    const old = bytes && decodeRecord(bytes);
    if (bytes === undefined || old === undefined || old.length !== name.length || old.crc !== name.crc) return false;
    const forever = facts.expiresAt === Number.POSITIVE_INFINITY;
    const order = forever ? 0 : old.order || this.#totals.next++;
    const record: StoredRecord = { ...old, facts, order, soft: false };
    const encoded = encodeRecord(record);
    this.#unlink(hash, old, bytes.length);
    if (encoded === undefined || !this.#makeRoom(costOfRecord(record, encoded.length))) {
      this.#removeBody(old);
      return false;
    }
    this.#add(hash, record, encoded);
    return true;
  }

  /** Within batch(). Whether there was one. */
  delete(name: ContentName): boolean {
    const hash = recordKey(name);
    const bytes = this.#tables.records.getBinary(hash);
    if (bytes !== undefined) this.#removeRaw(hash, bytes);
    return bytes !== undefined;
  }

  /**
   * Removes or marks some of what a purge selects. `after`: where the last step ended. A mark leaves the entries of the index,
   * so that it needs a place to go on from.
   */
  purgeStep(
    { owner, kind, text, whole }: PurgeRange,
    soft: boolean,
    after?: Buffer,
  ): { count: number; next: Buffer | undefined } {
    const prefix = indexPrefix(kind, owner, text, whole);
    const found: { readonly key: Buffer; readonly hash: Buffer }[] = [];
    const start = after === undefined ? prefix : Buffer.concat([after, Buffer.from([0])]);
    for (const { key, value } of this.#tables.index.getRange({
      start,
      end: Buffer.concat([prefix, LAST]),
      limit: PURGE_STEP,
    })) {
      found.push({ key: Buffer.from(key), hash: Buffer.from(value) });
    }
    let count = 0;
    this.#write(() => {
      for (const { hash } of found) {
        const bytes = this.#tables.records.getBinary(hash);
        const record = bytes && decodeRecord(bytes);
        if (bytes === undefined || record === undefined || record.owner !== owner) continue;
        if (!selects(kind, text, whole, record.facts)) continue;
        count++;
        const marked = soft ? encodeRecord({ ...record, soft: true }) : undefined;
        if (marked === undefined) this.#removeRaw(hash, bytes);
        else this.#tables.records.put(hash, marked);
      }
    });
    return { count, next: found.length < PURGE_STEP ? undefined : found.at(-1)?.key };
  }

  /** Removes everything. */
  clear(): number {
    const count = this.#totals.entries;
    for (const table of [this.#tables.records, this.#tables.bodies, this.#tables.index, this.#tables.queue])
      table.clearSync();
    this.#used.clear();
    this.#write(() => {
      Object.assign(this.#totals, { bytes: 0, entries: 0, forever: 0 });
    });
    return count;
  }

  /** Marks the store as complete, so that the next open need not check it. */
  async close(): Promise<void> {
    this.#write(() => {
      this.#totals.clean = true;
    });
    await this.#tables.root.close();
  }

  #add(hash: Buffer, record: StoredRecord, encoded: Buffer): void {
    this.#tables.records.put(hash, encoded);
    for (const key of indexKeys(record)) this.#tables.index.put(key, hash);
    if (record.order !== 0) this.#tables.queue.put(numberKey(record.order), hash);
    this.#totals.bytes += costOfRecord(record, encoded.length);
    this.#totals.entries++;
    if (record.order === 0) this.#totals.forever++;
  }

  /** Removes all of it but the body. */
  #unlink(hash: Buffer, record: StoredRecord, encoded: number): void {
    this.#tables.records.remove(hash);
    for (const key of indexKeys(record)) this.#tables.index.remove(key);
    if (record.order !== 0) this.#tables.queue.remove(numberKey(record.order));
    this.#totals.bytes -= costOfRecord(record, encoded);
    this.#totals.entries--;
    if (record.order === 0) this.#totals.forever--;
  }

  #removeBody({ id, length }: StoredRecord): void {
    for (let chunk = 0; chunk < chunksOf(length); chunk++) this.#tables.bodies.remove(chunkKey(id, chunk));
    this.#used.delete(id);
  }

  /** Of a record that does not verify, only the record goes: the next check counts anew. */
  #removeRaw(hash: Buffer, bytes: Buffer): void {
    const record = decodeRecord(bytes);
    if (record === undefined) {
      this.#tables.records.remove(hash);
      return;
    }
    this.#unlink(hash, record, bytes.length);
    this.#removeBody(record);
  }

  /** Evicts until `cost` bytes and one entry fit. False: all that is left is kept forever. */
  #makeRoom(cost: number): boolean {
    const { entries } = this.#options;
    let turns = SECOND_TURNS;
    while (this.#totals.bytes + cost > this.#budget || this.#totals.entries >= entries) {
      const oldest = [...this.#tables.queue.getRange({ limit: 1 })][0];
      if (oldest === undefined) {
        if (!this.#evictUnused()) return false;
        continue;
      }
      const [key, hash] = [Buffer.from(oldest.key), Buffer.from(oldest.value)];
      const bytes = this.#tables.records.getBinary(hash);
      const record = bytes && decodeRecord(bytes);
      this.#tables.queue.remove(key);
      if (bytes === undefined || record === undefined) continue;
      const order = this.#totals.next;
      const again = turns > 0 && this.#used.delete(record.id) ? encodeRecord({ ...record, order }) : undefined;
      if (again === undefined) {
        this.#removeRaw(hash, bytes);
        this.#options.memory.count('evicted');
        continue;
      }
      turns--;
      this.#totals.next++;
      this.#tables.records.put(hash, again);
      this.#tables.queue.put(numberKey(order), hash);
    }
    return true;
  }

  /** Removes a content of an owner that is not in use any more. False: there is none. */
  #evictUnused(): boolean {
    if (this.#owners === undefined) return false;
    for (let start = Buffer.from('o'); ; ) {
      const next = [...this.#tables.index.getRange({ start, end: Buffer.from('p'), limit: 1 })][0];
      if (next === undefined) return false;
      const owner = Buffer.from(ownerIn(next.key));
      if (!this.#owners.has(owner.toString('latin1'))) {
        const [key, hash] = [Buffer.from(next.key), Buffer.from(next.value)];
        const bytes = this.#tables.records.getBinary(hash);
        if (bytes !== undefined) this.#removeRaw(hash, bytes);
        this.#tables.index.remove(key);
        this.#options.memory.count('evicted');
        return true;
      }
      start = Buffer.concat([Buffer.from('o'), owner, LAST, LAST]);
    }
  }

  /** Reads all tables, removes records that do not verify, and counts anew. */
  #check(): void {
    const totals = { ...this.#totals, bytes: 0, entries: 0, forever: 0 };
    const damaged: Buffer[] = [];
    for (const { key, value } of this.#tables.records.getRange()) {
      const record = decodeRecord(value);
      if (record === undefined) {
        damaged.push(Buffer.from(key));
        continue;
      }
      totals.bytes += costOfRecord(record, value.length);
      totals.entries++;
      if (record.order === 0) totals.forever++;
      totals.next = Math.max(totals.next, record.id + 1, record.order + 1);
    }
    // Their pages are read, which is what the check is for.
    for (const table of [this.#tables.bodies, this.#tables.index, this.#tables.queue]) for (const _ of table.getKeys());
    this.#totals = totals;
    this.#options.memory.count('damaged', damaged.length);
    this.#write(() => {
      for (const key of damaged) this.#tables.records.remove(key);
    });
  }

  /** After a commit: what is stored, and how much of it the file may hold from now on. */
  #publish(): void {
    const { memory, size } = this.#options;
    const file = fileBytes(this.#tables);
    const beyond = file - size;
    // A file never shrinks, but what is removed from it is used again.
    if (beyond > 0) this.#budget = Math.max(size / 2, Math.min(this.#budget, size * (1 - RESERVE) - beyond));
    const { bytes, entries, forever } = this.#totals;
    memory.set('bytes', bytes);
    memory.set('entries', entries);
    memory.set('forever', forever);
    memory.set('fileBytes', file);
    memory.set('limitBytes', size);
  }
}

/** What a purge looks for in the index. */
export interface PurgeRange {
  readonly owner: string;
  readonly kind: IndexKind;
  readonly text: string;
  /** The text is the whole value, not its beginning. */
  readonly whole: boolean;
}
