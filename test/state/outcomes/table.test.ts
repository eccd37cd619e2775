import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateState, openState } from '../../../src/state/memory.js';
import { OutcomeTable } from '../../../src/state/outcomes/table.js';
import type { Outcome, OutcomeAnswer, OutcomeClaim, OutcomeStore } from '../../../src/state/outcomes/types.js';
import { seededBelow } from '../../support/random.js';
import { virtualClock } from '../../support/virtual-clock.js';
import type { StoreTask } from '../store-thread.js';

/** Slots of one group, in which every key of a table of this size is. */
const GROUP = 256;
const WORK = 'ab'.repeat(16);
const OTHER = 'cd'.repeat(16);

let now = 1000;
const memoryOf = (slots = GROUP): SharedArrayBuffer => OutcomeTable.allocate({ slots });
const open = (memory: SharedArrayBuffer, worker = 0): OutcomeTable => new OutcomeTable(memory, worker, () => now);
const storeOf = (slots = GROUP): OutcomeStore => open(memoryOf(slots)).store('a');

const of = (key: string, extra: Partial<OutcomeClaim> = {}): OutcomeClaim => ({
  key,
  fingerprint: WORK,
  by: 'caller',
  ttlMs: 1000,
  leaseMs: 100,
  retries: false,
  ...extra,
});

/** The answer of the store in memory, which is no promise. */
function claim(store: OutcomeStore, given: OutcomeClaim): OutcomeAnswer {
  const answer = store.claim(given);
  assert.not.ok(answer instanceof Promise);
  return answer as OutcomeAnswer;
}

function mine(store: OutcomeStore, given: OutcomeClaim): number {
  const answer = claim(store, given);
  if (answer.state !== 'mine') throw new Error(`not mine but ${answer.state}`);
  return answer.claim;
}

const done = (status = 201, kept = true): Outcome => ({ state: 'done', kept, status });

test('one claim of a key at a time; what was done is remembered for its time', () => {
  const store = storeOf();
  const number = mine(store, of('k'));
  assert.equal(claim(store, of('k')), { state: 'running' });
  store.settle(of('k'), number, done(404));
  assert.equal(claim(store, of('k')), { state: 'done', claim: number, kept: true, status: 404 });
  now += 999;
  assert.is(claim(store, of('k')).state, 'done');
  now += 1;
  const second = mine(store, of('k'));
  assert.is.not(second, number);
  store.settle(of('k'), second, done(999, false));
  assert.equal(claim(store, of('k')), { state: 'done', claim: second, kept: false, status: 999 });
});

test('more work at once than a thread remembers digests for is settled too', () => {
  const store = storeOf(2 ** 14);
  const claims = Array.from({ length: 2500 }, (_, at) => mine(store, of(`k${at}`)));
  for (const [at, number] of claims.entries()) store.settle(of(`k${at}`), number, done(at % 1000));
  for (const [at, number] of claims.entries())
    assert.equal(claim(store, of(`k${at}`)), { state: 'done', claim: number, kept: true, status: at % 1000 });
});

test('a key stands for its work alone, in whatever state', () => {
  const store = storeOf();
  const other = of('k', { fingerprint: OTHER, retries: true });
  const number = mine(store, of('k'));
  assert.equal(claim(store, other), { state: 'other' });
  store.settle(of('k'), number, { state: 'unknown' });
  now += 500;
  assert.equal(claim(store, other), { state: 'other' });
  store.settle(of('k'), number, done());
  assert.equal(claim(store, other), { state: 'other' });
  assert.is(mine(open(memoryOf()).store('b'), other) > 0, true);
});

test('an unknown outcome: the lease, then again only if the caller may', () => {
  const store = storeOf();
  const first = mine(store, of('k'));
  store.settle(of('k'), first, { state: 'unknown' });
  const retrying = of('k', { retries: true });
  assert.equal(claim(store, retrying), { state: 'unknown', leftMs: 100 });
  now += 60;
  assert.equal(claim(store, retrying), { state: 'unknown', leftMs: 40 });
  now += 40;
  assert.equal(claim(store, of('k')), { state: 'unknown', leftMs: 0 });
  const second = mine(store, retrying);
  assert.equal(claim(store, retrying), { state: 'running' });
  store.settle(of('k'), first, done());
  assert.equal(claim(store, retrying), { state: 'running' }, 'the first claim has ended');
  store.settle(of('k'), second, { state: 'free' });
  assert.is(claim(store, of('k')).state, 'mine');
});

