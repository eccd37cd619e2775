import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocks } from '../../../src/proxy/load/blocks.js';
import { MemoryReturn, v8Collector } from '../../../src/proxy/load/memory-return.js';

const MIB = 1024 ** 2;

/** A thread with a given load and given durations of collections. */
class Bench {
  busy = 0;
  took = 5;
  /** Times of the collections in seconds. */
  readonly at: number[] = [];
  readonly #returns = new MemoryReturn(() => {}, {
    busy: () => this.busy,
    collect: () => {
      this.at.push(this.#now / 1000);
      return this.took;
    },
  });
  #now = 0;

  /** Sweeps ten times a second for a number of seconds. */
  run(seconds: number, connections: number, bytes = 0): void {
    const until = this.#now + seconds * 1000;
    while (this.#now < until) {
      this.#now += 100;
      this.#returns.sweep(this.#now, connections, bytes);
    }
  }
}

test('after a peak of slow clients, garbage is collected after two seconds and twice more', () => {
  const bench = new Bench();
  bench.run(10, 3000);
  bench.run(60, 3);
  assert.equal(bench.at, [12.1, 20.1, 28.1]);
});

test('a fall in buffer memory counts like a fall in connections', () => {
  const bench = new Bench();
  bench.run(10, 200, 100 * MIB);
  bench.run(60, 150, 60 * MIB);
  assert.equal(bench.at, []);
  bench.run(60, 150, 40 * MIB);
  assert.is(bench.at.length, 3);
});

test('steady, rising and slightly varying load causes no collection', () => {
  const bench = new Bench();
  bench.run(60, 5000, 50 * MIB);
  for (let at = 0; at < 60; at++) bench.run(1, at % 2 === 0 ? 5000 : 2600, at % 2 === 0 ? 50 * MIB : 26 * MIB);
  bench.run(60, 20_000, 200 * MIB);
  assert.equal(bench.at, []);
});

test('small changes in connections cause no collection', () => {
  const bench = new Bench();
  for (let at = 0; at < 60; at++) bench.run(1, at % 2 === 0 ? 250 : 0, at % 2 === 0 ? 7 * MIB : 0);
  assert.equal(bench.at, []);
});

test('after a gradual fall, the last collection follows the last step', () => {
  const bench = new Bench();
  for (let left = 4000; left > 0; left -= 100) bench.run(1, left);
  const last = bench.at.length;
  bench.run(60, 0);
  assert.ok(last > 0 && bench.at.length > last, bench.at.join(' '));
});

test('load in waves causes at most one collection per eight seconds', () => {
  const bench = new Bench();
  for (let at = 0; at < 200; at++) bench.run(1, at % 4 < 2 ? 5000 : 10);
  for (let at = 1; at < bench.at.length; at++) assert.ok(bench.at[at]! - bench.at[at - 1]! > 7.9, bench.at.join(' '));
});

test('a busy thread collects only when it becomes idle', () => {
  const bench = new Bench();
  bench.run(10, 3000);
  bench.busy = 0.6;
  bench.run(60, 3);
  assert.equal(bench.at, []);
  bench.busy = 0.4;
  bench.run(2, 3);
  assert.is(bench.at.length, 1);
});

test('long collections are further apart, but all within a minute', () => {
  const bench = new Bench();
  bench.took = 30;
  bench.run(10, 3000);
  bench.run(50, 3);
  assert.equal(bench.at, [12.1, 27.1, 42.1]);
  const slow = new Bench();
  slow.took = 400;
  slow.run(10, 3000);
  slow.run(60, 3);
  assert.equal(slow.at, [12.1, 37.1, 62.1]);
});

test('a collection releases kept blocks', () => {
  const taken = Array.from({ length: 1000 }, () => blocks.take(64 * 1024));
  for (const block of taken) blocks.give(block);
  assert.ok(blocks.spare > 0);
  const bench = new Bench();
  bench.run(1, 3000);
  bench.run(10, 0);
  assert.is(blocks.spare, 0);
});

test('V8 collects on request and reports the load of this thread', async () => {
  const { busy, collect } = v8Collector();
  const dropped = Array.from({ length: 100 }, (_, at) => new WeakRef({ at }));
  // The target of a new WeakRef lives until the end of the turn.
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(collect() > 0);
  const freed = dropped.filter((one) => one.deref() === undefined).length;
  assert.ok(freed > 90, `${freed} of 100 were freed`);
  const share = busy();
  assert.ok(share >= 0 && share <= 1, String(share));
});

test.run();
