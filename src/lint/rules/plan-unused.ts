import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/unused',
  severity: 'warning',
  summary: 'A plan that no consumer has',
  partial: false,
  check(model, report) {
    const bought = new Set(model.consumers.map(({ plan }) => plan));
    for (const plan of model.plans) {
      if (bought.has(plan)) continue;
      report({
        span: plan.nameSpan,
        entity: `plan.${plan.name}`,
        message: `No consumer has the plan \`${plan.name}\`.`,
        help: `Give it to one with \`plan = "${plan.name}"\`, or remove it.`,
      });
    }
  },
};
export default rule;
