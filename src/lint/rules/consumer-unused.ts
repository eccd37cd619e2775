import { counted } from '../../plural.js';
import { authenticatingPolicies } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/unused',
  severity: 'warning',
  summary: 'A consumer is declared, but no route authenticates',
  partial: false,
  check(model, report) {
    if (authenticatingPolicies(model).length > 0) return;
    const { size } = model.stored;
    if (size > 0) {
      report({
        span: model.at.spanOf('consumers'),
        message: `The ${counted(size, 'consumer')} of these files ${size === 1 ? 'is' : 'are'} never used: no route has an authenticating policy.`,
        help: 'Add one, such as `use = "api-key"`, to the routes that the consumers call.',
      });
    }
    for (const consumer of model.consumers) {
      report({
        span: consumer.nameSpan,
        entity: `consumer.${consumer.name}`,
        message: `Consumer \`${consumer.name}\` is never used: no route has an authenticating policy.`,
        help: 'Add one, such as `use = "api-key"`, to the routes that the consumer calls, or remove the consumer.',
      });
    }
  },
};
export default rule;
