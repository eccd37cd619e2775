import { modelIndexOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'policy/unused',
  severity: 'warning',
  summary: 'A policy is not used by any route',
  partial: false,
  check(model, report) {
    const { routesByPolicy } = modelIndexOf(model);
    const called = new Set([...model.calls.values()].flat());
    const signing = new Set(
      [...called].flatMap((service) => model.servicePolicies.get(service) ?? []).map(({ policy }) => policy),
    );
    for (const policy of model.policies) {
      if (routesByPolicy.get(policy)!.length > 0 || signing.has(policy)) continue;
      report({
        span: policy.nameSpan,
        entity: `policy.${policy.name}`,
        message: `Policy \`${policy.name}\` is never used: no route has it.`,
        help: `Add \`policies = ["${policy.name}"]\` to a route or group, or remove the policy.`,
      });
    }
  },
};
export default rule;
