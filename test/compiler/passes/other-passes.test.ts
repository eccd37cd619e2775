import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConditionIR } from '../../../src/bundle/types.js';
import { dropIdlePolicies } from '../../../src/compiler/passes/drop-idle-policies.js';
import { foldReplies } from '../../../src/compiler/passes/fold-replies.js';
import { internPlans } from '../../../src/compiler/passes/intern-plans.js';
import { orderConditions } from '../../../src/compiler/passes/order-conditions.js';
import { irOf, policyIR, routeIR } from '../kit.js';

test('policies without a plan take no step', () => {
  const idle = policyIR('headers', 'idle', { plan: undefined });
  const works = policyIR('headers', 'works');
  const ir = irOf([
    routeIR('/a', 0, { policies: [idle, works] }),
    routeIR('/b', 1, { policies: [works] }),
    routeIR('/c', 2, { policies: [idle] }),
  ]);
  const { ir: after, stats } = dropIdlePolicies(ir);
  assert.equal(
    after.routes.map((route) => route.policies),
    [[works], [works], []],
  );
  assert.is(stats.summary, 'dropped 1 policy that cannot act');
  assert.equal(stats.names, ['idle']);
  assert.is(dropIdlePolicies(after).ir, after);
});

test('equal policies in place become one; named and stateful ones do not', () => {
  const place = (name: string, overrides = {}) => policyIR('headers', `${name}/headers`, overrides);
  const a = place('a');
  const b = place('b');
  const other = place('c', { plan: { edits: 2 }, config: { edits: 2 } });
  const named = policyIR('headers', 'headers', { mergeable: false });
  const ir = irOf([
    routeIR('/a', 0, { policies: [a, named] }),
    routeIR('/b', 1, { policies: [b] }),
    routeIR('/c', 2, { policies: [other] }),
    routeIR('/d', 3, { policies: [named] }),
    routeIR('/e', 4, { policies: [a] }),
  ]);
  const { ir: after, stats } = internPlans(ir);
  const first = after.routes[0]!.policies[0]!;
  assert.is(first.name, '*/headers');
  assert.is(after.routes[1]!.policies[0], first);
  assert.is(after.routes[4]!.policies[0], first);
  assert.is(after.routes[0]!.policies[1], named);
  assert.is(after.routes[2]!.policies[0], other);
  assert.is(stats.changed, 1);
  assert.is(internPlans(after).ir, after);
});

test('constant replies are written out, unless a policy may edit them', () => {
  const reply = { status: 200, headers: { 'X-A': 'b' }, body: 'caf\u00e9' };
  const { ir, stats } = foldReplies(
    irOf([
      routeIR('/a', 0, { reply }),
      routeIR('/b', 1, { reply, policies: [policyIR('headers', 'h')] }),
      routeIR('/c', 2, { reply: { status: 204, headers: {}, body: '' } }),
      routeIR('/d', 3, { reply: { status: 404, headers: { 'Content-Type': 'application/json' }, body: '{}' } }),
      routeIR('/e', 4, { reply: { status: 299, headers: {}, body: '' } }),
      routeIR('/f', 5),
    ]),
  );
  const heads = ir.routes.map((route) => route.plan.reply?.head);
  assert.equal(heads, [
    'HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 5\r\n',
    undefined,
    'HTTP/1.1 204 No Content\r\n',
    'HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n',
    'HTTP/1.1 299 \r\ncontent-length: 0\r\n',
    undefined,
  ]);
  assert.is(stats.changed, 4);
  assert.equal(ir.routes[0]!.plan.reply!.headers, { 'X-A': 'b' }, 'as written, for people');
});

test('the cheapest condition comes first, whatever the order of writing', () => {
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
