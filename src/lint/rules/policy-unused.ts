import { factsOf } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'policy/unused',
  severity: 'warning',
  summary: 'A policy that no route or group names',
  partial: false,
  check(model, report) {
    const { routesByPolicy } = factsOf(model);
    for (const policy of model.policies) {
      if (routesByPolicy.get(policy)!.length > 0) continue;
      report({
        span: policy.nameSpan,
        entity: `policy.${policy.name}`,
        message: `No route carries the policy \`${policy.name}\`, so it does nothing.`,
        help: `Name it where it should act, \`policies = ["${policy.name}"]\` on a route or group, or remove it.`,
      });
    }
  },
};
export default rule;
