import { formatRate } from '../../schema/units.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/zero-limit',
  severity: 'error',
  summary: 'A plan that lets its consumers do nothing',
  partial: true,
  check(model, report) {
    for (const plan of model.plans) {
      for (const [policy, rate] of Object.entries(plan.config.limits)) {
        if (rate.capacity > 0) continue;
        report({
          span: plan.at.spanOf('limits', policy),
          entity: `plan.${plan.name}`,
          message: `\`${formatRate(rate)}\` refuses every request of a consumer on the plan \`${plan.name}\`.`,
          help: 'Write how many may pass; to shut a consumer out, remove its keys.',
        });
      }
    }
  },
};
export default rule;