test('an unknown outcome is remembered through its lease, and a late one counts', () => {
  const store = storeOf();
  const short = of('k', { ttlMs: 10, leaseMs: 500, retries: true });
  const number = mine(store, short);
  now += 5000;
  assert.equal(claim(store, short), { state: 'running' }, 'running work is never forgotten');
  store.settle(short, number, { state: 'unknown' });
  now += 499;
  assert.equal(claim(store, short), { state: 'unknown', leftMs: 1 });
  store.settle(short, number, done());
  assert.is(claim(store, short).state, 'done');
  store.settle(short, number, { state: 'unknown' });
  store.settle(short, number, { state: 'free' });
  assert.is(claim(store, short).state, 'done', 'what was done stays');
});

test('the outcome of what an ended worker did is unknown; others go on', () => {
  const memory = memoryOf();
  const [a, b] = [open(memory, 1).store('a'), open(memory, 2).store('a')];
  mine(a, of('of 1'));
  const second = mine(b, of('of 2'));
  open(memory).forget(1);
  assert.equal(claim(b, of('of 1')), { state: 'unknown', leftMs: 100 });
  assert.equal(claim(b, of('of 2')), { state: 'running' });
  b.settle(of('of 2'), second, done());
  open(memory).forget(2);
  assert.is(claim(a, of('of 2')).state, 'done');
});

test('a full table refuses and forgets no record before its time; then there is room again', () => {
  const store = storeOf();
  const callers = Array.from({ length: GROUP }, (_, at) => of(`fill ${at}`, { by: `caller ${at}` }));
  const numbers = callers.map((each) => mine(store, each));
  assert.equal(claim(store, of('one more', { by: 'new' })), { state: 'full' });
  callers.forEach((each, at) => void store.settle(each, numbers[at]!, done()));
  assert.equal(claim(store, of('one more', { by: 'new' })), { state: 'full' });
  for (const each of callers) assert.is(claim(store, each).state, 'done');
  now += 1000;
  assert.is(claim(store, of('one more', { by: 'new' })).state, 'mine');
});

test('one caller gets two thirds of the room, and others go on', () => {
  const store = storeOf();
  let noisy = 0;
  while (claim(store, of(`fill ${noisy}`, { by: 'noisy' })).state === 'mine') noisy++;
  assert.is(noisy, Math.ceil((GROUP * 2) / 3));
  assert.is(claim(store, of('quiet', { by: 'quiet' })).state, 'mine');
  assert.is(claim(store, of('fill 0', { by: 'noisy' })).state, 'running', 'a known key needs no room');
});

test('agrees with a model over many keys, times, workers that end, and identities', () => {
  const memory = memoryOf(16 * GROUP);
  const below = seededBelow(7);
  const tables = [0, 1, 2].map((worker) => open(memory, worker));
  type Known = { state: string; number: number; worker: number; work: string; until: number; lease: number };
  const model = new Map<string, Known>();
  const seen = new Map<string, number>();
  const expected = (key: string, work: string, retries: boolean): string => {
    const known = model.get(key);
    if (known === undefined || (known.state !== 'running' && known.until <= now)) return 'mine';
    if (known.work !== work) return 'other';
    if (known.state === 'unknown' && retries && known.lease <= now) return 'mine';
    return known.state;
  };
  const unknown = (known: Known): void => {
    if (known.state !== 'running') return;
    known.state = 'unknown';
    known.lease = now + 100;
    known.until = now + 1000;
  };
  for (let step = 0; step < 40_000; step++) {
    now += below(4);
    const worker = below(3);
    const name = `key ${below(300)}`;
    const identity = `store ${below(2)}`;
    const key = `${identity} ${name}`;
    const store = tables[worker]!.store(identity);
    const known = model.get(key);
    const action = below(10);
    if (action < 6) {
      const [work, retries] = [below(12) === 0 ? OTHER : WORK, below(2) === 0];
      const wanted = expected(key, work, retries);
      const answer = claim(store, of(name, { fingerprint: work, retries, by: `caller ${below(40)}` }));
      assert.is(answer.state, wanted, `step ${step}`);
      seen.set(wanted, (seen.get(wanted) ?? 0) + 1);
      if (answer.state === 'mine')
        model.set(key, { state: 'running', number: answer.claim, worker, work, until: now + 1000, lease: 0 });
    } else if (action === 6 && below(50) === 0) {
      tables[0]!.forget(worker);
      for (const each of model.values()) if (each.worker === worker) unknown(each);
    } else if (known?.state === 'running') {
      const outcome = (['free', 'unknown', 'done'] as const)[below(3)]!;
      store.settle(of(name), known.number, outcome === 'done' ? done() : { state: outcome });
      if (outcome === 'free') model.delete(key);
      else if (outcome === 'unknown') unknown(known);
      else {
        known.state = 'done';
        known.until = now + 1000;
      }
    }
  }
  for (const state of ['mine', 'running', 'unknown', 'done', 'other'])
    assert.ok((seen.get(state) ?? 0) > 200, `${state}: ${seen.get(state)}`);
});

