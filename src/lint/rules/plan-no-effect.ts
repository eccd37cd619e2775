import { factsOf, traitsOf } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/no-effect',
  severity: 'warning',
  summary: 'A plan sets a limit for a policy that limits nothing',
  partial: false,
  check(model, report) {
    const { routesByPolicy } = factsOf(model);
    for (const plan of model.plans) {
      for (const name of Object.keys(plan.config.limits)) {
        const policy = model.policies.find((candidate) => candidate.name === name);
        if (!policy) continue;
        const limits = traitsOf(policy).limitsBy !== undefined;
        if (limits && routesByPolicy.get(policy)!.length > 0) continue;
        report({
          span: plan.at.keySpanOf('limits', name),
          entity: `plan.${plan.name}`,
          message: limits
            ? `This limit never holds: no route carries the policy \`${name}\`.`
            : `This limit never holds: \`${name}\` is a \`${policy.declaration.use}\` policy, which limits nothing.`,
          related: [{ span: policy.nameSpan, message: `\`${name}\` is declared here` }],
          help: limits ? 'Name the policy on a route, or remove the line.' : 'Name a `rate-limit` policy.',
        });
      }
    }
  },
};
export default rule;
