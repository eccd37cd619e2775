import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'target/no-weight',
  severity: 'error',
  summary: 'All targets of a service have the weight 0',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      const targets = service.config.targets ?? [];
      if (targets.length === 0 || targets.some(({ weight }) => weight > 0)) continue;
      report({
        span: service.at.spanOf('targets', 0, 'weight'),
        entity: `service.${service.name}`,
        message: `All targets of service \`${service.name}\` have the weight 0, so none of them is to get requests.`,
        help: 'Give at least one target a weight.',
      });
    }
  },
};
export default rule;
