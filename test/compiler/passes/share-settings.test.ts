import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shareSettings } from '../../../src/compiler/passes/share-settings.js';
import { irOf, policyIR, routeIR } from '../kit.js';

test('equal policies written in place are merged; named and stateful ones are not', () => {
  const place = (name: string, overrides = {}) => policyIR('headers', `${name}/headers`, overrides);
  const a = place('a');
  const b = place('b');
  const other = place('c', { settings: { edits: 2 }, config: { edits: 2 } });
  const named = policyIR('headers', 'headers', { mergeable: false });
  const ir = irOf([
    routeIR('/a', 0, { policies: [a, named] }),
    routeIR('/b', 1, { policies: [b] }),
    routeIR('/c', 2, { policies: [other] }),
    routeIR('/d', 3, { policies: [named] }),
    routeIR('/e', 4, { policies: [a] }),
  ]);
  const { ir: after, stats } = shareSettings(ir);
  const first = after.routes[0]!.policies[0]!;
  assert.is(first.name, '*/headers');
  assert.is(after.routes[1]!.policies[0], first);
  assert.is(after.routes[4]!.policies[0], first);
  assert.is(after.routes[0]!.policies[1], named);
  assert.is(after.routes[2]!.policies[0], other);
  assert.is(stats.changed, 1);
  assert.is(shareSettings(after).ir, after);
});

test.run();
