/** Buffered bodies: content is preserved, and memory is counted, shared and freed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BodyBudget, BodyBuffer } from '../../../src/proxy/load/body-buffer.js';
import { seeded } from '../../support/random.js';

const test = suite('body buffer');
const KIB = 1024;
const MIB = 1024 ** 2;

function drained(collector: BodyBuffer, budget: BodyBudget): Buffer {
  const parts: Buffer[] = [];
  for (let block = collector.shift(); block !== undefined; block = collector.shift()) {
    parts.push(Buffer.from(block.bytes));
    budget.give(block);
  }
  return Buffer.concat(parts);
}

test('parts of any size come out complete and in order', () => {
  const random = seeded(3);
  const budget = new BodyBudget(64 * MIB);
  const collector = new BodyBuffer(budget);
  const parts: Buffer[] = [];
  for (let at = 0; at < 500; at++) {
    const part = Buffer.alloc(Math.floor(random() ** 4 * 70_000), at);
    parts.push(part);
    const lent = Buffer.concat([Buffer.from('before'), part, Buffer.from('behind')]);
    collector.add(lent, 6, 6 + part.length);
    lent.fill(0);
  }
  const whole = Buffer.concat(parts);
  assert.is(collector.length, whole.length);
  assert.ok(drained(collector, budget).equals(whole));
  assert.equal([collector.length, budget.used], [0, 0]);
});

test('memory grows with the bytes: at most twice as much, and a kilobyte for one byte', () => {
  const budget = new BodyBudget(64 * MIB);
  const collector = new BodyBuffer(budget);
  const byte = Buffer.alloc(1);
  collector.add(byte, 0, 1);
  assert.is(budget.used, KIB);
  for (let bytes = 1; bytes < 300 * KIB; bytes++) collector.add(byte, 0, 1);
  assert.ok(budget.used <= 600 * KIB + 64 * KIB, String(budget.used));
  collector.clear();
  assert.equal([budget.used, collector.length], [0, 0]);
});

test('bodies that use their whole share leave memory for the next one', () => {
  const budget = new BodyBudget(256 * MIB);
  const held: BodyBuffer[] = [];
  const bytes = Buffer.alloc(16 * KIB);
  for (let at = 0; at < 8000; at++) {
    const collector = new BodyBuffer(budget);
    held.push(collector);
    while (collector.room(MIB) > 0) collector.add(bytes, 0, Math.min(bytes.length, collector.room(MIB)));
  }
  assert.ok(budget.used < budget.limit, `${budget.used} of ${budget.limit}`);
  assert.ok(held.every(({ length }) => length >= 16 * KIB));
  for (const collector of held) collector.clear();
  assert.is(budget.used, 0);
  assert.is(budget.share, MIB);
  assert.is(new BodyBuffer(budget).room(KIB), KIB);
});

test('the default limit is a sixteenth of the heap', () => {
  assert.ok(new BodyBudget().limit > 16 * MIB);
});

test.run();
