/**
 * Room in the file: which contents have a part of it, and which are removed for a new one.
 *
 *     usual      evicted by their place in the queue; may take all of the room
 *     forever    never evicted; leave KEPT_SHARE of the room to others
 *     kept       not evicted before their time; take KEPT_SHARE of the room at most
 *
 * So neither usual contents nor those that are kept forever displace a kept one. What has no room is refused. All methods are part of a
 * transaction.
 */
import type { FoundRecord, StoreEntries } from './entries.js';
import type { DiskMemory } from './memory.js';
import { costOfRecord, ownerHash, ownerIn, type StoredRecord, stayOf } from './record.js';

/** The part of the file for what the estimates leave out, and for pages that wait to be used again. */
const RESERVE = 0.25;
/** Of the room, for contents that are kept until they expire. */
const KEPT_SHARE = 1 / 8;
/** Contents that were read since they were queued and get a second turn, in one eviction. */
const SECOND_TURNS = 16;
const LAST = Buffer.alloc(8, 255);

export interface RoomOptions {
  /** Bytes of the file. */
  readonly size: number;
  readonly entries: number;
  readonly memory: DiskMemory;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class DiskRoom {
  readonly #entries: StoreEntries;
  readonly #options: RoomOptions;
  /** Bytes that contents may take: less than the file, and less still after the file has grown beyond its size. */
  #budget: number;
  /** Hashes of the owners in use; undefined: all. */
  #owners: ReadonlySet<string> | undefined;

  constructor(entries: StoreEntries, options: RoomOptions) {
    this.#entries = entries;
    this.#options = options;
    this.#budget = Math.floor(options.size * (1 - RESERVE));
  }

  /** The owners that are in use: what others have left makes room when nothing else can. Without it, all are. */
  setOwners(owners: readonly string[]): void {
    this.#owners = new Set(owners.map((owner) => ownerHash(owner).toString('latin1')));
  }

  /** `file`: bytes of the file. It never shrinks, but what is removed from it is used again. */
  noteFile(file: number): void {
    const { size } = this.#options;
    const beyond = file - size;
    if (beyond > 0) this.#budget = Math.max(size / 2, Math.min(this.#budget, size * (1 - RESERVE) - beyond));
  }

  /** Whether a content is so large that it is not stored at all. */
  isTooLarge(record: StoredRecord, encoded: number): boolean {
    const most = stayOf(record) === 'kept' ? this.#budget * KEPT_SHARE : this.#budget / 2;
    return costOfRecord(record, encoded) > most;
  }

  /** Removes what has to make room for a content. False: there is no room. */
  make(record: StoredRecord, encoded: number): boolean {
    const cost = costOfRecord(record, encoded);
    const stay = stayOf(record);
    if (stay === 'kept' && !this.#makeKept(cost)) return false;
    if (stay === 'forever' && !this.#makeForever(cost)) return false;
    const { entries } = this.#options;
    const { totals } = this.#entries;
    let turns = SECOND_TURNS;
    while (totals.bytes + cost > this.#budget || totals.entries >= entries) {
      if (this.#removeExpired()) continue;
      const passed = this.#evictOldest(turns > 0);
      if (passed === 'again') turns--;
      else if (passed === 'none' && !this.#evictUnused(false)) return false;
    }
    return true;
  }

  #makeKept(cost: number): boolean {
    const { totals } = this.#entries;
    while (
      totals.keptBytes + cost > this.#budget * KEPT_SHARE ||
      totals.kept >= Math.ceil(this.#options.entries * KEPT_SHARE)
    )
      if (!this.#removeExpired() && !this.#evictUnused(true)) return false;
    return true;
  }

  #makeForever(cost: number): boolean {
    const { totals } = this.#entries;
    while (
      totals.foreverBytes + cost > this.#budget * (1 - KEPT_SHARE) ||
      totals.forever >= Math.floor(this.#options.entries * (1 - KEPT_SHARE))
    )
      if (!this.#evictUnused(false)) return false;
    return true;
  }

  /** Removes the kept content whose time is over first. False: none is. */
  #removeExpired(): boolean {
    const { kept } = this.#entries.tables;
    const next = [...kept.getRange({ limit: 1 })][0];
    if (next === undefined || Number(Buffer.from(next.key).readBigUInt64BE(0)) > this.#options.now()) return false;
    const [key, hash] = [Buffer.from(next.key), Buffer.from(next.value)];
    const found = this.#entries.find(hash);
    if (found !== undefined) this.#entries.remove(found);
    kept.remove(key);
    this.#options.memory.count('expired');
    return true;
  }

  /** Evicts the oldest content, or gives it a further turn if it was read and `mayStay`. */
  #evictOldest(mayStay: boolean): 'evicted' | 'again' | 'none' {
    const { tables, used } = this.#entries;
    const oldest = [...tables.queue.getRange({ limit: 1 })][0];
    if (oldest === undefined) return 'none';
    const [key, hash] = [Buffer.from(oldest.key), Buffer.from(oldest.value)];
    const found = this.#entries.find(hash);
    if (found?.record !== undefined && mayStay && used.delete(found.record.id)) {
      this.#entries.requeue(hash, found.record);
      return 'again';
    }
    tables.queue.remove(key);
    if (found?.record !== undefined) this.#evict(found);
    return 'evicted';
  }

  /** Removes a content of an owner that is not in use any more. False: there is none. */
  #evictUnused(kept: boolean): boolean {
    if (this.#owners === undefined) return false;
    const { index } = this.#entries.tables;
    for (let start = Buffer.from('o'); ; ) {
      const next = [...index.getRange({ start, end: Buffer.from('p'), limit: 1 })][0];
      if (next === undefined) return false;
      const owner = Buffer.from(ownerIn(next.key));
      if (!this.#owners.has(owner.toString('latin1'))) {
        const [key, hash] = [Buffer.from(next.key), Buffer.from(next.value)];
        const found = this.#entries.find(hash);
        // An owner keeps all of its contents, or none.
        if (found?.record === undefined || (stayOf(found.record) === 'kept') === kept) {
          if (found !== undefined) this.#evict(found);
          index.remove(key);
          return true;
        }
      }
      start = Buffer.concat([Buffer.from('o'), owner, LAST, LAST]);
    }
  }

  #evict(found: FoundRecord): void {
    this.#entries.remove(found);
    this.#options.memory.count('evicted');
  }
}
