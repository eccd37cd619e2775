import { modelIndexOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'expression/constant',
  severity: 'warning',
  summary: 'A condition has the same result for every request',
  partial: true,
  check(model, report) {
    for (const policy of modelIndexOf(model).policies) {
      for (const { expression, span } of policy.expressions) {
        if (expression.constant === undefined) continue;
        report({
          span,
          entity: policyEntity(model, policy),
          message: `This condition is always ${expression.constant}, whatever the request is.`,
          help: 'Remove it, or correct it.',
        });
      }
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
