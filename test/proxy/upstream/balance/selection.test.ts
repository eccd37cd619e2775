/** Priorities, zones, slow start, retries, and what happens if too few targets are available. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BALANCE_KINDS, type BalanceEntry } from '../../../../src/bundle/service/balance.js';
import { RECHECK, Selection, type SelectionSettings } from '../../../../src/proxy/upstream/balance/selection.js';
import { isBinomial, TestRequest, TestTarget, targetsOf } from '../../../support/candidates.js';
import { seeded, seededBelow } from '../../../support/random.js';

const DRAWS = 4000;

const entryOf = (kind: BalanceEntry['kind']): BalanceEntry =>
  kind === 'hash' ? { kind, keys: [{ from: 'header', name: 'x-user' }] } : { kind };

function selectionOf(targets: readonly TestTarget[], settings: Partial<SelectionSettings> = {}): Selection<TestTarget> {
  for (const { load } of targets) load.slowStart = settings.slowStart ?? 0;
  return new Selection(targets, { balance: undefined, zone: '', slowStart: 0, ...settings }, seeded(5));
}

/** The share of requests that targets with this fact get. */
function shareOf(selection: Selection<TestTarget>, test: (target: TestTarget) => boolean, since = 1): number {
  let hits = 0;
  for (let i = 0; i < DRAWS; i++) {
    const request = new TestRequest();
    request.since = since;
    request.value = `user-${i}`;
    if (test(selection.pick(request)!)) hits++;
  }
  return hits / DRAWS;
}

const near = (share: number, expected: number): void =>
  assert.ok(isBinomial(share * DRAWS, DRAWS, expected), `${share} instead of ${expected}`);

const many = (count: number, facts: { zone?: string; priority?: number }, name: string): TestTarget[] =>
  Array.from({ length: count }, (_, index) => new TestTarget(`http://${name}${index}`, facts));

/** Makes so many of them unavailable, the others available. */
const fail = (targets: readonly TestTarget[], count: number): void =>
  targets.forEach((target, index) => {
    target.health.available = index >= count;
  });

for (const kind of BALANCE_KINDS)
  test(`${kind}: a priority passes on what its available targets cannot take`, () => {
    const [first, second] = [many(10, {}, 'a'), many(10, { priority: 1 }, 'b')];
    const selection = selectionOf([...second, ...first], { balance: entryOf(kind) });
    let now = 1;
    for (const [failing, share] of [
      [0, 1],
      [2, 1],
      [5, 0.7],
      [8, 0.28],
      [10, 0],
    ] as const) {
      fail(first, failing);
      near(
        shareOf(selection, ({ priority }) => priority === 0, now),
        share,
      );
      now += RECHECK;
    }
  });

test('if no priority can take all of it, the available targets share it', () => {
  const [first, second] = [many(10, {}, 'a'), many(10, { priority: 1 }, 'b')];
  const selection = selectionOf([...first, ...second]);
  fail(first, 8);
  fail(second, 8);
  // 28 % and 28 %.
  near(
    shareOf(selection, ({ priority }) => priority === 0),
    0.5,
  );
});

for (const kind of BALANCE_KINDS)
  test(`${kind}: the zone of the gateway comes first, the others take the rest`, () => {
    const [own, other] = [many(4, { zone: 'a' }, 'a'), many(8, { zone: 'b' }, 'b')];
    const selection = selectionOf([...other, ...own], { balance: entryOf(kind), zone: 'a' });
    let now = 1;
    for (const [failing, share] of [
      [0, 1],
      [1, 1],
      [2, 0.7],
      [3, 0.35],
      [4, 0],
    ] as const) {
      fail(own, failing);
      near(
        shareOf(selection, ({ zone }) => zone === 'a', now),
        share,
      );
      now += RECHECK;
    }
    fail(own, 2);
    fail(other, 8);
    near(
      shareOf(selection, ({ zone }) => zone === 'a', now),
      1,
    );
  });

test('a zone is left before a priority', () => {
  const own = many(2, { zone: 'a' }, 'a');
  const other = many(8, { zone: 'b' }, 'b');
  const reserve = many(2, { zone: 'a', priority: 1 }, 'c');
  const selection = selectionOf([...own, ...other, ...reserve], { zone: 'a' });
  fail(own, 2);
  assert.is(
    shareOf(selection, ({ priority }) => priority === 0),
    1,
  );
  near(
    shareOf(selection, ({ zone }) => zone === 'b'),
    1,
  );
});

