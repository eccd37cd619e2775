/** Blocks for body bytes: no block has two owners, and the memory of a peak is freed as a whole. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BLOCK, BlockPool } from '../../../src/proxy/load/blocks.js';
import { seeded } from '../../support/random.js';

const KIB = 1024;
const MIB = 1024 ** 2;

test('a block has the smallest sufficient size', () => {
  const pool = new BlockPool();
  for (const [bytes, size] of [
    [1, 16],
    [16 * KIB, 16],
    [16 * KIB + 1, 32],
    [32 * KIB, 32],
    [32 * KIB + 1, 64],
    [BLOCK, 64],
  ] as const)
    assert.is(pool.take(bytes).length, size * KIB, String(bytes));
});

test('no two owners share memory in a random sequence of take and give', () => {
  const random = seeded(7);
  const pool = new BlockPool();
  const held: { block: Buffer; mark: number }[] = [];
  let sum = 0;
  for (let at = 0; at < 20_000; at++) {
    if (held.length > 0 && random() < (held.length < 1500 ? 0.3 : 0.5)) {
      const [{ block, mark }] = held.splice(Math.floor(random() * held.length), 1) as [(typeof held)[0]];
      assert.equal([block.readUInt32LE(0), block.readUInt32LE(block.length - 4)], [mark, mark]);
      sum -= block.length;
      pool.give(block);
    } else {
      const block = pool.take(1 + Math.floor(random() * BLOCK));
      block.writeUInt32LE(at, 0);
      block.writeUInt32LE(at, block.length - 4);
      sum += block.length;
      held.push({ block, mark: at });
    }
    if (at % 3000 === 0) pool.release();
    assert.is(pool.inUse, sum);
  }
  for (const { block } of held) pool.give(block);
  assert.is(pool.inUse, 0);
});

test('up to 4 MiB of blocks are allocated one by one, further ones come from slabs above 32 MiB', () => {
  const pool = new BlockPool();
  const few = Array.from({ length: 64 }, () => pool.take(BLOCK));
  assert.ok(few.every(({ buffer }) => buffer.byteLength === BLOCK));
  assert.is(pool.spare, 0);
  const many = Array.from({ length: 1000 }, () => pool.take(BLOCK));
  const slabs = new Set(many.map(({ buffer }) => buffer));
  assert.is(slabs.size, 2);
  for (const { byteLength } of slabs) assert.ok(byteLength > 32 * MIB);
  assert.is(pool.spare, 2 * 513 * BLOCK - 1000 * BLOCK);
});

test('blocks of slabs are reused without a further slab', () => {
  const pool = new BlockPool();
  const first = Array.from({ length: 500 }, () => pool.take(BLOCK));
  const slab = first.at(-1)!.buffer;
  for (const block of first) pool.give(block);
  const second = Array.from({ length: 500 }, () => pool.take(BLOCK));
  assert.ok(second.every(({ buffer }) => buffer === slab || buffer.byteLength === BLOCK));
});

test('after release() neither kept blocks nor blocks returned later are reused', () => {
  const pool = new BlockPool();
  const held = Array.from({ length: 500 }, () => pool.take(BLOCK));
  const slab = held.at(-1)!.buffer;
  for (const block of held.splice(64, 100)) pool.give(block);
  pool.release();
  assert.is(pool.spare, 0);
  for (const block of held) pool.give(block);
  assert.is(pool.inUse, 0);
  const again = Array.from({ length: 500 }, () => pool.take(BLOCK));
  assert.not.ok(again.some(({ buffer }) => buffer === slab));
});

test.run();
