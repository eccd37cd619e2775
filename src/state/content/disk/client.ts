/**
 * One thread's side of the store on disk: bounded numbers of questions and bytes on their way, and an answer in time or none.
 * Without a store, or while it hangs, contents are missing; deletes and purges wait for the next store.
 */
import type { MessagePort } from 'node:worker_threads';
import type { After } from '../../timers.js';
import type { ContentFacts, ContentSelector, ListedContent } from '../types.js';
import { type DiskMemory, slotOfKey, slotOfPurge, Unapplied } from './memory.js';
import type { DiskChange, StoreAnswer, StoreCall } from './protocol.js';

export interface ClientLimits {
  /** Milliseconds for the answer to a get(). */
  readonly getMs: number;
  /** Milliseconds for the answer to a delete or purge; it is done later then. */
  readonly changeMs: number;
  /** Milliseconds that writes wait for a store that starts. */
  readonly startMs: number;
  /** Answers in a row that may be late: from then on none is waited for until the store answers again. */
  readonly late: number;
  readonly gets: number;
  readonly writes: number;
  readonly writeBytes: number;
  /** Further writes and bytes, for contents that stay until they expire: others cannot take them. */
  readonly keptWrites: number;
  readonly keptBytes: number;
  /** Deletes and purges that the store has not applied; beyond, they become one purge of everything. */
  readonly changes: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  getMs: 250,
  changeMs: 5000,
  startMs: 10_000,
  late: 3,
  gets: 256,
  writes: 256,
  writeBytes: 32 * 1024 * 1024,
  keptWrites: 64,
  keptBytes: 8 * 1024 * 1024,
  changes: 1024,
};

/** Lists of one thread on their way: operators ask for them. */
const MOST_LISTS = 8;

export interface ClientOptions {
  readonly memory: DiskMemory;
  readonly after: After;
  readonly limits?: Partial<ClientLimits>;
}

/** What is written: `parts` are views of shared memory that stay as they are until `done`. */
export interface DiskWrite {
  readonly owner: string;
  readonly key: string;
  readonly facts: ContentFacts<unknown>;
  readonly stamp: number;
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly crc: number;
  /** It is not evicted before its time, and no older content has its key. */
  readonly keeps: boolean;
  readonly done: () => void;
}

type Found = Extract<StoreAnswer, { type: 'content' }>;

/** `noted`: what usable() needs. */
export interface DiskAnswer {
  readonly found: Found;
  readonly noted: Int32Array;
}

type SlotChange = Extract<DiskChange, { slot: number }>;

interface Waiting {
  readonly call: DiskChange;
  readonly resolve: (count: number) => void;
}

export class DiskClient {
  readonly memory: DiskMemory;
  readonly #after: After;
  readonly #limits: ClientLimits;
  readonly #unapplied = new Unapplied();
  readonly #gets = new Map<number, (answer: Found | undefined) => void>();
  readonly #writes = new Map<number, DiskWrite>();
  readonly #refreshes = new Map<number, () => void>();
  readonly #changes = new Map<number, Waiting>();
  readonly #lists = new Map<number, (contents: readonly ListedContent[]) => void>();
  #port: MessagePort | undefined;
  #nextId = 1;
  #writing = 0;
  #reserved = 0;
  /** Ends the wait of writes for a store that starts; undefined: none waits. */
  #endWait: (() => void) | undefined;
  /** No store has started in time. */
  #without = false;
  /** Late answers in a row. */
  #late = 0;

  constructor({ memory, after, limits }: ClientOptions) {
    this.memory = memory;
    this.#after = after;
    this.#limits = { ...CLIENT_LIMITS, ...limits };
  }

  /** What no store has applied: it is taken over when the thread ends. */
  get unapplied(): SharedArrayBuffer {
    return this.#unapplied.buffer;
  }

  /** Bytes of bodies that are kept until they are written. */
  get writing(): number {
    return this.#writing;
  }

