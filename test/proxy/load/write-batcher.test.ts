import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BatchedWriter, WriteBatcher } from '../../../src/proxy/load/write-batcher.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Writes its name once for each time that it was added. */
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

test('what a turn brings is written at its end, in order', async () => {
  const batcher = new WriteBatcher();
  const written: string[] = [];
  for (const name of ['a', 'b', 'c']) new Writer(batcher, name, written).add();
  assert.equal(written, []);
  await turn();
  assert.is(written.join(''), 'abc');
});

test('many do not wait for the end of the turn', async () => {
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

test('what writing brings about is written as well, once', async () => {
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

test('where there is one write a turn it is made at once, and gathering is tried again when there are many', async () => {
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

test('turns that bring enough go on being gathered', async () => {
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
