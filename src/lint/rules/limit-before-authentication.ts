import type { PolicyUse, RouteModel } from '../../spec/model.js';
import { inPhaseOrder, listIn, quotedList, routeEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Uses that count by consumer although no policy before them authenticates. */
function early(route: RouteModel): PolicyUse[] {
  const found: PolicyUse[] = [];
  if (!route.policies.some(({ policy }) => traitsOf(policy).limitsBy === 'consumer')) return found;
  // If the route removes authentication with `without`, an inherited limit is expected to count by address.
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
  summary: 'A limit counts by consumer, but no policy before it authenticates',
  partial: false,
  check(model, report) {
    // A group's policy is written once for many routes: report it once.
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
        message: `Policy \`${use.policy.name}\` counts by consumer, but no policy before it authenticates on ${routes}: requests have no consumer and are counted by address.`,
        help: 'Add an authenticating policy to the route, or set `by = "ip"`.',
      });
    }
  },
};
export default rule;
