import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Edge, planOf } from '../../../src/actions/aggregate/plan.js';
import { seededBelow } from '../../support/random.js';

const edge = (text: string): Edge => {
  const [from = '', to = ''] = text.split('>');
  return { from, to };
};
const plan = (names: string, ...edges: string[]) => planOf(names.split(' '), edges.map(edge));

test('calls without results of others are the first stage, and each other call comes after its own', () => {
  const found = plan('bought product orders stock', 'bought>orders', 'stock>product', 'bought>stock');
  assert.equal('stages' in found && found.stages, [['product', 'orders'], ['stock'], ['bought']]);
  assert.equal('order' in found && found.order, ['product', 'orders', 'stock', 'bought']);
  assert.equal('waits' in found && found.waits.get('bought'), ['orders', 'stock']);
});

test('a call that is named twice, or is not there, is waited for once, or not at all', () => {
  const found = plan('a b', 'b>a', 'b>a', 'b>gone');
  assert.equal('waits' in found && found.waits.get('b'), ['a']);
});

test('a cycle is reported from its first call on, without the calls that lead to it', () => {
  assert.equal(plan('a b c d', 'a>b', 'b>c', 'c>d', 'd>b'), { cycle: ['b', 'c', 'd'] });
  assert.equal(plan('a', 'a>a'), { cycle: ['a'] });
});

test('laws for random graphs: the order respects every edge, stages are as early as possible, and a cycle is one', () => {
  const below = seededBelow(11);
  let cycles = 0;
  for (let round = 0; round < 500; round++) {
    const names = Array.from({ length: 1 + below(12) }, (_, index) => `c${index}`);
    // Half of the graphs have edges in one direction only.
    const acyclic = round % 2 === 0;
    const edges: Edge[] = [];
    for (let count = below(20); count > 0; count--) {
      const [a, b] = [below(names.length), below(names.length)];
      if (acyclic && a === b) continue;
      edges.push({ from: names[acyclic ? Math.max(a, b) : a]!, to: names[acyclic ? Math.min(a, b) : b]! });
    }
    const found = planOf(names, edges);
    if ('cycle' in found) {
      cycles++;
      assert.not.ok(acyclic);
      found.cycle.forEach((from, index) => {
        const to = found.cycle[(index + 1) % found.cycle.length];
        assert.ok(edges.some((one) => one.from === from && one.to === to));
      });
      assert.is(new Set(found.cycle).size, found.cycle.length);
      continue;
    }
    assert.equal([...found.order].sort(), [...names].sort());
    const stageOf = new Map(found.stages.flatMap((stage, index) => stage.map((name) => [name, index] as const)));
    for (const { from, to } of edges) {
      assert.ok(found.order.indexOf(to) < found.order.indexOf(from));
      assert.ok(found.waits.get(from)?.includes(to));
    }
    for (const [name, stage] of stageOf) {
      const before = edges.filter(({ from }) => from === name).map(({ to }) => stageOf.get(to)!);
      assert.is(stage, before.length === 0 ? 0 : Math.max(...before) + 1);
    }
  }
  assert.ok(cycles > 50);
});

test.run();
