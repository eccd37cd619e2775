import type { PolicyUse } from '../../spec/model.js';
import { isConditional, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** An exchange keeps one bit for each condition of its chain. */
export const MAX_CONDITIONS = 31;

const rule: Rule = {
  code: 'expression/too-many',
  severity: 'error',
  summary: 'A route has too many policies with a condition',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (route.policies.length <= MAX_CONDITIONS) continue;
      const uses = new Map<PolicyUse['policy'], PolicyUse>();
      for (const use of route.policies) if (isConditional(use.policy)) uses.set(use.policy, use);
      const beyond = [...uses.values()][MAX_CONDITIONS];
      if (beyond === undefined) continue;
      report({
        span: beyond.span,
        entity: routeEntity(route),
        message: `Route \`${route.name}\` has ${uses.size} policies with \`when\`, but at most ${MAX_CONDITIONS} are possible.`,
        help: 'Divide the route by its match, for example by header or query conditions, or merge policies with the same condition.',
      });
    }
  },
};
export default rule;
