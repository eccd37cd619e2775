import { authenticatingPolicies } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/no-credential',
  severity: 'warning',
  summary: 'A consumer has no API key, and routes authenticate only by API key',
  partial: false,
  check(model, report) {
    const asking = authenticatingPolicies(model);
    // Other kinds of authentication may identify consumers without keys.
    if (asking.length === 0 || asking.some(({ declaration }) => declaration.use !== 'api-key')) return;
    for (const consumer of model.consumers) {
      if (consumer.credentials.some(({ entry }) => entry.kind === 'key')) continue;
      report({
        span: consumer.nameSpan,
        entity: `consumer.${consumer.name}`,
        message: `Consumer \`${consumer.name}\` has no API key, so no request can authenticate as it.`,
        help: 'Add `api_keys = ["sha256:..."]`; `printf %s KEY | sha256sum` prints the hash of a key.',
      });
    }
  },
};
export default rule;
