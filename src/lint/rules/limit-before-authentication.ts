import type { PolicyUse, RouteModel } from '../../spec/model.js';
import { inPhaseOrder, isConditional, listIn, quotedList, routeEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Uses that count by consumer although no policy before them authenticates. */
function early(route: RouteModel): PolicyUse[] {
  const found: PolicyUse[] = [];
  if (!route.policies.some(({ policy }) => traitsOf(policy).limitsBy === 'consumer')) return found;
  // If the route removes authentication with `without`, an inherited limit is expected to count by address.
  const meant = route.without.some((policy) => traitsOf(policy).authenticates === true);
  const conditions = new Set<string>();
  for (const use of inPhaseOrder(route.policies)) {
    const { phase, when } = use.policy;
    // A limit that is placed there on purpose has a rule of its own.
    if (phase === 'guard') continue;
    if (phase === 'authenticate' && !isConditional(use.policy)) return found;
    // A limit with the condition of an authenticator counts only requests that it has authenticated.
    if (phase === 'authenticate') conditions.add(when?.expression.entry.source ?? '');
    else if (conditions.has(when?.expression.entry.source ?? '')) continue;
    else if (traitsOf(use.policy).limitsBy === 'consumer' && !(meant && use.from !== 'spec')) found.push(use);
  }
  return found;
}

/** Whether the route has an authenticator, but only for some requests. */
const conditional = (route: RouteModel): boolean =>
  route.policies.some(({ policy }) => policy.phase === 'authenticate');

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
      const [every, may] = conditional(route) ? ['every request ', 'may '] : ['', ''];
      const { appliesPlans } = traitsOf(use.policy);
      // Without a consumer there is no plan, but perhaps a default one, which counts by address.
      const refused = appliesPlans !== undefined && appliesPlans.default === undefined;
      report({
        span: use.span,
        entity: routeEntity(route),
        message: `Policy \`${use.policy.name}\` counts by consumer, but no policy before it authenticates ${every}on ${routes}: requests ${may}have no consumer and ${refused ? 'get 403 `plan/none`' : 'are counted by address'}.`,
        help: `Add an authenticating policy to the route${appliesPlans === undefined ? ', or set `by = "ip"`' : ''}.`,
      });
    }
  },
};
export default rule;
