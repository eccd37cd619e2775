import type { PolicyUse, RouteModel } from '../../spec/model.js';
import { inPhaseOrder, listIn, quotedList, routeEntity, traitsOf } from '../facts.js';
import type { Rule } from '../rule.js';

/** Uses that count by consumer where nothing before them can know one. */
function early(route: RouteModel): PolicyUse[] {
  const found: PolicyUse[] = [];
  if (!route.policies.some(({ policy }) => traitsOf(policy).limitsBy === 'consumer')) return found;
  // Where authentication is taken away by name, what was inherited beside it is known to count by address.
  const meant = route.without.some((policy) => traitsOf(policy).authenticates === true);
  for (const use of inPhaseOrder(route.policies)) {
    if (use.policy.declaration.phase === 'authenticate') return found;
    if (traitsOf(use.policy).limitsBy === 'consumer' && !(meant && use.from !== 'spec')) found.push(use);
  }
  return found;
}

const rule: Rule = {
  code: 'limit/before-authentication',
  severity: 'warning',
  summary: 'A limit counts by consumer where no consumer is known',
  partial: false,
  check(model, report) {
    // A group's policy stands at one place for many routes: one finding for all of them.
    const places = new Map<string, { use: PolicyUse; route: RouteModel }[]>();
    for (const route of model.routes) {
      for (const use of early(route)) {
        listIn(places, `${use.span.file}\n${use.span.start.offset}`).push({ use, route });
      }
    }
    for (const found of places.values()) {
      const { use, route } = found[0]!;
      const routes = quotedList(found.map((place) => place.route.name));
      report({
        span: use.span,
        entity: routeEntity(route),
        message: `\`${use.policy.name}\` counts by consumer, but on ${routes} no policy authenticates before it: no consumer is known, and callers are counted by address instead.`,
        help: 'Add an authenticating policy to the route, or count by something else: `by = "ip"`.',
      });
    }
  },
};
export default rule;
