import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/unused',
  severity: 'warning',
  summary: 'No consumer has the plan',
  partial: false,
  check(model, report) {
    const bought = new Set(model.consumers.map(({ plan }) => plan));
    for (const plan of model.plans) {
      if (bought.has(plan)) continue;
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
