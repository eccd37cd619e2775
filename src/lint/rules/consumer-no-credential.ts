import { recognisingPolicies } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/no-credential',
  severity: 'warning',
  summary: 'A consumer without a key, on routes that know callers by their keys alone',
  partial: false,
  check(model, report) {
    const asking = recognisingPolicies(model);
    // Another kind may know its consumers by other means than keys.
    if (asking.length === 0 || asking.some(({ declaration }) => declaration.use !== 'api-key')) return;
    for (const consumer of model.consumers) {
      if (consumer.config.api_keys.length > 0) continue;
      report({
        span: consumer.nameSpan,
        entity: `consumer.${consumer.name}`,
        message: `The consumer \`${consumer.name}\` has no API key, so no request can ever be its own.`,
        help: 'Give it `api_keys = ["sha256:..."]`; the hash of a key is `printf %s KEY | sha256sum`.',
      });
    }
  },
};
export default rule;
