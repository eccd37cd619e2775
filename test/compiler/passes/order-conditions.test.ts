import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConditionIR } from '../../../src/bundle/types.js';
import { orderConditions } from '../../../src/compiler/passes/order-conditions.js';
import { irOf, routeIR } from '../kit.js';

test('the cheapest condition comes first in any written order', () => {
  const conditions: ConditionIR[] = [
    { on: 'query', name: 'q', test: { op: 'present' } },
    { on: 'header', name: 'm', test: { op: 'matches', dfa: 0 } },
    { on: 'header', name: 'b', test: { op: 'equals', value: '1' } },
    { on: 'header', name: 'a', test: { op: 'equals', value: '1' } },
    { on: 'header', name: 'z', test: { op: 'absent' } },
  ];
  const order = (list: ConditionIR[]): string[] => {
    const { ir } = orderConditions(irOf([routeIR({ match: '/a', conditions: list }, 0)]));
    return ir.routes[0]!.match.conditions.map(({ name }) => name);
  };
  assert.equal(order(conditions), ['z', 'a', 'b', 'm', 'q']);
  assert.equal(order([...conditions].reverse()), ['z', 'a', 'b', 'm', 'q']);
  const ordered = irOf([routeIR({ match: '/a', conditions: [conditions[4]!, conditions[0]!] }, 0), routeIR('/b', 1)]);
  assert.is(orderConditions(ordered).ir, ordered);
  assert.is(orderConditions(ordered).stats.changed, 0);
});

test.run();
