/** The records of a store with their bodies, index and queues, and the totals of them. All changes are part of a transaction. */
import {
  chunkKey,
  chunksOf,
  costOfRecord,
  decodeRecord,
  encodeRecord,
  expiryKey,
  indexKeys,
  numberKey,
  type StoredRecord,
  stayOf,
} from './record.js';
import { NOTHING, type Tables, type Totals } from './tables.js';

/** A record as it is stored. */
export interface FoundRecord {
  readonly hash: Buffer;
  readonly bytes: Buffer;
  /** Undefined: it does not verify. */
  readonly record: StoredRecord | undefined;
}

export class StoreEntries {
  readonly tables: Tables;
  totals: Totals;
  /** Bodies that were read since they were queued. */
  readonly used = new Set<number>();

  constructor(tables: Tables, totals: Totals) {
    this.tables = tables;
    this.totals = totals;
  }

  find(hash: Buffer): FoundRecord | undefined {
    const bytes = this.tables.records.getBinary(hash);
    return bytes && { hash, bytes, record: decodeRecord(bytes) };
  }

  add(hash: Buffer, record: StoredRecord, encoded: Buffer): void {
    const { records, index, queue, kept } = this.tables;
    records.put(hash, encoded);
    for (const key of indexKeys(record)) index.put(key, hash);
    const stay = stayOf(record);
    if (stay === 'usual') queue.put(numberKey(record.order), hash);
    else if (stay === 'kept') kept.put(expiryKey(record), hash);
    this.#count(record, encoded.length, 1);
  }

  /** Removes all of it but the body. */
  unlink({ hash, bytes }: FoundRecord, record: StoredRecord): void {
    const { records, index, queue, kept } = this.tables;
    records.remove(hash);
    for (const key of indexKeys(record)) index.remove(key);
    const stay = stayOf(record);
    if (stay === 'usual') queue.remove(numberKey(record.order));
    else if (stay === 'kept') kept.remove(expiryKey(record));
    this.#count(record, bytes.length, -1);
  }

  removeBody({ id, length }: StoredRecord): void {
    for (let chunk = 0; chunk < chunksOf(length); chunk++) this.tables.bodies.remove(chunkKey(id, chunk));
    this.used.delete(id);
  }

  /** Of a record that does not verify, only the record goes: the next check counts anew. */
  remove(found: FoundRecord): void {
    const { hash, record } = found;
    if (record === undefined) {
      this.tables.records.remove(hash);
      return;
    }
    this.unlink(found, record);
    this.removeBody(record);
  }

  /** Gives a content a place at the end of the queue. */
  requeue(hash: Buffer, record: StoredRecord): void {
    const order = this.totals.next++;
    const encoded = encodeRecord({ ...record, order });
    if (encoded === undefined) return;
    this.tables.queue.remove(numberKey(record.order));
    this.tables.records.put(hash, encoded);
    this.tables.queue.put(numberKey(order), hash);
  }

  /** Counts everything anew, and calls `progress` for each record. Returns the records that do not verify. */
  recount(progress: () => void): Buffer[] {
    const damaged: Buffer[] = [];
    this.totals = { ...this.totals, ...NOTHING };
    for (const { key, value } of this.tables.records.getRange()) {
      progress();
      const record = decodeRecord(value);
      if (record === undefined) {
        damaged.push(Buffer.from(key));
        continue;
      }
      this.#count(record, value.length, 1);
      this.totals.next = Math.max(this.totals.next, record.id + 1, record.order + 1);
    }
    return damaged;
  }

  #count(record: StoredRecord, encoded: number, by: 1 | -1): void {
    const { totals } = this;
    const bytes = by * costOfRecord(record, encoded);
    const stay = stayOf(record);
    totals.bytes += bytes;
    totals.entries += by;
    if (stay === 'usual') return;
    totals[stay] += by;
    totals[stay === 'kept' ? 'keptBytes' : 'foreverBytes'] += bytes;
  }
}
