import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CacheTable } from '../../src/state/cache-table.js';
import { systemClock } from '../../src/state/clock.js';
import { HoldTable } from '../../src/state/hold-table.js';
import { LeaseTable } from '../../src/state/lease-table.js';
import { allocateState, forgetWorker, offlineState, openState, type StateMemory } from '../../src/state/memory.js';
import type { SingleFlight } from '../../src/state/single-flight.js';
import { VirtualTime } from '../../src/state/timers.js';
import type { CacheStore, Hold } from '../../src/state/types.js';
import { seededBelow } from '../support/random.js';
import { virtualClock } from '../support/virtual-clock.js';
import type { StoreTask } from './store-thread.js';

let now = 1000;
const cacheOf = (bytes = 1 << 20): CacheTable => new CacheTable(CacheTable.allocate({ bytes }), () => now);

test('cache: a value is there until its time is over, replaced or deleted, for its identity only', () => {
  const cache = cacheOf();
  const [a, b] = [cache.store('a'), cache.store('b')];
  a.set('k', 'one', 1000);
  assert.is(a.get('k'), 'one');
  assert.is(b.get('k'), undefined);
  a.set('k', 'two', 500);
  assert.is(cache.store('a').get('k'), 'two');
  now += 500;
  assert.is(a.get('k'), undefined);
  a.set('k', 'three', 1000);
  a.delete('k');
  assert.is(a.get('k'), undefined);
  a.set('k', 'four', 0);
  assert.is(a.get('k'), undefined, 'a time to live of zero stores nothing');
  a.set('k', '', 1000);
  assert.is(a.get('k'), '');
});

test('cache: texts come back as they were, also beyond Latin-1 and with lone surrogates', () => {
  const store = cacheOf().store('a');
  for (const text of ['', 'plain', 'é\xff\0', 'Ω 漢字 🙂', '\ud800', 'x'.repeat(1500)]) {
    store.set(`key of ${text}`, text, 1000);
    assert.is(store.get(`key of ${text}`), text);
  }
});

test('cache: a value above the size limit is not stored, and the old one is gone', () => {
  const cache = cacheOf();
  const store = cache.store('a');
  store.set('k', 'old', 1000);
  store.set('k', 'x'.repeat(cache.health().maxEntry), 1000);
  assert.is(store.get('k'), undefined);
});

test('cache: agrees with a Map but for evictions; what is read stays while others are evicted', () => {
  const cache = cacheOf(64 * 1024);
  const stores = ['a', 'b'].map((identity) => cache.store(identity));
  const model = new Map<string, string>();
  const below = seededBelow(7);
  stores[0]!.set('used', 'always', 1e9);
  let found = 0;
  for (let at = 0; at < 20_000; at++) {
    const which = below(2);
    const key = `key ${below(300)}`;
    const value = stores[which]!.get(key);
    if (value !== undefined) {
      found++;
      assert.is(value, model.get(`${which} ${key}`));
    }
    if (below(10) === 0) {
      stores[which]!.delete(key);
      model.delete(`${which} ${key}`);
    } else {
      const text = String(at).repeat(1 + below(20));
      stores[which]!.set(key, text, 1e9);
      model.set(`${which} ${key}`, text);
    }
    assert.is(stores[0]!.get('used'), 'always');
  }
  assert.ok(found > 1000);
});

/** Words of a shard of a cache of 64 KiB: lock, head, 256 slots. */
const SHARD_WORDS = 2 + 256 * 3;

test('cache: a shard begins anew when its positions are used up', () => {
  const memory = CacheTable.allocate({ bytes: 64 * 1024 });
  const store = new CacheTable(memory, () => now).store('a');
  store.set('k', 'before', 1e9);
  const words = new Int32Array(memory);
  // The heads of all shards: the second word of each, after the 16 of the header.
  for (let shard = 0; shard < 32; shard++) words[16 + shard * SHARD_WORDS + 1] = 0x7fff_ffff - 10;
  store.set('k', 'after', 1e9);
  assert.is(store.get('k'), 'after');
  store.set('l', 'further', 1e9);
  assert.is(store.get('l'), 'further');
});

