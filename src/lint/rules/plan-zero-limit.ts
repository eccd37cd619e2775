import { formatRate } from '../../schema/units.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/zero-limit',
  severity: 'error',
  summary: 'A plan sets a limit of zero',
  partial: true,
  check(model, report) {
    for (const plan of model.plans) {
      for (const [index, rate] of (plan.config.rate ?? []).entries()) {
        if (rate.capacity > 0) continue;
        report({
          span: plan.at.spanOf('rate', index),
          entity: `plan.${plan.name}`,
          message: `\`${formatRate(rate)}\` refuses every request of the consumers with plan \`${plan.name}\`.`,
          help: 'Set a rate above zero. To refuse a consumer, set `disabled = true` in it.',
        });
      }
      for (const [policy, rate] of Object.entries(plan.config.limits)) {
        if (rate.capacity > 0) continue;
        report({
          span: plan.at.spanOf('limits', policy),
          entity: `plan.${plan.name}`,
          message: `\`${formatRate(rate)}\` refuses every request of the consumers with plan \`${plan.name}\`.`,
          help: 'Set a limit above zero. To block a consumer, remove its keys.',
        });
      }
    }
  },
};
export default rule;
