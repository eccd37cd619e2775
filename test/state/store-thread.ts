/** A thread that uses the stores of policies: the other half of stores.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/state/clock.js';
import { openState, type StateMemory } from '../../src/state/memory.js';
import { ReplayTable } from '../../src/state/replay-table.js';
import { systemAfter } from '../../src/state/timers.js';

export interface StoreTask {
  readonly memory: StateMemory;
  readonly worker: number;
  readonly does: 'write' | 'hold' | 'lead' | 'note' | 'claim';
  /** Times, or milliseconds of work. */
  readonly count: number;
  /** Threads of `note` and `claim`, and a word for each of its steps: how many of them have reached it. */
  readonly meeting?: { readonly threads: number; readonly arrived: SharedArrayBuffer };
}

const task = workerData as StoreTask;
const parts = { clock: systemClock, after: systemAfter };
const { cache, holds, outcomes, flights } = openState(task.memory, task.worker, parts);

/** Writes values of any length that repeat one letter, and reports every other value that it reads. */
function write(): unknown {
  const store = cache.store('shared');
  const strange: unknown[] = [];
  for (let at = 0; at < task.count; at++) {
    const key = `key ${at % 97}`;
    store.set(key, 'abcd'[at % 4]!.repeat(1 + ((at * 37) % 900)), 60_000);
    const value = store.get(`key ${(at * 31) % 97}`);
    if (typeof value === 'string' && !/^(a+|b+|c+|d+)$/.test(value)) strange.push(value);
  }
  return strange;
}

/** Takes and releases one of three places; reports how often it got one, and the most that were taken. */
function hold(): unknown {
  const store = holds.store('shared');
  let most = 0;
  let got = 0;
  for (let at = 0; at < task.count; at++) {
    const held = store.acquire('one', 3);
    if (held === undefined || held instanceof Promise) continue;
    got++;
    most = Math.max(most, held.taken);
    held.release();
  }
  return { got, most };
}

/** Notes values at the same time as other threads, in the same order; reports the answers. */
function note(): unknown {
  const { threads, arrived } = task.meeting!;
  const words = new Int32Array(arrived);
  // Read between test and note: without the lock, threads would be in between at the same time.
  const monotonic = (): number => {
    for (const until = performance.now() + 0.02; performance.now() < until; );
    return systemClock.monotonic();
  };
  const store = new ReplayTable(task.memory.replays, monotonic).store('shared');
  return Array.from({ length: task.count }, (_, at) => {
    meet(words, at, threads);
    return store.note(`value ${at}`, 60_000, `caller ${at % 100}`);
  });
}

/** Waits until all threads have reached a step. */
function meet(words: Int32Array, at: number, threads: number): void {
  Atomics.add(words, at, 1);
  for (let spins = 0; Atomics.load(words, at) < threads; spins++)
    if (spins > 10_000) Atomics.wait(words, at, Atomics.load(words, at), 1);
}

/** Claims keys at the same time as other threads, in the same order; reports the answers. */
async function claim(): Promise<unknown> {
  const { threads, arrived } = task.meeting!;
  const words = new Int32Array(arrived);
  const store = outcomes.store('shared');
  const states: string[] = [];
  for (let at = 0; at < task.count; at++) {
    meet(words, at, threads);
    const rest = { fingerprint: 'ab'.repeat(16), ttlMs: 60_000, leaseMs: 1000, retries: false };
    states.push((await store.claim({ key: `key ${at}`, by: `caller ${at % 100}`, ...rest })).state);
  }
  return states;
}

async function lead(): Promise<unknown> {
  const sleep = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, task.count));
  let worked = 0;
  const value = await flights.run('key', 10_000, async () => {
    worked++;
    await sleep();
    return `by ${task.worker}`;
  });
  return { worked, value };
}

// Timers of policies do not keep a thread alive.
const alive = setInterval(() => {}, 1000);
const result = await { write, hold, lead, note, claim }[task.does]();
parentPort?.postMessage(result);
clearInterval(alive);