  /** A store has started, in place of an earlier one: it gets the deletes and purges that the earlier one has not applied. */
  connect(port: MessagePort): void {
    this.#post({ op: 'bye' });
    this.#drop();
    this.#port = port;
    this.#late = 0;
    this.#without = false;
    this.#endWait?.();
    this.#endWait = undefined;
    port.on('message', (answer: StoreAnswer) => this.#take(answer));
    port.on('close', () => {
      if (this.#port === port) this.#drop();
    });
    // An idle store does not keep the process.
    port.unref();
    this.#post({ op: 'hello', unapplied: this.#unapplied.buffer });
    // First: a write that a delete or purge comes after is not done, in whatever order they arrive.
    for (const { call } of this.#changes.values()) this.#post(call);
    for (const [id, write] of this.#writes) this.#postWrite(id, write);
  }

  close(): void {
    this.#drop();
    this.#endWait?.();
    this.#endWait = undefined;
    this.#without = true;
    for (const id of [...this.#writes.keys()]) this.#written(id);
    this.#changes.clear();
  }

  /** False while there is no store, it is late, or too much is asked of it: what get() does not find may be there. */
  get answers(): boolean {
    return this.#port !== undefined && this.#late === 0 && this.#gets.size < this.#limits.gets;
  }

  /** Undefined at once if there is no store that could answer. */
  get(owner: string, key: string): Promise<DiskAnswer | undefined> | undefined {
    const { gets, late, getMs } = this.#limits;
    if (this.#port === undefined) return undefined;
    if (this.#gets.size >= gets) {
      this.memory.count('skipped');
      return undefined;
    }
    const waits = this.#late < late;
    const noted = this.memory.note();
    const id = this.#nextId++;
    // One question that nothing waits for shows when the store answers again.
    if (!waits && this.#gets.size > 0) {
      this.memory.count('late');
      return undefined;
    }
    return new Promise((resolve) => {
      let answered = false;
      const give = (found: Found | undefined): void => {
        answered = true;
        resolve(found && { found, noted });
      };
      const cancel = this.#after(waits ? getMs : 0, () => {
        if (answered) return;
        this.#late++;
        this.memory.count('late');
        // The answer may still come: it is taken from the map then.
        give(undefined);
      });
      this.#gets.set(id, (found) => {
        cancel();
        if (!answered) give(found);
      });
      this.#post({ op: 'get', id, owner, key });
    });
  }

  /** Whether a content of this length could be written now. */
  hasRoom(bytes: number, keeps = false): boolean {
    const { writes, writeBytes, keptWrites, keptBytes } = this.#limits;
    const [most, mostBytes] = keeps ? [writes + keptWrites, writeBytes + keptBytes] : [writes, writeBytes];
    const has = !this.#without && this.#writes.size < most && this.#writing + this.#reserved + bytes <= mostBytes;
    if (!has) this.memory.count('skipped');
    return has;
  }

  /** Bytes that are collected for a write to come. False: too many are. */
  reserve(bytes: number, keeps: boolean): boolean {
    if (!this.hasRoom(bytes, keeps)) return false;
    this.#reserved += bytes;
    return true;
  }

  unreserve(bytes: number): void {
    this.#reserved -= bytes;
  }

  /**
   * Too much may be on its way, or no store be there: then it is not written, and an older content with its key is deleted, which
   * would come back otherwise. `done` is called in any case.
   */
  put(write: DiskWrite): void {
    if (!this.hasRoom(write.length, write.keeps)) {
      this.#instead(write);
      return;
    }
    const id = this.#nextId++;
    this.#writes.set(id, write);
    this.#writing += write.length;
    if (this.#port !== undefined) this.#postWrite(id, write);
    else this.#endWait ??= this.#after(this.#limits.startMs, () => this.#stopWaiting());
  }

  #postWrite(id: number, { done: _, ...write }: DiskWrite): void {
    this.#post({ op: 'put', id, ...write });
  }

  #instead({ owner, key, keeps, done }: DiskWrite): void {
    if (!keeps) void this.end(this.beginDelete(owner, key, keeps));
    done();
  }

  #stopWaiting(): void {
    this.#endWait = undefined;
    this.#without = true;
    this.#skipWrites();
  }

  #skipWrites(): void {
    for (const [id, write] of [...this.#writes]) {
      this.memory.count('skipped');
      this.#writes.delete(id);
      this.#writing -= write.length;
      this.#instead(write);
    }
  }

  refresh(change: Omit<Extract<StoreCall, { op: 'refresh' }>, 'op' | 'id'>): Promise<void> | undefined {
    if (this.#port === undefined) return undefined;
    if (this.#refreshes.size >= this.#limits.writes) {
      this.memory.count('skipped');
      return undefined;
    }
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const cancel = this.#after(this.#limits.changeMs, () => {
        this.#refreshes.delete(id);
        resolve();
      });
      this.#refreshes.set(id, () => {
        cancel();
        resolve();
      });
      this.#post({ op: 'refresh', id, ...change });
    });
  }

  /** Contents that the selector finds on disk, at most `most`; none while the store does not answer. */
  list(owner: string, selector: ContentSelector, most: number): Promise<readonly ListedContent[]> {
    if (this.#port === undefined || this.#lists.size >= MOST_LISTS) return Promise.resolve([]);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const give = (contents: readonly ListedContent[]): void => {
        this.#lists.delete(id);
        cancel();
        resolve(contents);
      };
      const cancel = this.#after(this.#limits.changeMs, () => give([]));
      this.#lists.set(id, give);
      this.#post({ op: 'list', id, owner, selector, most });
    });
  }

  /** Marks what is to be deleted; end() sends it. In between, the caller deletes it in its own memory. */
  beginDelete(owner: string, key: string, keeps: boolean): DiskChange {
    return this.#begin({ op: 'delete', id: this.#nextId++, owner, key, keeps, slot: slotOfKey(owner, key) });
  }

  beginPurge(owner: string, selector: ContentSelector, soft: boolean, keeps: boolean): DiskChange {
    const slot = slotOfPurge(owner, selector);
    return this.#begin({ op: 'purge', id: this.#nextId++, owner, selector, soft, keeps, slot });
  }

  #begin(change: SlotChange): DiskChange {
    this.#unapplied.add(change.slot);
    this.memory.begin(change.slot);
    return change;
  }

  /** Resolves with the number of contents, or 0 if the store does not answer in time: it is done by the next one then. */
  end(change: DiskChange): Promise<number> {
    const call = this.#changes.size < this.#limits.changes ? change : this.#collapse(change);
    return new Promise((resolve) => {
      const cancel = this.#port && this.#after(this.#limits.changeMs, () => resolve(0));
      const done = (count: number): void => {
        cancel?.();
        resolve(count);
      };
      this.#changes.set(call.id, { call, resolve: done });
      if (this.#port === undefined) done(0);
      this.#post(call);
    });
  }

  /**
   * Too many wait for a store: one purge of everything stands for all of them. What stays until it expires is left out, and changes of
   * it stay, unless they are too many themselves.
   */
  #collapse(change: DiskChange): DiskChange {
    this.memory.count('collapsed');
    const stay = [...this.#changes].filter(([, { call }]) => call.op !== 'clear' && call.keeps);
    const kept = stay.length * 2 > this.#limits.changes || (change.op !== 'clear' && change.keeps);
    for (const [id, { call, resolve }] of [...this.#changes]) {
      if (!kept && call.op !== 'clear' && call.keeps) continue;
      resolve(0);
      this.#changes.delete(id);
    }
    return { op: 'clear', id: change.id, kept };
  }

  #post(call: StoreCall): void {
    this.#port?.postMessage(call);
  }

  #take(answer: StoreAnswer): void {
    this.#late = 0;
    const { id } = answer;
    const get = this.#gets.get(id);
    if (get !== undefined) {
      this.#gets.delete(id);
      get(answer.type === 'content' ? answer : undefined);
      return;
    }
    if (answer.type === 'list') {
      this.#lists.get(id)?.(answer.contents);
      return;
    }
    const count = answer.type === 'done' ? answer.count : 0;
    this.#written(id);
    this.#refreshes.get(id)?.();
    this.#refreshes.delete(id);
    this.#changes.get(id)?.resolve(count);
    this.#changes.delete(id);
  }

  #written(id: number): void {
    const write = this.#writes.get(id);
    if (write === undefined) return;
    this.#writes.delete(id);
    this.#writing -= write.length;
    write.done();
  }

  /** The store has gone: what it was asked is not answered, and what it was to write may not be written. */
  #drop(): void {
    const port = this.#port;
    this.#port = undefined;
    port?.close();
    for (const give of this.#gets.values()) give(undefined);
    this.#gets.clear();
    if (port !== undefined) this.#skipWrites();
    for (const resolve of this.#refreshes.values()) resolve();
    this.#refreshes.clear();
    for (const { resolve } of this.#changes.values()) resolve(0);
    for (const give of [...this.#lists.values()]) give([]);
  }
}
