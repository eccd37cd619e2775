/** The contents of a gateway in memory that its workers share. */
import type { Json } from '../../../bundle/types.js';
import type { ContentOptions, ContentSpace } from '../types.js';
import { ContentLayout, type ContentSizes, Header, UNIT } from './layout.js';
import type { ContentStats } from './owners.js';
import { repair } from './repair.js';
import { Room } from './room.js';
import { MemoryStore } from './store.js';
import { ContentTable } from './table.js';
import { Units } from './units.js';

export type { ContentStats } from './owners.js';

/** Bytes of a gateway's contents. */
const DEFAULT_BYTES = 64 * 1024 * 1024;

export interface ContentHealth {
  /** Bytes for contents. */
  readonly bytes: number;
  readonly freeBytes: number;
  /** Locks taken over from ended threads. */
  readonly takeOvers: number;
  readonly identities: readonly ContentStats[];
}

export class MemoryContents implements ContentSpace {
  readonly #table: ContentTable;
  readonly #room: Room;
  readonly #now: () => number;

  /**
   * Memory for `new MemoryContents` in every thread: `bytes` for contents (default: 64 MiB), and about half as much again for
   * their index. Pages that are not used take no room in the process.
   */
  static allocate(sizes: Partial<ContentSizes> & { workers: number }): SharedArrayBuffer {
    const memory = ContentLayout.allocate({ bytes: DEFAULT_BYTES, ...sizes, workers: sizes.workers + 1 });
    const layout = new ContentLayout(memory);
    new Units(layout).give(0, layout.units);
    return memory;
  }

  /**
   * `worker`: number of this worker, from 0; absent: a thread that reads no contents, such as control. `now`: milliseconds since
   * 1970. `keeps`: contents stay until they expire; without room, new ones are refused. `random`: from 0 up to 1, chooses what may be
   * evicted. @throws TypeError for memory that allocate() did not create.
   */
  constructor(
    memory: SharedArrayBuffer,
    now: () => number,
    worker?: number,
    { keeps = false, random = Math.random }: { readonly keeps?: boolean; readonly random?: () => number } = {},
  ) {
    const layout = new ContentLayout(memory);
    this.#now = now;
    this.#table = new ContentTable(layout, worker ?? layout.workers - 1, repair);
    this.#room = new Room(this.#table, now, keeps, random);
    if (worker !== undefined) raise(layout.words, Header.Rows, worker + 1);
  }

  store<Data = Json>(identity: string, options: ContentOptions): MemoryStore<Data> {
    return new MemoryStore({ table: this.#table, room: this.#room, now: this.#now }, identity, options);
  }

  /** Releases what a worker that has ended was reading and writing. */
  forget(worker: number): void {
    const table = this.#table;
    const { words, layout } = table;
    table.locked(() => {
      const pins = layout.pinAt(worker, 0);
      words.fill(0, pins, pins + words[Header.HighWater]!);
      for (let entry = 0; entry < words[Header.HighWater]!; entry++) table.forget(entry, worker);
    });
  }

  health(): ContentHealth {
    const { layout, units, owners, words } = this.#table;
    return {
      bytes: layout.units * UNIT,
      freeBytes: units.free * UNIT,
      takeOvers: Atomics.load(words, Header.TakeOvers),
      identities: owners.stats(),
    };
  }
}

/** Raises a word that all threads share to at least this value. */
function raise(words: Int32Array<ArrayBufferLike>, at: number, to: number): void {
  for (let seen = Atomics.load(words, at); seen < to; ) {
    const found = Atomics.compareExchange(words, at, seen, to);
    if (found === seen) return;
    seen = found;
  }
}
