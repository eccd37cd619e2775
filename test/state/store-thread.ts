/** A thread that uses the stores of policies: the other half of stores.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/state/clock.js';
import { openState, type StateMemory } from '../../src/state/memory.js';
import { systemAfter } from '../../src/state/timers.js';

export interface StoreTask {
  readonly memory: StateMemory;
  readonly worker: number;
  readonly does: 'write' | 'hold' | 'lead';
  /** Times, or milliseconds of work. */
  readonly count: number;
}

const task = workerData as StoreTask;
const parts = { monotonic: systemClock.monotonic, after: systemAfter };
const { cache, holds, flights } = openState(task.memory, task.worker, parts);

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
const result = task.does === 'write' ? write() : task.does === 'hold' ? hold() : await lead();
parentPort?.postMessage(result);
clearInterval(alive);
