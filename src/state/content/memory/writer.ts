/** Writes the body of a new content into the arena, in one piece up to ONE_PIECE, in few pieces beyond. */
import type { ContentWriter } from '../types.js';
import { Count, Entry, Flag, MAX_EXTENTS, UNIT } from './layout.js';
import type { Room } from './room.js';
import type { ContentTable } from './table.js';

/** Bytes of a body that are kept together. */
const ONE_PIECE = 1024 * 1024;
/** Bytes of the first piece of a body whose length is not known. */
const FIRST_PIECE = 16 * 1024;
/** Further pieces are as large as all before, up to this: more would hold the lock for too long. */
const LARGEST_PIECE = 8 * ONE_PIECE;
/** In fragmented memory, a body has pieces of at least this size. */
const SMALLEST_PIECE = 32 * 1024;

export interface WriterTask {
  readonly table: ContentTable;
  readonly room: Room;
  readonly entry: number;
  readonly key: string;
  readonly owner: number;
  /** Bytes of the body; -1 if unknown. */
  readonly length: number;
  /** Bytes of the largest body. */
  readonly max: number;
  /** It takes the place of no other content with its key. */
  readonly copy: boolean;
}

export class MemoryWriter implements ContentWriter {
  readonly #task: WriterTask;
  readonly #at: number;
  #written = 0;
  #capacity = 0;
  /** Byte of the arena at which the next part goes, and bytes that fit there. */
  #position = 0;
  #left = 0;
  #done = false;

  constructor(task: WriterTask) {
    this.#task = task;
    this.#at = task.table.layout.entryAt(task.entry);
  }

  /** Takes the first piece; false if there is no room. Needs the lock. */
  begin(): boolean {
    const { length, max } = this.#task;
    if (length === 0) return true;
    return this.#extend(length < 0 ? Math.min(FIRST_PIECE, max) : Math.min(ONE_PIECE, length));
  }

  write(bytes: Uint8Array): boolean {
    if (this.#done) return false;
    const { table, owner, length, max } = this.#task;
    const limit = length < 0 ? max : length;
    if (this.#written + bytes.length > limit) {
      table.owners.count(owner, Count.TooLarge);
      this.abort();
      return false;
    }
    for (let from = 0; from < bytes.length; ) {
      if (this.#left === 0 && !table.locked(() => this.#grow(bytes.length - from, limit))) {
        table.owners.count(owner, Count.NoRoom);
        this.abort();
        return false;
      }
      const part = Math.min(this.#left, bytes.length - from);
      table.layout.bytes.set(part === bytes.length ? bytes : bytes.subarray(from, from + part), this.#position);
      this.#position += part;
      this.#left -= part;
      this.#written += part;
      from += part;
    }
    return true;
  }

  commit(): void {
    if (this.#done) return;
    const { table, entry, key, owner, length, copy } = this.#task;
    // A body that is not as long as announced is not whole.
    if (length >= 0 && this.#written !== length) {
      this.abort();
      return;
    }
    this.#done = true;
    table.locked(() => {
      if ((table.words[this.#at + Entry.Flags]! & Flag.Purged) !== 0) return table.abandon(entry);
      if (copy && table.knownBy(entry, key) >= 0) return table.abandon(entry);
      this.#trim();
      table.words[this.#at + Entry.Length] = this.#written;
      table.publish(entry, key);
      table.owners.count(owner, Count.Stored);
    });
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#task.table.locked(() => this.#task.table.abandon(this.#task.entry));
  }

  /** More room behind what is full. `wanted`: bytes that wait. */
  #grow(wanted: number, limit: number): boolean {
    const all = this.#capacity;
    const known = this.#task.length >= 0;
    if (!known && all < ONE_PIECE && this.#task.table.words[this.#at + Entry.Extents] === 1) {
      if (this.#move(Math.min(ONE_PIECE, limit, Math.max(all * 2, all + wanted)))) return true;
    }
    return this.#extend(Math.min(limit - all, Math.max(ONE_PIECE, Math.min(all, LARGEST_PIECE))));
  }

  /** Moves the one piece to a larger one. */
  #move(size: number): boolean {
    const { table, room, entry } = this.#task;
    const units = Math.ceil(size / UNIT);
    const start = room.take(units, entry);
    if (start < 0) return false;
    const to = table.layout.byteAt(start);
    const from = table.layout.byteAt(table.words[this.#at + Entry.FirstExtent]!);
    table.layout.bytes.copyWithin(to, from, from + this.#written);
    table.dropExtent(this.#at, 0);
    table.addExtent(this.#at, start, units);
    this.#position = to + this.#written;
    this.#capacity = units * UNIT;
    this.#left = this.#capacity - this.#written;
    return true;
  }

  /** Adds a piece, or a smaller one if the memory is fragmented. */
  #extend(size: number): boolean {
    const { table, room, entry } = this.#task;
    if (table.words[this.#at + Entry.Extents]! >= MAX_EXTENTS) return false;
    for (let bytes = size; ; bytes /= 2) {
      const units = Math.ceil(bytes / UNIT);
      const start = room.take(units, entry);
      if (start >= 0) {
        table.addExtent(this.#at, start, units);
        this.#position = table.layout.byteAt(start);
        this.#left = units * UNIT;
        this.#capacity += this.#left;
        return true;
      }
      if (bytes <= SMALLEST_PIECE) return false;
    }
  }

  /** Gives back the end of the last piece. */
  #trim(): void {
    const { table } = this.#task;
    const last = table.words[this.#at + Entry.Extents]! - 1;
    if (last < 0) return;
    const where = this.#at + Entry.FirstExtent + last * 2;
    const count = table.words[where + 1]!;
    const kept = count - Math.floor(this.#left / UNIT);
    if (kept > 0) {
      table.words[where + 1] = kept;
      if (kept < count) table.units.give(table.words[where]! + kept, count - kept);
    } else table.dropExtent(this.#at, last);
  }
}
