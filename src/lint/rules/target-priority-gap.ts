import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'target/priority-gap',
  severity: 'warning',
  summary: 'The priorities of targets have a gap',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      const targets = service.config.targets ?? [];
      const used = new Set(targets.map(({ priority = 0 }) => priority));
      for (const [index, { priority = 0 }] of targets.entries()) {
        if (priority === 0 || used.has(priority - 1)) continue;
        report({
          span: service.at.spanOf('targets', index, 'priority'),
          entity: `service.${service.name}`,
          message: `No target of service \`${service.name}\` has priority ${priority - 1}, so ${priority} means the same as that.`,
          help: 'Number the priorities from 0 without a gap.',
        });
        break;
      }
    }
  },
};
export default rule;
