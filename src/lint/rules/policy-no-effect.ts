import { factsOf } from '../facts.js';
import { contextOf } from '../policy-lint.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'policy/no-effect',
  severity: 'warning',
  summary: 'A policy that does nothing as it is configured',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = factsOf(model);
    for (const policy of policies) {
      if (routesByPolicy.get(policy)!.length === 0) continue;
      if (policy.declaration.compile(policy.config, contextOf(model, policy)) !== undefined) continue;
      report({
        span: policy.nameSpan,
        entity: `policy.${policy.name}`,
        message: `The policy \`${policy.name}\` (\`${policy.declaration.use}\`) has nothing to do as it is configured, and is left out of the chain.`,
        help: 'Configure what it should do, or remove it.',
      });
    }
  },
};
export default rule;
