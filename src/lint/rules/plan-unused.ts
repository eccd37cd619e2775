import { modelIndexOf, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/unused',
  severity: 'warning',
  summary: 'No consumer has the plan',
  partial: false,
  check(model, report) {
    const bought = new Set(model.consumers.map(({ plan }) => plan?.name));
    for (const policy of modelIndexOf(model).policies) bought.add(traitsOf(policy).appliesPlans?.default);
    for (const { plan } of model.stored.entries()) bought.add(plan);
    for (const plan of model.plans) {
      if (bought.has(plan.name)) continue;
      report({
        span: plan.nameSpan,
        entity: `plan.${plan.name}`,
        message: `Plan \`${plan.name}\` is never used: no consumer has it.`,
        help: `Add \`plan = "${plan.name}"\` to a consumer, or remove the plan.`,
      });
    }
  },
};
export default rule;
