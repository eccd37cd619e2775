import { modelIndexOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'expression/constant',
  severity: 'warning',
  summary: 'A condition has the same result for every request',
  partial: true,
  check(model, report) {
    for (const policy of modelIndexOf(model).policies) {
      const constant = policy.when?.expression.constant;
      if (constant === undefined) continue;
      report({
        span: policy.when!.span,
        entity: policyEntity(model, policy),
        message: constant
          ? `This condition is always true, so policy \`${policy.name}\` takes part in every exchange.`
          : `This condition is always false, so policy \`${policy.name}\` never takes part: gw drops it.`,
        help: constant ? 'Remove `when`.' : 'Remove the policy, or correct its condition.',
      });
    }
  },
};
export default rule;
