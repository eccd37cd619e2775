/** Sorts the conditions of a route by cost; all must hold, so their order is free. */
import { canonicalJson } from '../../bundle/canonical.js';
import type { ConditionIR } from '../../bundle/types.js';
import { counted } from '../../plural.js';
import { type Pass, passStats } from '../ir.js';

/** The scheme is known; a header needs one lookup; a query must be scanned. */
const SUBJECTS: readonly ConditionIR['on'][] = ['scheme', 'header', 'query'];
const TESTS: readonly ConditionIR['test']['op'][] = ['absent', 'present', 'equals', 'prefix', 'one-of', 'matches'];

export const orderConditions: Pass = (ir) => {
  let ordered = 0;
  const routes = ir.routes.map((route) => {
    const { conditions } = route.match;
    if (conditions.length < 2) return route;
    const sorted = [...conditions].sort(byCost);
    if (sorted.every((condition, i) => condition === conditions[i])) return route;
    ordered++;
    return { ...route, match: { ...route.match, conditions: sorted } };
  });
  return {
    ir: ordered === 0 ? ir : { ...ir, routes },
    stats: passStats('condition-order', ordered, `put the conditions of ${counted(ordered, 'route')} in order of cost`),
  };
};

function byCost(a: ConditionIR, b: ConditionIR): number {
  return (
    SUBJECTS.indexOf(a.on) - SUBJECTS.indexOf(b.on) ||
    TESTS.indexOf(a.test.op) - TESTS.indexOf(b.test.op) ||
    // Equal cost: by content, so that the written order has no effect.
    (canonicalJson(a) < canonicalJson(b) ? -1 : 1)
  );
}
