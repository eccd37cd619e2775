import type { CredentialKind } from '../../bundle/types.js';
import { counted } from '../../plural.js';
import type { Model, PolicyModel } from '../../spec/model.js';
import { authenticatingPolicies } from '../model-index.js';
import type { Report, Rule } from '../rule.js';

/** The kind of credentials that a policy finds consumers by; undefined if it may find them in another way. */
function kindOf({ declaration, config }: PolicyModel): CredentialKind | undefined {
  if (declaration.use === 'api-key') return 'key';
  const ownUsers = typeof config === 'object' && config !== null && 'users' in config && config.users !== undefined;
  return declaration.use === 'basic' && !ownUsers ? 'password' : undefined;
}

const NOUNS: { readonly [kind: string]: string } = { key: 'API key', password: 'user name and password' };

const rule: Rule = {
  code: 'consumer/no-credential',
  severity: 'warning',
  summary: 'A consumer has no credential that a route asks for',
  partial: false,
  check(model, report) {
    const asking = authenticatingPolicies(model);
    const kinds = new Set(asking.map(kindOf));
    // Other kinds of authentication may identify consumers without credentials.
    if (kinds.size === 0 || kinds.has(undefined)) return;
    const wanted = [...kinds].map((kind) => NOUNS[kind!]).join(' or ');
    for (const consumer of model.consumers) {
      if (consumer.credentials.some(({ entry }) => kinds.has(entry.kind))) continue;
      report({
        span: consumer.nameSpan,
        entity: `consumer.${consumer.name}`,
        message: `Consumer \`${consumer.name}\` has no ${wanted}, so no request can authenticate as it.`,
        help: kinds.has('key')
          ? `\`gw keys new ${consumer.name}\` writes one and prints it. For a key that exists, add \`api_keys = ["sha256:..."]\`: \`printf %s KEY | sha256sum\` prints its hash.`
          : 'Add a `[[consumer.NAME.credentials]]` with `username` and `password`.',
      });
    }
    reportStored(model, report, kinds, wanted);
  },
};

/** One finding for all files: they may have very many consumers. */
function reportStored({ stored }: Model, report: Report, kinds: ReadonlySet<unknown>, wanted: string): void {
  let first: string | undefined;
  let count = 0;
  for (const { name, credentials } of stored.entries()) {
    if (credentials.some(({ kind }) => kinds.has(kind))) continue;
    first ??= name;
    count++;
  }
  const span = first === undefined ? undefined : stored.placeOf(first);
  if (first === undefined || span === undefined) return;
  const several = count > 1;
  const more = several ? ` and ${counted(count - 1, 'other consumer')} in files` : '';
  report({
    span,
    entity: `consumer.${first}`,
    message: `Consumer \`${first}\`${more} ${several ? 'have' : 'has'} no ${wanted}, so no request can authenticate as ${several ? 'them' : 'it'}.`,
    help: kinds.has('key')
      ? `\`gw keys new ${first}\` writes one and prints it.`
      : 'Add a `[[consumer.NAME.credentials]]` with `username` and `password`.',
  });
}
export default rule;
