import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/attempts-twice',
  severity: 'warning',
  summary: 'The number of attempts is given twice',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const attempts = config.retry?.attempts;
      if (attempts === undefined || attempts === config.retries || at.originOf('retries').from === 'default') continue;
      report({
        span: at.spanOf('retries'),
        entity: `service.${name}`,
        message: `\`retries = ${config.retries}\` of service \`${name}\` has no effect: \`attempts\` of its \`retry\` table is ${attempts}.`,
        related: [{ span: at.spanOf('retry', 'attempts'), message: 'this number is used' }],
        help: 'Remove one of them.',
      });
    }
  },
};
export default rule;
