import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { viewTable } from '../../src/state/limits/layout.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { SharedLocks } from '../../src/state/shared-lock.js';
import type { HammerTask } from './hammer.js';

const THREADS = 4;

async function hammer(task: Omit<HammerTask, 'gate'>): Promise<number[]> {
  const gate = new SharedArrayBuffer(4);
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL('./hammer.js', import.meta.url), { workerData: { ...task, gate } }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  const results = Promise.all(workers.map((worker) => once(worker, 'message')));
  Atomics.store(new Int32Array(gate), 0, 1);
  Atomics.notify(new Int32Array(gate), 0);
  const allowed = (await results).map(([count]) => count as number);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return allowed;
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

test('four threads at one key: exactly the capacity passes, and every take is counted once', async () => {
  const memory = LimitTable.allocate({ slots: 16 });
  const takes = 50_000;
  const rate = { capacity: 123_456, periodMs: 1e9 };
  const allowed = await hammer({ memory, rate, keys: ['one'], takes, now: 1000 });
  assert.is(sum(allowed), 123_456);
  const table = new LimitTable(memory);
  assert.equal(table.totals('shared'), { allowed: 123_456, refused: THREADS * takes - 123_456, evicted: 0 });
  const [key] = table.snapshot('shared', 1000, 1);
  assert.equal([key?.allowed, key?.refused, key?.remaining], [123_456, THREADS * takes - 123_456, 0]);
  assert.is(table.health().takeOvers, 0);
});

test('four threads at the same sixteen keys of one group: each is exact', async () => {
  const memory = LimitTable.allocate({ slots: 16 });
  const keys = Array.from({ length: 16 }, (_, at) => `key ${at}`);
  const allowed = await hammer({ memory, rate: { capacity: 1000, periodMs: 1e9 }, keys, takes: 32_000, now: 1000 });
  assert.is(sum(allowed), 16_000);
  for (const key of new LimitTable(memory).snapshot('shared', 1000, 100)) assert.is(key.allowed, 1000);
});

test('a thread that died with a lock in its hand stops nobody', () => {
  const memory = LimitTable.allocate({ slots: 16 });
  const table = new LimitTable(memory);
  const limiter = table.limiter('i');
  viewTable(memory).locks[0] = 1;
  assert.ok(limiter.take('k', { capacity: 1, periodMs: 1000 }, 1, 0).allowed);
  assert.is(table.health().takeOvers, 1);
  assert.not.ok(limiter.take('k', { capacity: 1, periodMs: 1000 }, 1, 0).allowed);
  assert.is(table.health().takeOvers, 1);
});

test('a free lock is acquired at once, a held one only after the time of its holder', () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const [ended, locks] = [new SharedLocks(words, 5), new SharedLocks(words, 5)];
  assert.not.ok(ended.acquire(1));
  assert.is(words[0], 0);
  assert.not.equal(words[1], 0);
  assert.ok(locks.acquire(1));
  locks.release(1);
  assert.equal([...words], [0, 0]);
  assert.not.ok(locks.acquire(1));
});

test('a holder whose lock was taken over does not release it for its new holder', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const [late, locks] = [new SharedLocks(words, 5), new SharedLocks(words, 5)];
  late.acquire(0);
  // Tickets tell threads apart, and acquisitions within one.
  locks.acquire(0);
  locks.release(0);
  assert.not.ok(locks.acquire(0));
  const held = words[0];
  late.release(0);
  assert.is(words[0], held);
});

test('a lock that changes hands is not taken over, however long a waiter loses', async () => {
  const memory = new SharedArrayBuffer(8);
  const words = new Int32Array(memory);
  const locks = new SharedLocks(words, 300);
  const worker = new Worker(new URL('./lock-holder.js', import.meta.url), {
    workerData: { memory, holdMs: 10, forMs: 900 },
  });
  Atomics.wait(words, 1, 0, 10_000);
  assert.not.ok(locks.acquire(0));
  await once(worker, 'exit');
});

test.run();
