import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BatchedWriter, WriteBatcher } from '../../../src/proxy/load/write-batcher.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Records its name for each write. */
class Writer implements BatchedWriter {
  #waiting = 0;

  constructor(
    readonly batcher: WriteBatcher,
    readonly name: string,
    readonly written: string[],
  ) {}

  add(): void {
    this.#waiting++;
    this.batcher.add(this);
  }

  writeNow(): void {
    for (; this.#waiting > 0; this.#waiting--) this.written.push(this.name);
  }
}

test('writes of a turn are made at its end, in order', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  for (const name of ['a', 'b', 'c']) new Writer(batcher, name, written).add();
  assert.equal(written, []);
  await turn();
  assert.is(written.join(''), 'abc');
});

test('a full batch is written before the end of the turn', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  for (let i = 0; i < 40; i++) new Writer(batcher, String(i), written).add();
  assert.is(written.length, 32, 'two rows of them');
  await turn();
  assert.equal(
    written,
    Array.from({ length: 40 }, (_, i) => String(i)),
  );
});

test('writes caused by writing are made once', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  const second = new Writer(batcher, 'second', written);
  const first: BatchedWriter = {
    writeNow(): void {
      written.push('first');
      for (let i = 0; i < 20; i++) second.add();
    },
  };
  batcher.add(first);
  await turn();
  assert.is(written.filter((name) => name === 'second').length, 20);
  await turn();
  assert.is(written.filter((name) => name === 'second').length, 20);
});

test('with one write per turn batching stops, and it is tried again with many writes', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  const one = new Writer(batcher, '.', written);
  const waits = (): boolean => {
    const before = written.length;
    one.add();
    return written.length === before;
  };
  let turns = 0;
  while (waits()) {
    if (++turns > 100) throw new Error('It goes on gathering.');
    await turn();
  }
  assert.ok(turns > 5, 'not after a single turn');
  batcher.sweep();
  assert.not.ok(waits(), 'few since the last sweep');
  for (let i = 0; i < 300; i++) one.add();
  batcher.sweep();
  assert.ok(waits());
  await turn();
});

test('batching continues while turns have enough writes', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  const one = new Writer(batcher, '.', written);
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 5; j++) one.add();
    assert.is(written.length, i * 5);
    batcher.sweep();
    await turn();
  }
});

test.run();
