/** Consistent hash: which keys move when targets change. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConsistentHash } from '../../../../src/proxy/upstream/balance/hash.js';
import { RoundRobin } from '../../../../src/proxy/upstream/balance/round-robin.js';
import { isBinomial, TestRequest, TestTarget, targetsOf } from '../../../support/candidates.js';
import { seeded } from '../../../support/random.js';

const KEYS = 20_000;

const hashOf = (targets: readonly TestTarget[], maxLoad?: number): ConsistentHash<TestTarget> =>
  new ConsistentHash(
    targets,
    { keys: [{ from: 'header', name: 'x-user' }], maxLoad },
    new RoundRobin(targets, seeded(1)),
  );

function pick(hash: ConsistentHash<TestTarget>, value: string | undefined, failedAt: TestTarget[] = []): TestTarget {
  const request = new TestRequest();
  request.value = value;
  request.failedAt.push(...failedAt);
  return hash.pick(request, true)!;
}

/** The target of each key. */
const placesOf = (hash: ConsistentHash<TestTarget>, keys = KEYS): TestTarget[] =>
  Array.from({ length: keys }, (_, index) => pick(hash, `user-${index}`));

for (const count of [1, 2, 3, 5, 10, 50, 100])
  test(`a target that joins ${count} gets its share of the keys, and no other key moves`, () => {
    const targets = targetsOf(...Array.from({ length: count }, () => 1));
    const joined = new TestTarget('http://joined');
    const before = placesOf(hashOf(targets));
    const after = placesOf(hashOf([...targets, joined]));
    const moved = after.filter((target, index) => target !== before[index]);
    assert.ok(
      moved.every((target) => target === joined),
      'keys move only to the new target',
    );
    assert.ok(moved.length <= (KEYS / count) * 1.2, `${moved.length} of ${KEYS}`);
    assert.ok(isBinomial(moved.length, KEYS, 1 / (count + 1)), `${moved.length} of ${KEYS}`);
  });

test('with weights too: a target with twice the weight takes twice the keys', () => {
  const targets = targetsOf(1, 3, 2, 2);
  const joined = new TestTarget('http://joined', { weight: 2 });
  const before = placesOf(hashOf(targets));
  const after = placesOf(hashOf([...targets, joined]));
  const moved = after.filter((target, index) => target !== before[index]);
  assert.ok(moved.every((target) => target === joined));
  assert.ok(isBinomial(moved.length, KEYS, 0.2), `${moved.length}`);
});

test('the order of the targets does not matter', () => {
  const targets = targetsOf(1, 2, 3, 4);
  assert.equal(placesOf(hashOf(targets), 500), placesOf(hashOf([...targets].reverse()), 500));
});

test('keys of an unavailable target spread over the others, and come back', () => {
  const targets = targetsOf(1, 1, 1, 1);
  const hash = hashOf(targets);
  const before = placesOf(hash);
  targets[1]!.health.available = false;
  const without = placesOf(hash);
  const moved = without.filter((target, index) => target !== before[index]);
  assert.is(moved.length, before.filter((target) => target === targets[1]).length);
  for (const target of [targets[0]!, targets[2]!, targets[3]!])
    assert.ok(isBinomial(moved.filter((one) => one === target).length, moved.length, 1 / 3));
  targets[1]!.health.available = true;
  assert.equal(placesOf(hash), before);
});

test('a request that has failed at its target gets the same second target each time', () => {
  const hash = hashOf(targetsOf(1, 1, 1, 1));
  const first = pick(hash, 'user-1');
  const second = pick(hash, 'user-1', [first]);
  assert.is.not(second, first);
  assert.is(pick(hash, 'user-1', [first]), second);
});

test('requests without a key are balanced in turn', () => {
  const targets = targetsOf(1, 1);
  const hash = hashOf(targets);
  const [a, b] = [pick(hash, undefined), pick(hash, '')];
  assert.equal(new Set([a, b]).size, 2);
});

test('max_load: a target with too many requests in progress passes on its keys', () => {
  const targets = targetsOf(1, 1, 1, 1);
  const hash = hashOf(targets, 1.25);
  const own = pick(hash, 'user-1');
  for (let i = 0; i < 400; i++) {
    const chosen = pick(hash, 'user-1');
    chosen.load.inFlight++;
    const total = targets.reduce((sum, { load }) => sum + load.inFlight, 0);
    assert.ok(chosen.load.inFlight <= Math.ceil((1.25 * total) / 4), `${chosen.load.inFlight} of ${total}`);
  }
  assert.ok(own.load.inFlight >= 120, 'its own target is used as far as it may');
});

test('a target that begins slowly takes over its keys one after another', () => {
  const targets = targetsOf(1, 1, 1);
  const joined = new TestTarget('http://joined');
  for (const { load } of [...targets, joined]) load.slowStart = 10_000;
  joined.load.came(1);
  const hash = hashOf([...targets, joined]);
  const at = (since: number): TestTarget[] =>
    Array.from({ length: 2000 }, (_, index) => {
      const request = new TestRequest();
      request.since = since;
      request.value = `user-${index}`;
      return hash.pick(request, true)!;
    });
  let before = 0;
  for (const [since, share] of [
    [2, 0.1],
    [5001, 0.5],
    [10_001, 1],
  ] as const) {
    const count = at(since).filter((target) => target === joined).length;
    assert.ok(isBinomial(count, 2000, share / 4), `${count} at ${since}`);
    assert.ok(count > before);
    before = count;
  }
});

test.run();
