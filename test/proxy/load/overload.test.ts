import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MemorySource, Overload, v8Memory } from '../../../src/proxy/load/overload.js';

/** Simulated memory of 1000 bytes, with an Overload that watches it. */
class Bench {
  heap = 0;
  outside = 0;
  observed = true;
  readonly logs: string[] = [];
  readonly watch: Overload;
  collected: () => void = () => {};
  #now = 1000;

  constructor() {
    const source: MemorySource = {
      read: () => ({ heap: this.heap, outside: this.outside, limit: 1000 }),
      onCollection: (then) => {
        this.collected = then;
        return () => {
          this.observed = false;
        };
      },
    };
    this.watch = new Overload((level, message) => this.logs.push(`${level} ${message}`), source);
    this.watch.entry = { shedAbove: 0.85, shrinkAbove: 0.92 };
  }

  look(ms = 100): [shedding: boolean, shrinking: boolean] {
    this.#now += ms;
    this.watch.sweep(this.#now);
    return [this.watch.shedding, this.watch.shrinking];
  }

  /** A full collection leaves this many bytes; two sweeps follow. */
  collect(heap: number, outside = 0): [boolean, boolean] {
    this.heap = heap;
    this.outside = outside;
    this.collected();
    this.look();
    return this.look();
  }
}

test('garbage does not count: no shedding without a full collection', () => {
  const bench = new Bench();
  bench.heap = 990;
  for (let at = 0; at < 100; at++) assert.equal(bench.look(), [false, false]);
  assert.equal(bench.collect(300), [false, false]);
  bench.heap = 990;
  assert.equal(bench.look(), [false, false]);
});

test('memory above the limits after a collection sheds, then shrinks; each ends five points below its limit', () => {
  const bench = new Bench();
  assert.equal(bench.collect(850), [false, false]);
  assert.equal(bench.collect(851), [true, false]);
  assert.equal(bench.collect(921), [true, true]);
  assert.equal(bench.collect(871), [true, true]);
  assert.equal(bench.collect(869), [true, false]);
  assert.equal(bench.collect(801), [true, false]);
  assert.equal(bench.collect(799), [false, false]);
  assert.equal(
    bench.logs.map((line) => line.replace(/:.*/, '')),
    ['warn memory low', 'warn memory low', 'info memory recovered', 'info memory recovered'],
  );
});

test('buffers outside the heap count after dead ones are freed', () => {
  const bench = new Bench();
  bench.heap = 400;
  bench.outside = 500;
  assert.equal(bench.collect(400, 500), [true, false]);
  bench.outside = 100;
  assert.equal(bench.look(), [false, false]);
  bench.outside = 500;
  assert.equal(bench.look(), [false, false], 'new ones may be garbage by now');
});

test('frequent collections do not prevent the check', () => {
  const bench = new Bench();
  bench.heap = 950;
  const seen: boolean[] = [];
  for (let at = 0; at < 6; at++) {
    bench.collected();
    seen.push(bench.look()[0]);
  }
  assert.equal(seen, [false, true, true, true, true, true]);
  bench.heap = 100;
  for (let at = 0; at < 2; at++) {
    bench.collected();
    bench.look();
  }
  assert.not.ok(bench.watch.shedding);
});

test('the result of a collection expires, and connections are accepted again', () => {
  const bench = new Bench();
  assert.equal(bench.collect(900), [true, false]);
  assert.equal(bench.look(9000), [true, false]);
  assert.equal(bench.look(1000), [false, false]);
  assert.equal(bench.collect(900), [true, false]);
});

test('a limit of 0 is disabled', () => {
  const bench = new Bench();
  bench.watch.entry = { shedAbove: 0, shrinkAbove: 0 };
  assert.equal(bench.collect(1000), [false, false]);
  bench.watch.entry = { shedAbove: 0, shrinkAbove: 0.9 };
  assert.equal(bench.collect(1000), [false, true]);
});

test('a closed watch observes nothing', () => {
  const bench = new Bench();
  bench.watch.close();
  assert.not.ok(bench.observed);
});

test('V8 reports full collections and the memory of this thread', async () => {
  const { heap, outside, limit } = v8Memory.read();
  assert.ok(heap > 1e6 && heap < limit);
  assert.ok(outside > 0);
  let collections = 0;
  const stop = v8Memory.onCollection(() => collections++);
  const deadline = Date.now() + 20_000;
  let kept: Buffer[] = [];
  while (collections === 0 && Date.now() < deadline) {
    kept = [...kept.slice(-8), Buffer.alloc(16 * 2 ** 20)];
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(collections > 0);
  assert.ok(kept.length > 0);
  stop();
});

test.run();
