import type { Model } from '../../spec/model.js';
import { authenticatingPolicies } from '../model-index.js';
import type { Report, Rule } from '../rule.js';

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
    reportStored(model, report);
  },
};

/** One finding for all files: they may have very many consumers. */
function reportStored({ stored }: Model, report: Report): void {
  let first: string | undefined;
  let count = 0;
  for (const { name, credentials } of stored.entries()) {
    if (credentials.length > 0) continue;
    first ??= name;
    count++;
  }
  const span = first === undefined ? undefined : stored.placeOf(first);
  if (first === undefined || span === undefined) return;
  const more = count === 1 ? '' : ` and ${count - 1} more of files`;
  report({
    span,
    entity: `consumer.${first}`,
    message: `Consumer \`${first}\`${more} ${count === 1 ? 'has' : 'have'} no API key, so no request can authenticate as ${count === 1 ? 'it' : 'them'}.`,
    help: '`gw keys new CONSUMER` writes a key.',
  });
}
export default rule;
