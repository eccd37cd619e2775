/**
 * Outcomes of work by key, in one SharedArrayBuffer for all workers. claim() tests and notes under one lock, so of several callers,
 * in whatever worker, one does the work.
 *
 *     slot    expiry | lease | owner | state | key | work | claim
 *
 * `expiry` and `lease` are lengths while the work runs; once its outcome is unknown, they are the times at which it is forgotten and at
 * which the lease ends. Keys and work are 128 bits of SHA-256 each, of keys with a secret; other bits of it choose the group. No record
 * is forgotten for another one: if there is no room, the answer is 'full' (slot-groups.ts).
 *
 * The state of a slot is written last, and cleared first: a slot that an ended thread left half-written is free, or in the state before,
 * and its caller has got no answer.
 */
import * as crypto from 'node:crypto';
import type { Clock } from '../clock.js';
import type { SharedLocks } from '../shared-lock.js';
import { GROUP_WORDS, Header, mayHaveMore, SlotGroups, type SlotKind, suspended, WAYS } from '../slot-groups.js';
import { IDENTITY_BYTES, type OutcomeFile, SLOT_BYTES, type StoredOutcomes } from './file.js';
import type { Awaitable, Outcome, OutcomeAnswer, OutcomeClaim, OutcomeStore } from './types.js';

/** The word of the header that says whether anything may be claimed. */
const SUSPENDED = Header.Free;

const DEFAULT_SLOTS = 2 ** 19;
/** Claimed keys whose digests and slots a thread remembers until their work is settled, for each identity. */
const MOST_RUNNING = 1024;
/** Words of a slot. The first two are its expiry, in milliseconds. */
const SLOT_WORDS = 16;
const Slot = { Lease: 2, Owner: 4, State: 5, Key: 6, Work: 10, Claim: 14 } as const;
const KIND: SlotKind = { name: 'an outcome table', magic: 0x6f757431, slotWords: SLOT_WORDS };

/** The word of a state: the state, then the status of what is done or the worker that does it. */
const State = { Free: 0, Running: 1, Unknown: 2, Done: 3, Kept: 4 } as const;
const STATE_BITS = 3;
const STATE_MASK = (1 << STATE_BITS) - 1;

export class OutcomeTable {
  readonly #groups: SlotGroups;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #numbers: Float64Array<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #monotonic: () => number;
  readonly #worker: number;
  /** The slot of the work that this thread began last. */
  #begun = -1;
  #file: { readonly file: OutcomeFile; readonly clock: Clock; readonly bytes: Buffer } | undefined;

  /** Memory for `new OutcomeTable` in every thread: 64 bytes for each slot, 32 MiB by default. */
  static allocate({ slots = DEFAULT_SLOTS }: { readonly slots?: number } = {}): SharedArrayBuffer {
    return SlotGroups.allocate(KIND, slots);
  }

  /**
   * `worker`: the number of the worker that claims, from 0. `monotonic`: milliseconds by a clock that all threads share.
   * @throws TypeError for memory that allocate() did not create
   */
  constructor(buffer: SharedArrayBuffer, worker: number, monotonic: () => number) {
    this.#groups = new SlotGroups(buffer, KIND);
    this.#words = this.#groups.words;
    this.#numbers = this.#groups.numbers;
    this.#locks = this.#groups.locks;
    this.#monotonic = monotonic;
    this.#worker = worker;
  }

  /** While it is suspended, nothing is claimed or written: another gateway may use the same records. What was claimed is settled here. */
  static suspend(buffer: SharedArrayBuffer, suspended: boolean): void {
    Atomics.store(new Int32Array(buffer), SUSPENDED, suspended ? 1 : 0);
  }

  /** Writes every change of a record to this file too. `clock`: of the times in the file. */
  writeTo(file: OutcomeFile, clock: Clock): void {
    this.#file = { file, clock, bytes: Buffer.alloc(SLOT_BYTES) };
  }

  /** The number of slots. */
  get slots(): number {
    return this.#groups.count * WAYS;
  }

