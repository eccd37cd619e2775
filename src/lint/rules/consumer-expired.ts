import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/expired',
  severity: 'warning',
  summary: 'A credential has expired',
  partial: true,
  check(model, report) {
    const now = Date.now();
    for (const consumer of model.consumers) {
      for (const { entry, at } of consumer.credentials) {
        const { expires, name } = entry;
        if (expires === undefined || expires > now) continue;
        report({
          span: consumer.at.spanOf(...at.slice(0, 2), 'expires'),
          entity: `consumer.${consumer.name}`,
          message: `Credential \`${name}\` of consumer \`${consumer.name}\` has expired: requests with it get 401.`,
          help: 'Remove it, or set a later date if the consumer still needs it.',
        });
      }
    }
  },
};
export default rule;
