import type { ConsumerModel } from '../../spec/model.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/shared-key',
  severity: 'error',
  summary: 'An API key is listed twice',
  partial: true,
  check(model, report) {
    const owners = new Map<string, { consumer: ConsumerModel; index: number }>();
    for (const consumer of model.consumers) {
      for (const [index, key] of consumer.config.api_keys.entries()) {
        const text = typeof key === 'string' ? key : key.$ref;
        const first = owners.get(text);
        if (!first) {
          owners.set(text, { consumer, index });
          continue;
        }
        const same = first.consumer === consumer;
        report({
          span: consumer.at.spanOf('api_keys', index),
          entity: `consumer.${consumer.name}`,
          message: same
            ? `Consumer \`${consumer.name}\` lists this API key twice.`
            : `Consumer \`${first.consumer.name}\` has the same API key, so a request with it could be from either consumer.`,
          related: [{ span: first.consumer.at.spanOf('api_keys', first.index), message: 'first listed here' }],
          help: same ? 'Remove one of the two.' : 'Give each consumer its own key.',
        });
      }
    }
  },
};
export default rule;
