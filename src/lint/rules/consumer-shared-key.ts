import type { ConsumerModel } from '../../spec/model.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/shared-key',
  severity: 'error',
  summary: 'One API key is given twice',
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
            ? `The consumer \`${consumer.name}\` lists this API key twice.`
            : `This API key belongs to \`${first.consumer.name}\` as well: a request with it could be either's.`,
          related: [{ span: first.consumer.at.spanOf('api_keys', first.index), message: 'first given here' }],
          help: same ? 'Remove one of the two.' : 'Give each consumer a key of its own.',
        });
      }
    }
  },
};
export default rule;