test('cache: a thread that ended while it wrote blocks no other, and its shard is empty', () => {
  const memory = CacheTable.allocate({ bytes: 64 * 1024 });
  const cache = new CacheTable(memory, () => now);
  const store: CacheStore = cache.store('a');
  store.set('k', 'value', 1e9);
  const words = new Int32Array(memory);
  for (let shard = 0; shard < 32; shard++) words[16 + shard * SHARD_WORDS] = 2;
  assert.is(store.get('k'), undefined);
  assert.is(cache.health().takeOvers, 1);
  store.set('k', 'again', 1e9);
  assert.is(store.get('k'), 'again');
});

test('cache: the memory of its index follows the memory for entries', () => {
  const sizeOf = (bytes: number): number => CacheTable.allocate({ bytes }).byteLength;
  for (const bytes of [64 * 1024, 1024 ** 2, 16 * 1024 ** 2])
    assert.ok(sizeOf(bytes) < bytes * 1.1 + 102_400, `${bytes}`);
  // An entry of the least size in all slots of its group: none is lost before the ring is full.
  const store = new CacheTable(CacheTable.allocate({ bytes: 256 * 1024 }), () => now).store('a');
  for (let at = 0; at < 500; at++) store.set(`key ${at}`, String(at), 1e9);
  let kept = 0;
  for (let at = 0; at < 500; at++) if (store.get(`key ${at}`) === String(at)) kept++;
  assert.is(kept, 500);
});

test('cache: memory of another kind is refused', () => {
  assert.throws(() => new CacheTable(LeaseTable.allocate(), () => 0), /cache table/);
  assert.throws(() => new HoldTable(LeaseTable.allocate(), 0), /hold table/);
  assert.throws(() => new LeaseTable(CacheTable.allocate({ bytes: 64 }), 0), /lease table/);
});

const holdTables = (workers: number, slots = 64): HoldTable[] => {
  const memory = HoldTable.allocate({ workers, slots });
  return Array.from({ length: workers }, (_, worker) => new HoldTable(memory, worker));
};
const sync = (hold: Hold | undefined | Promise<Hold | undefined>): Hold | undefined => {
  assert.not.ok(hold instanceof Promise, 'the store in memory answers at once');
  return hold as Hold | undefined;
};

test('holds: the bound is exact over workers, for each key and identity apart', () => {
  const [one, two] = holdTables(2) as [HoldTable, HoldTable];
  const first = sync(one.store('a').acquire('k', 2));
  assert.is(first?.taken, 1);
  assert.is(sync(two.store('a').acquire('k', 2))?.taken, 2);
  assert.is(sync(one.store('a').acquire('k', 2)), undefined);
  assert.is(sync(one.store('a').acquire('l', 1))?.taken, 1);
  assert.is(sync(one.store('b').acquire('k', 1))?.taken, 1);
  first?.release();
  first?.release();
  assert.is(sync(two.store('a').acquire('k', 2))?.taken, 2, 'released once');
  assert.is(sync(two.store('a').acquire('k', 2)), undefined);
  assert.is(sync(two.store('a').acquire('k', 3))?.taken, 3, 'a raised bound counts on');
  assert.is(sync(two.store('a').acquire('none', 0)), undefined);
});

test('holds: a snapshot has the fullest keys and the totals of all, and refusals count over workers', () => {
  const [one, two] = holdTables(2) as [HoldTable, HoldTable];
  for (let at = 0; at < 5; at++) for (let taken = 0; taken <= at; taken++) one.store('a').acquire(`key ${at}`, 9);
  assert.equal(two.snapshots(['a'], 2).get('a'), {
    taken: 15,
    inUse: 5,
    keys: [
      { key: 'key 4', taken: 5, capacity: 9 },
      { key: 'key 3', taken: 4, capacity: 9 },
    ],
  });
  assert.equal([one.refused('a'), one.refused('b')], [0, 0]);
  for (const table of [one, two]) assert.is(sync(table.store('a').acquire('key 4', 5)), undefined);
  two.store('b').acquire('k', 0);
  assert.equal([one.refused('a'), two.refused('a'), one.refused('b'), one.refused('c')], [2, 2, 1, 0]);
});

test('holds: refusals are counted for a bounded number of identities', () => {
  const [one] = holdTables(1) as [HoldTable];
  for (let at = 0; at < 1200; at++) one.store(`identity ${at}`).acquire('k', 0);
  const counted = Array.from({ length: 1200 }, (_, at) => one.refused(`identity ${at}`));
  assert.is(counted.filter((refused) => refused === 1).length, 1024);
  assert.ok(counted.every((refused) => refused <= 1));
});

