import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateState, offlineState, openState } from '../../src/state/memory.js';
import { ReplayTable } from '../../src/state/replay-table.js';
import type { ReplayStore, Use } from '../../src/state/types.js';
import { seededBelow } from '../support/random.js';
import { virtualClock } from '../support/virtual-clock.js';
import type { StoreTask } from './store-thread.js';

/** Slots of one group, in which every value of a table of this size is. */
const GROUP = 256;

let now = 1000;
const tableOf = (slots = GROUP): ReplayTable => new ReplayTable(ReplayTable.allocate({ slots }), () => now);
/** Notes values until one is refused; returns how many were noted. */
function fill(store: ReplayStore, by: (at: number) => string, ttlMs = 1000): number {
  for (let at = 0; ; at++) if (store.note(`fill ${by(at)} ${at}`, ttlMs, by(at)) !== 'first') return at;
}

test('a value is used until its time is over or it is forgotten, for its identity only', () => {
  const table = tableOf();
  const [a, b] = [table.store('a'), table.store('b')];
  assert.is(a.note('v', 1000), 'first');
  assert.is(a.note('v', 5000, 'another caller'), 'used');
  assert.is(b.note('v', 1000), 'first');
  assert.is(table.store('a').note('v', 1000), 'used');
  now += 999;
  assert.is(a.note('v', 1000), 'used');
  now += 1;
  assert.is(a.note('v', 1000), 'first');
  a.forget('v');
  a.forget('never noted');
  assert.is(a.note('v', 0), 'first');
  assert.is(a.note('v', 0), 'used', 'for a moment, whatever the time');
  for (const [identity, value] of [
    ['a ', 'v'],
    ['a', ' v'],
    ['a"', 'v'],
  ] as const)
    assert.is(table.store(identity).note(value, 1000), 'first');
});

test('a full table refuses and forgets no value before its time; then there is room again', () => {
  const store = tableOf().store('a');
  const noted = fill(store, (at) => `caller ${at}`);
  assert.is(noted, GROUP);
  assert.is(store.note('one more', 1000, 'new'), 'full');
  for (let at = 0; at < noted; at++) assert.is(store.note(`fill caller ${at} ${at}`, 1000, `caller ${at}`), 'used');
  now += 1000;
  assert.is(store.note('one more', 1000, 'new'), 'first');
});

test('one caller gets two thirds of the room, and others go on', () => {
  const store = tableOf().store('a');
  const noisy = fill(store, () => 'noisy', 500);
  assert.is(noisy, Math.ceil((GROUP * 2) / 3));
  assert.is(store.note('of another one', 1000, 'quiet'), 'first');
  assert.is(store.note('of the noisy one', 1000, 'noisy'), 'full');
  now += 500;
  assert.is(store.note('of the noisy one', 1000, 'noisy'), 'first');
  assert.is(store.note('of another one', 1000, 'quiet'), 'used');
});

test('policies have shares of their own', () => {
  const table = tableOf();
  fill(table.store('a'), () => 'same');
  assert.is(table.store('b').note('v', 1000, 'same'), 'first');
});

test('values spread evenly: refusals begin when most of the room is taken', () => {
  const slots = 64 * GROUP;
  assert.ok(fill(tableOf(slots).store('a'), (at) => `caller ${at}`) > slots * 0.65);
  assert.ok(fill(tableOf(slots).store('a'), () => 'one') > slots * 0.4);
});

test('agrees with a Map over many values, times and identities', () => {
  const table = tableOf(16 * GROUP);
  const below = seededBelow(11);
  const stores = ['a', 'b'].map((identity) => table.store(identity));
  const until = new Map<string, number>();
  const seen = { first: 0, used: 0 };
  for (let at = 0; at < 50_000; at++) {
    now += below(3);
    const which = below(2);
    const value = `value ${below(2000)}`;
    if (below(20) === 0) {
      stores[which]!.forget(value);
      until.delete(`${which} ${value}`);
      continue;
    }
    const ttlMs = 1 + below(2000);
    const expected = (until.get(`${which} ${value}`) ?? 0) > now ? 'used' : 'first';
    assert.is(stores[which]!.note(value, ttlMs, `caller ${below(50)}`), expected, `step ${at}`);
    if (expected === 'first') until.set(`${which} ${value}`, now + ttlMs);
    seen[expected]++;
  }
  assert.ok(seen.first > 1000 && seen.used > 1000);
});