test('without a zone of the gateway, the zones of targets do not count', () => {
  const selection = selectionOf([...many(1, { zone: 'a' }, 'a'), ...many(3, { zone: 'b' }, 'b')]);
  assert.is(
    shareOf(selection, ({ zone }) => zone === 'b'),
    0.75,
  );
});

test('a change of health counts before the shares are computed again', () => {
  const [first, second] = [many(1, {}, 'a'), many(1, { priority: 1 }, 'b')];
  const selection = selectionOf([...first, ...second]);
  assert.is(selection.pick(new TestRequest()), first[0]);
  fail(first, 1);
  assert.is(selection.pick(new TestRequest()), second[0]);
});

for (const kind of BALANCE_KINDS)
  test(`${kind}: a target that joins begins with a tenth of its share`, () => {
    const targets = targetsOf(1, 1, 1, 1);
    const selection = selectionOf(targets, { balance: entryOf(kind), slowStart: 30_000 });
    targets[3]!.load.came(1000);
    const shares = [1001, 16_000, 31_000].map((since) => shareOf(selection, (target) => target === targets[3], since));
    // Two draws make the difference larger: the target loses no comparison, as all are idle.
    near(shares[0]!, kind === 'hash' ? 0.025 : 0.1 / 3.1);
    near(shares[1]!, kind === 'hash' ? 0.125 : 0.5 / 3.5);
    near(shares[2]!, 0.25);
  });

test('a target that is back after an ejection begins slowly too', () => {
  const targets = targetsOf(1, 1);
  const selection = selectionOf(targets, { slowStart: 10_000 });
  targets[1]!.health.available = false;
  assert.is(
    shareOf(selection, (target) => target === targets[1], 1000),
    0,
  );
  targets[1]!.health.available = true;
  near(
    shareOf(selection, (target) => target === targets[1], 1000 + RECHECK),
    0.1 / 1.1,
  );
  near(
    shareOf(selection, (target) => target === targets[1], 20_000),
    0.5,
  );
});

test('panic does not bring back a priority of which nothing is fit', () => {
  const [first, second] = [many(10, {}, 'a'), many(2, { priority: 1 }, 'b')];
  const selection = selectionOf([...first, ...second]);
  fail(first, 10);
  for (const { health } of [...first, ...second]) health.panic = true;
  assert.is(
    shareOf(selection, ({ priority }) => priority === 1),
    1,
  );
});

test('no available target: all are used', () => {
  for (const kind of BALANCE_KINDS) {
    const targets = targetsOf(1, 1);
    fail(targets, 2);
    near(
      shareOf(selectionOf(targets, { balance: entryOf(kind) }), (target) => target === targets[0]),
      0.5,
    );
  }
});

test('weight 0: only if nothing else is left', () => {
  const targets = targetsOf(0, 1);
  const selection = selectionOf(targets);
  assert.is(
    shareOf(selection, (target) => target === targets[0]),
    0,
  );
  const only = targetsOf(0, 0);
  assert.ok(selectionOf(only).pick(new TestRequest()) !== undefined);
});

test('no target: nothing', () => {
  for (const kind of BALANCE_KINDS)
    assert.is(selectionOf([], { balance: entryOf(kind) }).pick(new TestRequest()), undefined);
});

test('property: a retry goes to a target that was not tried, an available one if there is one', () => {
  const below = seededBelow(99);
  for (let round = 0; round < 3000; round++) {
    const targets = Array.from(
      { length: 1 + below(6) },
      (_, index) =>
        new TestTarget(`http://${round}-${index}`, {
          weight: 1 + below(3),
          priority: below(3),
          zone: [undefined, 'a', 'b'][below(3)],
        }),
    );
    for (const { health, load } of targets) {
      health.available = below(2) === 0;
      load.inFlight = below(4);
      if (below(2) === 0) load.observe(below(100), 1);
    }
    const slowStart = below(2) * 1000;
    const kind = BALANCE_KINDS[below(BALANCE_KINDS.length)]!;
    const selection = selectionOf(targets, { balance: entryOf(kind), zone: ['', 'a'][below(2)]!, slowStart });
    if (slowStart > 0) targets[0]!.load.came(1);
    const request = new TestRequest();
    request.since = 2;
    if (below(4) > 0) request.value = `user-${below(100)}`;
    while (request.failedAt.length < targets.length) {
      const left = targets.filter((target) => !request.tried(target));
      const target = selection.pick(request)!;
      assert.ok(left.includes(target), `${kind}: tried again`);
      if (left.some(({ health }) => health.available)) assert.ok(target.health.available, `${kind}: not available`);
      request.failedAt.push(target);
    }
    assert.ok(targets.includes(selection.pick(request)!), 'all were tried: any');
  }
});

test.run();