test('holds: those of a worker that has ended are released, and only those', () => {
  const [one, two] = holdTables(2) as [HoldTable, HoldTable];
  const stale = sync(one.store('a').acquire('k', 3));
  one.store('a').acquire('k', 3);
  const kept = sync(two.store('a').acquire('k', 3));
  assert.is(sync(two.store('a').acquire('k', 3)), undefined);
  two.forget(0);
  assert.is(sync(two.store('a').acquire('k', 3))?.taken, 2);
  stale?.release();
  assert.equal(two.snapshots(['a'], 9).get('a')?.keys, [{ key: 'k', taken: 2, capacity: 3 }]);
  kept?.release();
  assert.equal(two.snapshots(['a', 'b'], 9).get('a')?.keys, [{ key: 'k', taken: 1, capacity: 3 }]);
});

test('holds: a thread that ended between its two counts leaves them right', () => {
  const memory = HoldTable.allocate({ workers: 2, slots: 16 });
  const [one, two] = [new HoldTable(memory, 0), new HoldTable(memory, 1)];
  one.store('a').acquire('k', 5);
  const words = new Int32Array(memory);
  const slot = [...Array(16).keys()].find((at) => words[16 + at * 6 + 4] === 1)!;
  words[16 + slot * 6 + 4] = 2;
  words[16 + 16 * 6] = 2;
  assert.is(sync(two.store('a').acquire('k', 5))?.taken, 2);
});

test('holds: with more keys in progress than slots, further ones are not counted', () => {
  const [one] = holdTables(1, 16) as [HoldTable];
  const held = Array.from({ length: 20 }, (_, at) => sync(one.store('a').acquire(`key ${at}`, 1)));
  assert.ok(held.every((hold) => hold !== undefined));
  assert.is(one.overflows, 4);
  for (const hold of held) hold?.release();
  assert.equal(one.snapshots(['a'], 99).get('a')?.keys, []);
  assert.ok(sync(one.store('a').acquire('later', 1)));
});

test('leases: one caller has it, until it is released, its time is over, or its worker has ended', () => {
  const memory = LeaseTable.allocate();
  const [one, two] = [new LeaseTable(memory, 0), new LeaseTable(memory, 1)];
  const first = one.acquire('k', 0, 100);
  assert.ok(first.mine);
  assert.equal(two.acquire('k', 50, 100), { number: first.number, mine: false });
  assert.ok(two.holds('k', first.number, 99));
  assert.not.ok(two.holds('k', first.number, 100));
  const second = two.acquire('k', 100, 100);
  assert.ok(second.mine);
  one.release('k', first.number, 100);
  assert.not.ok(one.acquire('k', 100, 100).mine, 'the first lease has ended before');
  one.forget(1);
  assert.ok(one.acquire('k', 100, 100).mine);
});

test('an offline run has no memory for contents until there are some', () => {
  const before = process.memoryUsage().arrayBuffers;
  const state = offlineState({ clock: virtualClock(() => 0), after: () => () => {} });
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(taken < 2 * 1024 * 1024, `${taken} bytes`);
  for (const space of [state.content, state.kept])
    assert.is(space.store('a', { maxEntry: 1000, disk: false }).get('k'), undefined);
});

