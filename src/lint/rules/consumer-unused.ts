import { recognisingPolicies } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/unused',
  severity: 'warning',
  summary: 'A consumer that no policy can ever recognise, since no route authenticates',
  partial: false,
  check(model, report) {
    if (recognisingPolicies(model).length > 0) return;
    for (const consumer of model.consumers) {
      report({
        span: consumer.nameSpan,
        entity: `consumer.${consumer.name}`,
        message: `Nothing ever recognises the consumer \`${consumer.name}\`: no route carries a policy that authenticates.`,
        help: 'Add one, such as `use = "api-key"`, to the routes that the consumer calls, or remove the consumer.',
      });
    }
  },
};
export default rule;
