import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dropIdlePolicies } from '../../../src/compiler/passes/drop-idle-policies.js';
import { irOf, policyIR, routeIR } from '../kit.js';

test('policies without settings are dropped', () => {
  const idle = policyIR('headers', 'idle', { settings: undefined });
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

test.run();
