/** Shares of targets by weight, for every algorithm. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BALANCE_KINDS, type BalanceEntry } from '../../../../src/bundle/service/balance.js';
import { Selection } from '../../../../src/proxy/upstream/balance/selection.js';
import { isBinomial, TestRequest, type TestTarget, targetsOf } from '../../../support/candidates.js';
import { seeded } from '../../../support/random.js';

const DRAWS = 20_000;

const entryOf = (kind: BalanceEntry['kind']): BalanceEntry =>
  kind === 'hash' ? { kind, keys: [{ from: 'header', name: 'x-user' }] } : { kind };

const selectionOf = (targets: readonly TestTarget[], kind: BalanceEntry['kind'], seed: number): Selection<TestTarget> =>
  new Selection(targets, { balance: entryOf(kind), zone: '', slowStart: 0 }, seeded(seed));

/** Requests that each target gets; request n is picked as `look` says. */
function hitsOf(
  selection: Selection<TestTarget>,
  look: (request: TestRequest, index: number) => void = () => {},
): Map<TestTarget, number> {
  const hits = new Map<TestTarget, number>();
  for (let i = 0; i < DRAWS; i++) {
    const request = new TestRequest();
    request.value = `user-${i}`;
    look(request, i);
    const target = selection.pick(request)!;
    hits.set(target, (hits.get(target) ?? 0) + 1);
  }
  return hits;
}

for (const kind of BALANCE_KINDS)
  for (const weights of [
    [1, 1],
    [1, 1, 1, 1, 1],
    [1, 2, 3],
    [100, 1, 10],
    [7, 7, 7, 0, 7],
    Array.from({ length: 40 }, (_, index) => 1 + (index % 4)),
  ])
    test(`${kind}: weights ${weights.length > 5 ? '1 to 4 of 40 targets' : weights.join(', ')}`, () => {
      const targets = targetsOf(...weights);
      const hits = hitsOf(selectionOf(targets, kind, 7));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const target of targets) {
        const count = hits.get(target) ?? 0;
        const share = target.weight / total;
        if (kind === 'round-robin') assert.ok(Math.abs(count - share * DRAWS) <= weights.length, `${count}`);
        else assert.ok(isBinomial(count, DRAWS, share), `${count} of ${DRAWS} for a share of ${share}`);
      }
    });

for (const kind of BALANCE_KINDS)
  test(`${kind}: the shares of unavailable targets go to the others by weight`, () => {
    const targets = targetsOf(3, 1, 2, 2);
    targets[0]!.health.available = false;
    const hits = hitsOf(selectionOf(targets, kind, 11));
    assert.is(hits.get(targets[0]!), undefined);
    for (const target of targets.slice(1)) {
      const share = target.weight / 5;
      const count = hits.get(target)!;
      // A draw of the hash is a key: its share is exact for the keys of all targets, so the bound is the same.
      assert.ok(isBinomial(count, DRAWS, share) || Math.abs(count - share * DRAWS) <= 4, `${count} for ${share}`);
    }
  });

test('round robin with equal weights: every other target gets the same part of what one cannot take', () => {
  const targets = targetsOf(1, 1, 1, 1);
  targets[1]!.health.available = false;
  const hits = hitsOf(selectionOf(targets, 'round-robin', 1));
  for (const target of [targets[0]!, targets[2]!, targets[3]!])
    assert.ok(Math.abs(hits.get(target)! - DRAWS / 3) <= 4, `${hits.get(target)}`);
});

test('round robin is smooth: a target with weight 3 of 5 never gets three requests in a row', () => {
  const targets = targetsOf(3, 1, 1);
  const selection = selectionOf(targets, 'round-robin', 1);
  const order = Array.from({ length: 10 }, () => selection.pick(new TestRequest())!.identity.slice(-1)).join('');
  assert.is(order, '0102001020');
});

test('the available ones among many are found', () => {
  for (const kind of BALANCE_KINDS) {
    const targets = targetsOf(...Array.from({ length: 500 }, () => 1));
    for (const target of targets) target.health.available = false;
    targets[123]!.health.available = true;
    targets[456]!.health.available = true;
    const hits = hitsOf(selectionOf(targets, kind, 3), () => {});
    assert.equal([...hits.keys()].map(({ identity }) => identity).sort(), ['http://t123', 'http://t456'], kind);
    assert.ok(isBinomial(hits.get(targets[123]!)!, DRAWS, 0.5), kind);
  }
});

test.run();