  /** The records of one identity, shared by all threads and generations. */
  store(identity: string): OutcomeStore {
    const { digestOf, ownerOf } = this.#groups.identity(identity);
    // Most work that this thread settles it has claimed just now.
    const running = new Map<string, { readonly digest: Buffer; readonly slot: number }>();
    return {
      claim: (claim) => {
        const digest = digestOf(claim.key);
        const answer = this.#claim(digest, claim, ownerOf(claim.by));
        if (!(answer instanceof Promise) && answer.state === 'mine') {
          if (running.size >= MOST_RUNNING) running.clear();
          running.set(claim.key, { digest, slot: this.#begun });
        }
        return answer;
      },
      settle: (of, claim, outcome) => {
        const begun = running.get(of.key);
        running.delete(of.key);
        this.#settle(begun?.digest ?? digestOf(of.key), of, claim, outcome, begun?.slot);
      },
    };
  }

  #claim(key: Buffer, claim: OutcomeClaim, owner: number): Awaitable<OutcomeAnswer> {
    // Added to the time, a text would give a time far in the future. A record without an end would keep its slot forever.
    if (!Number.isFinite(claim.ttlMs) || !Number.isFinite(claim.leaseMs))
      throw new TypeError('A time to live and a lease must be numbers of milliseconds.');
    if (this.#words[SUSPENDED] !== 0) throw new Error('another gateway may use the folder of the outcomes');
    const work = Buffer.from(claim.fingerprint.slice(0, 32), 'hex');
    if (work.length !== 16) throw new TypeError('A fingerprint needs 32 hexadecimal digits.');
    const group = this.#groupOf(key);
    this.#locks.acquire(group);
    let answer: OutcomeAnswer;
    let known = false;
    try {
      const slot = this.#find(group, key);
      known = slot >= 0;
      answer = known ? this.#answer(slot, work, claim) : this.#add(group, key, work, claim, owner);
    } catch (error) {
      // It was not written.
      this.#locks.release(group);
      throw error;
    }
    const released = this.#locks.release(group);
    if (answer.state !== 'mine') return released ? answer : lost();
    const { claim: number } = answer;
    // What was unknown before stays so.
    const undo = (): void => this.#settle(key, claim, number, { state: known ? 'unknown' : 'free' });
    if (!released) {
      undo();
      lost();
    }
    return this.#file === undefined ? answer : this.#synced(this.#file.file, answer, undo);
  }

  /** The work is not begun before its record is on disk. */
  async #synced(file: OutcomeFile, answer: OutcomeAnswer, undo: () => void): Promise<OutcomeAnswer> {
    try {
      await file.sync();
      return answer;
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** What a known key answers. Work of unknown outcome is claimed again if the caller may. */
  #answer(slot: number, work: Buffer, { retries, ttlMs, leaseMs }: OutcomeClaim): OutcomeAnswer {
    const words = this.#words;
    if (!this.#has(slot + Slot.Work, work)) return { state: 'other' };
    const state = words[slot + Slot.State]!;
    switch (state & STATE_MASK) {
      case State.Running:
        return { state: 'running' };
      case State.Unknown: {
        const leftMs = Math.max(0, this.#numbers[(slot + Slot.Lease) / 2]! - this.#monotonic());
        if (leftMs > 0 || !retries) return { state: 'unknown', leftMs };
        return this.#begin(slot, ttlMs, leaseMs);
      }
      default: {
        const kept = (state & STATE_MASK) === State.Kept;
        return { state: 'done', claim: this.#claimOf(slot), kept, status: state >>> STATE_BITS };
      }
    }
  }

  #add(group: number, key: Buffer, work: Buffer, { ttlMs, leaseMs }: OutcomeClaim, owner: number): OutcomeAnswer {
    const words = this.#words;
    const now = this.#monotonic();
    const begin = group + GROUP_WORDS;
    const end = begin + words[group + 1]! * SLOT_WORDS;
    let free = -1;
    let live = 0;
    let own = 0;
    for (let slot = begin; slot < end; slot += SLOT_WORDS) {
      if (!this.#lives(slot, now)) {
        if (free < 0) free = slot;
        // By a clock that was set back, it could live again.
        if (this.#file !== undefined && words[slot + Slot.State] !== State.Free && this.#has(slot + Slot.Key, key))
          this.#set(slot, State.Free);
        continue;
      }
      live++;
      if (words[slot + Slot.Owner] === owner) own++;
    }
    if (!mayHaveMore(own, live)) return { state: 'full' };
    const slot = free < 0 ? end : free;
    words[slot + Slot.State] = State.Free;
    words[slot + Slot.Owner] = owner;
    for (let at = 0; at < 4; at++) {
      words[slot + Slot.Key + at] = key.readInt32LE(at * 4);
      words[slot + Slot.Work + at] = work.readInt32LE(at * 4);
    }
    if (free < 0) words[group + 1] = (slot + SLOT_WORDS - begin) / SLOT_WORDS;
    return this.#begin(slot, ttlMs, leaseMs);
  }

  /** This worker does the work of a slot from now on. */
  #begin(slot: number, ttlMs: number, leaseMs: number): OutcomeAnswer {
    const number = crypto.randomInt(2 ** 47);
    const running = State.Running | (this.#worker << STATE_BITS);
    const fresh = this.#words[slot + Slot.State] === State.Free;
    // Times of running work are lengths: with those of an earlier claim it would end as unknown, and too late.
    if (!fresh) this.#words[slot + Slot.State] = running;
    this.#words[slot + Slot.Claim] = (number % 2 ** 32) | 0;
    this.#words[slot + Slot.Claim + 1] = Math.floor(number / 2 ** 32);
    this.#numbers[(slot + Slot.Lease) / 2] = leaseMs;
    this.#numbers[slot / 2] = ttlMs;
    try {
      this.#set(slot, running);
    } catch (error) {
      if (fresh) this.#words[slot + Slot.State] = State.Free;
      else this.#forgetRunning(slot, ttlMs, 0);
      throw error;
    }
    this.#begun = slot;
    return { state: 'mine', claim: number };
  }

  #settle(key: Buffer, { ttlMs, leaseMs }: OutcomeClaim, claim: number, outcome: Outcome, begun = -1): void {
    const group = this.#groupOf(key);
    this.#locks.acquire(group);
    // Running work is not forgotten, so it is nearly always where it began.
    const same = begun >= 0 && this.#has(begun + Slot.Key, key) && this.#lives(begun, this.#monotonic());
    const slot = same ? begun : this.#find(group, key);
    let released = false;
    try {
      if (slot >= 0 && this.#claimOf(slot) === claim) this.#settleSlot(slot, ttlMs, leaseMs, outcome);
    } finally {
      released = this.#locks.release(group);
    }
    if (!released) lost();
  }

  #settleSlot(slot: number, ttlMs: number, leaseMs: number, outcome: Outcome): void {
    const words = this.#words;
    const state = words[slot + Slot.State]! & STATE_MASK;
    // What a worker that was taken for ended did is known after all.
    if (state !== State.Running && state !== State.Unknown) return;
    if (outcome.state === 'unknown') this.#forgetRunning(slot, ttlMs, leaseMs);
    else if (outcome.state === 'free') this.#set(slot, State.Free);
    else {
      this.#numbers[slot / 2] = this.#monotonic() + Math.max(1, ttlMs);
      this.#set(slot, (outcome.kept ? State.Kept : State.Done) | (outcome.status << STATE_BITS));
    }
  }

  /** The outcome of running work becomes unknown, for as long as the lease at least. */
  #forgetRunning(slot: number, ttlMs: number, leaseMs: number): void {
    if ((this.#words[slot + Slot.State]! & STATE_MASK) !== State.Running) return;
    const now = this.#monotonic();
    this.#numbers[slot / 2] = now + Math.max(1, ttlMs, leaseMs);
    this.#numbers[(slot + Slot.Lease) / 2] = now + Math.max(0, leaseMs);
    this.#set(slot, State.Unknown);
  }

  /** Sets a state after all else of the slot, and writes the slot. Throws if it cannot be written; then it is set nevertheless. */
  #set(slot: number, state: number): void {
    const words = this.#words;
    words[slot + Slot.State] = state;
    // In a file that another gateway uses, the slot may be that of another key.
    if (this.#file === undefined || words[SUSPENDED] !== 0) return;
    const { file, clock, bytes } = this.#file;
    new Int32Array(bytes.buffer, bytes.byteOffset, SLOT_WORDS).set(words.subarray(slot, slot + SLOT_WORDS));
    if ((state & STATE_MASK) !== State.Running) shift(bytes, clock.now() - clock.monotonic());
    file.write(this.#numberOf(slot), bytes);
  }

  #numberOf(slot: number): number {
    const group = this.#groups.indexOf(slot);
    return group * WAYS + (slot - this.#groups.at(group) - GROUP_WORDS) / SLOT_WORDS;
  }

  /**
   * Takes over the records of a file, before other threads use the memory. What was running when they were written is unknown from
   * now on.
   */
  static restore(buffer: SharedArrayBuffer, { identity, slots }: StoredOutcomes, { now, monotonic }: Clock): void {
    Buffer.from(buffer).set(identity.subarray(0, IDENTITY_BYTES), Header.SeedLow * 4);
    const table = new OutcomeTable(buffer, 0, monotonic);
    for (const [number, bytes] of slots()) {
      const state = bytes.readInt32LE(Slot.State * 4) & STATE_MASK;
      const times = [bytes.readDoubleLE(0), bytes.readDoubleLE(Slot.Lease * 4)];
      if (state === State.Free || state > State.Kept || !times.every(Number.isFinite)) continue;
      if (state !== State.Running) shift(bytes, monotonic() - now());
      const group = table.#groups.at(Math.floor(number / WAYS));
      const way = number % WAYS;
      const slot = group + GROUP_WORDS + way * SLOT_WORDS;
      for (let at = 0; at < SLOT_WORDS; at++) table.#words[slot + at] = bytes.readInt32LE(at * 4);
      if (state === State.Running)
        table.#forgetRunning(slot, table.#numbers[slot / 2]!, table.#numbers[(slot + Slot.Lease) / 2]!);
      if (table.#lives(slot, monotonic())) table.#words[group + 1] = way + 1;
      else table.#words[slot + Slot.State] = State.Free;
    }
  }

  /** The outcome of what an ended worker did is unknown. */
  forget(worker: number): void {
    const running = State.Running | (worker << STATE_BITS);
    for (let index = 0; index < this.#groups.count; index++) {
      const group = this.#groups.at(index);
      const end = this.#words[group + 1]!;
      for (let at = 0; at < end; at++) {
        const slot = group + GROUP_WORDS + at * SLOT_WORDS;
        if (this.#words[slot + Slot.State] !== running) continue;
        this.#locks.acquire(group);
        if (this.#words[slot + Slot.State] === running)
          this.#forgetRunning(slot, this.#numbers[slot / 2]!, this.#numbers[(slot + Slot.Lease) / 2]!);
        this.#locks.release(group);
      }
    }
  }

  #find(group: number, key: Buffer): number {
    const now = this.#monotonic();
    const begin = group + GROUP_WORDS;
    const end = begin + this.#words[group + 1]! * SLOT_WORDS;
    const first = key.readInt32LE(0);
    for (let slot = begin; slot < end; slot += SLOT_WORDS)
      if (this.#words[slot + Slot.Key] === first && this.#has(slot + Slot.Key, key) && this.#lives(slot, now))
        return slot;
    return -1;
  }

  /** Work that runs is never forgotten. */
  #lives(slot: number, now: number): boolean {
    const state = this.#words[slot + Slot.State]! & STATE_MASK;
    return state === State.Running || (state !== State.Free && this.#numbers[slot / 2]! > now);
  }

  #has(at: number, digest: Buffer): boolean {
    const words = this.#words;
    return (
      words[at] === digest.readInt32LE(0) &&
      words[at + 1] === digest.readInt32LE(4) &&
      words[at + 2] === digest.readInt32LE(8) &&
      words[at + 3] === digest.readInt32LE(12)
    );
  }

  #claimOf(slot: number): number {
    return this.#words[slot + Slot.Claim + 1]! * 2 ** 32 + (this.#words[slot + Slot.Claim]! >>> 0);
  }

  /** The word at which the group of a key begins: its lock. */
  #groupOf(key: Buffer): number {
    return this.#groups.groupOf(key.readUInt32LE(16));
  }
}

/** Moves the times of a slot, expiry and lease, by so many milliseconds. */
function shift(bytes: Buffer, ms: number): void {
  for (const at of [0, Slot.Lease * 4]) bytes.writeDoubleLE(bytes.readDoubleLE(at) + ms, at);
}

function lost(): never {
  throw suspended('an outcome');
}