test('a flood of the cache between use and replay changes nothing', () => {
  const parts = { clock: virtualClock(() => now), after: () => () => {} };
  const { cache, replays } = offlineState(parts);
  assert.is(replays.store('a').note('v', 1000), 'first');
  for (let at = 0; at < 20_000; at++) cache.store('a').set(`token ${at}`, 'x'.repeat(500), 60_000);
  assert.is(cache.store('a').get('token 0'), undefined);
  assert.is(replays.store('a').note('v', 1000), 'used');
});

test('a thread that ended with the lock, in the midst of a slot, loses no value and blocks no other', () => {
  const memory = ReplayTable.allocate({ slots: GROUP });
  const words = new Int32Array(memory);
  const store = new ReplayTable(memory, () => now).store('a');
  assert.is(store.note('v', 1000), 'first');
  const [lock, end] = [16, 17];
  words[lock] = 2;
  words[end] = 2;
  words.fill(-1, end + 1 + 6 + 2, end + 1 + 6 + 4);
  assert.is(store.note('v', 1000), 'used');
  assert.is(words[lock], 0);
  assert.is(store.note('w', 1000), 'first');
  assert.is(store.note('w', 1000), 'used');
});

test('a thread whose lock was taken over while it stood still does not accept a value', () => {
  const memory = ReplayTable.allocate({ slots: GROUP });
  const words = new Int32Array(memory);
  let stands = true;
  const store = new ReplayTable(memory, () => {
    // The ticket of another thread.
    if (stands) words[16] = 1 << 30;
    return now;
  }).store('a');
  assert.throws(() => store.note('v', 1000), /suspended/);
  stands = false;
  words[16] = 0;
  assert.is(store.note('w', 1000), 'first');
});

test('memory of another kind and times that are no numbers are refused', () => {
  assert.throws(() => new ReplayTable(new SharedArrayBuffer(64), () => 0), /replay table/);
  const store = tableOf().store('a');
  for (const ttlMs of ['5', Number.NaN, Number.POSITIVE_INFINITY] as number[])
    assert.throws(() => store.note('v', ttlMs), /must be a number of milliseconds/);
  assert.is(store.note('v', 1000), 'first');
});

test('values cannot be steered into one group: each table has a secret of its own', () => {
  const secrets = Array.from({ length: 3 }, () =>
    Buffer.from(ReplayTable.allocate({ slots: GROUP })).toString('hex', 16, 32),
  );
  assert.is(new Set(secrets).size, 3);
  for (const secret of secrets) assert.not.match(secret, /(00){8}/);
});

test('threads: of several that note the same values, exactly one is the first for each', async () => {
  const memory = allocateState({ workers: 3, small: true });
  const count = 500;
  const meeting = { threads: 3, arrived: new SharedArrayBuffer(4 * count) };
  const threads = Array.from({ length: 3 }, (_, worker) => {
    const workerData = { memory, worker, does: 'note', count, meeting } satisfies StoreTask;
    return new Worker(new URL('./store-thread.js', import.meta.url), { workerData });
  });
  const results = await Promise.all(threads.map((thread) => once(thread, 'message')));
  const uses = results.map(([each]) => each as Use[]);
  for (let at = 0; at < count; at++)
    assert.equal(uses.map((each) => each[at]).sort(), ['first', 'used', 'used'], `value ${at}`);
  const { replays } = openState(memory, 0, { clock: virtualClock(() => 0), after: () => () => {} });
  assert.is(replays.store('shared').note('value 0', 1000), 'used');
});

test.run();