/** Two workers in this thread, on one virtual time. */
function pair(): { time: VirtualTime; workers: [SingleFlight, SingleFlight] } {
  const time = new VirtualTime(virtualClock(() => 0));
  const memory = allocateState({ workers: 2, small: true });
  const parts = { clock: time, after: time.after };
  const open = (worker: number): SingleFlight => openState(memory, worker, parts).flights;
  return { time, workers: [open(0), open(1)] };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('once: callers of all workers get the result of one', async () => {
  const { time, workers } = pair();
  let worked = 0;
  const work = (): Promise<{ n: number }> =>
    new Promise((resolve) => void time.after(100, () => resolve({ n: ++worked })));
  const all = [0, 1, 0, 1, 1].map((worker) => workers[worker]!.run('k', 1000, work));
  const results = Promise.all(all);
  for (let steps = 0; steps < 40; steps++) {
    await turn();
    time.step();
  }
  assert.equal(await results, [{ n: 1 }, { n: 1 }, { n: 1 }, { n: 1 }, { n: 1 }]);
  const [again] = await Promise.all([workers[1]!.run('k', 1000, async () => 'later'), turn()]);
  assert.is(again, 'later', 'a later call works again');
});

test('once: an error rejects its caller, and the next waiter works', async () => {
  const { time, workers } = pair();
  let calls = 0;
  const work = async (): Promise<string> => {
    await new Promise<void>((resolve) => void time.after(10, resolve));
    if (++calls === 1) throw new Error('no');
    return `call ${calls}`;
  };
  const all = Promise.allSettled([0, 0, 1].map((worker) => workers[worker]!.run('k', 1000, work)));
  for (let steps = 0; steps < 60; steps++) {
    await turn();
    time.step();
  }
  const [first, second, third] = await all;
  assert.is(first?.status === 'rejected' && first.reason.message, 'no');
  assert.equal([second, third], Array(2).fill({ status: 'fulfilled', value: 'call 2' }));
});

test('once: work that never ends blocks others for one lease, and a waiter no longer than two', async () => {
  const { time, workers } = pair();
  const never = (): Promise<string> => new Promise(() => {});
  void workers[0].run('k', 1000, never);
  const local = workers[0].run('k', 1000, async () => 'local');
  const other = workers[1].run('k', 1000, async () => 'other');
  for (let steps = 0; steps < 100; steps++) {
    await turn();
    time.step();
  }
  assert.ok(['local', 'other'].includes(await local));
  assert.ok(['local', 'other'].includes(await other));
  assert.ok(time.monotonic() < 2100);
});

test('once: a result that is too large for the cache is worked out by each worker', async () => {
  const { time, workers } = pair();
  let calls = 0;
  const large = async (): Promise<string> => {
    calls++;
    await new Promise<void>((resolve) => void time.after(10, resolve));
    return 'x'.repeat(100_000);
  };
  const all = Promise.all(workers.map((worker) => worker.run('k', 1000, large)));
  for (let steps = 0; steps < 40; steps++) {
    await turn();
    time.step();
  }
  assert.equal(
    (await all).map(({ length }) => length),
    [100_000, 100_000],
  );
  assert.is(calls, 2);
});

const threadsOf = (memory: StateMemory, does: StoreTask['does'], count: number, workers: number): Worker[] =>
  Array.from(
    { length: workers },
    (_, worker) =>
      new Worker(new URL('./store-thread.js', import.meta.url), {
        workerData: { memory, does, count, worker } satisfies StoreTask,
      }),
  );
const resultsOf = (threads: readonly Worker[]): Promise<unknown[]> =>
  Promise.all(threads.map(async (thread) => (await once(thread, 'message'))[0] as unknown));

test('threads: no value of the cache is torn, and no bound of the holds is exceeded', async () => {
  const memory = allocateState({ workers: 2, small: true });
  assert.equal(await resultsOf(threadsOf(memory, 'write', 20_000, 2)), [[], []]);
  const held = (await resultsOf(threadsOf(memory, 'hold', 20_000, 2))) as { got: number; most: number }[];
  for (const { got, most } of held) assert.ok(got > 0 && most <= 2);
  assert.equal(new HoldTable(memory.holds, 0).snapshots(['shared'], 9).get('shared'), { taken: 0, inUse: 0, keys: [] });
});

test('threads: one works for both; a thread that ends with the lease blocks no other', async () => {
  const memory = allocateState({ workers: 3, small: true });
  const results = (await resultsOf(threadsOf(memory, 'lead', 300, 2))) as { worked: number; value: string }[];
  // A thread that starts late works too: then it has not waited.
  assert.ok(results.every(({ worked, value }) => worked === 1 || value !== undefined));
  const [thread] = threadsOf(memory, 'lead', 60_000, 1) as [Worker];
  const table = new LeaseTable(memory.leases, 2);
  for (;;) {
    const lease = table.acquire('key', systemClock.monotonic(), 1);
    if (!lease.mine) break;
    table.release('key', lease.number, systemClock.monotonic());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await thread.terminate();
  assert.not.ok(table.acquire('key', systemClock.monotonic(), 1).mine);
  forgetWorker(memory, 0);
  assert.ok(table.acquire('key', systemClock.monotonic(), 1).mine);
});

test('a time to live that is no number is refused: as a text it would never end', () => {
  const store = cacheOf().store('a');
  assert.throws(() => store.set('k', 'v', '5' as unknown as number), /must be a number of milliseconds/);
  assert.is(store.get('k'), undefined);
});

test.run();