test('a thread that ended within a slot loses no record and blocks no other', () => {
  const memory = memoryOf();
  const words = new Int32Array(memory);
  const store = open(memory).store('a');
  const number = mine(store, of('k'));
  store.settle(of('k'), number, done());
  const [lock, end, slot] = [16, 17, 18 + 16];
  words[lock] = 2;
  words[end] = 2;
  words.fill(-1, slot, slot + 16);
  words[slot + 5] = 0;
  assert.is(claim(store, of('k')).state, 'done');
  assert.is(words[lock], 0);
  assert.is(claim(store, of('l')).state, 'mine');
  assert.is(claim(store, of('l')).state, 'running');
});

test('a thread whose lock was taken over while it stood still does not get a claim, and leaves none behind', () => {
  const memory = memoryOf();
  const words = new Int32Array(memory);
  let stands = true;
  const store = new OutcomeTable(memory, 0, () => {
    // The ticket of another thread.
    if (stands) words[16] = 1 << 30;
    stands = false;
    return now;
  }).store('a');
  assert.throws(() => store.claim(of('k')), /suspended/);
  words[16] = 0;
  assert.is(claim(store, of('k')).state, 'mine');
});

test('memory of another kind, times that are no numbers and short fingerprints are refused', () => {
  assert.throws(() => open(new SharedArrayBuffer(64)), /outcome table/);
  const store = storeOf();
  for (const ms of ['5', Number.NaN, Number.POSITIVE_INFINITY] as number[]) {
    assert.throws(() => store.claim(of('k', { ttlMs: ms })), /must be numbers of milliseconds/);
    assert.throws(() => store.claim(of('k', { leaseMs: ms })), /must be numbers of milliseconds/);
  }
  for (const fingerprint of ['', 'ab', 'xy'.repeat(16)])
    assert.throws(() => store.claim(of('k', { fingerprint })), /hexadecimal/);
  assert.is(claim(store, of('k')).state, 'mine');
});

test('threads: of several that claim the same keys, exactly one does the work of each', async () => {
  const memory = allocateState({ workers: 3, small: true });
  const count = 300;
  const meeting = { threads: 3, arrived: new SharedArrayBuffer(4 * count) };
  const threads = Array.from({ length: 3 }, (_, worker) => {
    const workerData = { memory, worker, does: 'claim', count, meeting } satisfies StoreTask;
    return new Worker(new URL('../store-thread.js', import.meta.url), { workerData });
  });
  const results = await Promise.all(threads.map((thread) => once(thread, 'message')));
  const states = results.map(([each]) => each as string[]);
  for (let at = 0; at < count; at++)
    assert.equal(states.map((each) => each[at]).sort(), ['mine', 'running', 'running'], `key ${at}`);
  const { outcomes } = openState(memory, 0, { clock: virtualClock(() => 0), after: () => () => {} });
  assert.is(claim(outcomes.store('shared'), of('key 0')).state, 'running');
});

test.run();
