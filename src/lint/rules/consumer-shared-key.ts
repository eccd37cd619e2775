import type { CredentialKind } from '../../bundle/types.js';
import type { CredentialModel } from '../../spec/credentials.js';
import type { ConsumerModel } from '../../spec/model.js';
import type { Rule } from '../rule.js';

const NOUNS: { readonly [kind in CredentialKind]: string } = {
  key: 'API key',
  certificate: 'certificate',
  signature: 'key id',
  password: 'user name',
};

interface Owner {
  readonly consumer: ConsumerModel;
  readonly credential: CredentialModel;
}

const rule: Rule = {
  code: 'consumer/shared-key',
  severity: 'error',
  summary: 'A key, certificate, key id or user name is listed twice',
  partial: true,
  check(model, report) {
    const owners = new Map<string, Owner>();
    for (const consumer of model.consumers) {
      for (const credential of consumer.credentials) {
        const { kind, id } = credential.entry;
        const text = `${kind} ${typeof id === 'string' ? id : id.$ref}`;
        const first = owners.get(text);
        if (!first) {
          owners.set(text, { consumer, credential });
          continue;
        }
        const same = first.consumer === consumer;
        const noun = NOUNS[kind];
        report({
          span: consumer.at.spanOf(...credential.at),
          entity: `consumer.${consumer.name}`,
          message: same
            ? `Consumer \`${consumer.name}\` lists this ${noun} twice.`
            : `Consumer \`${first.consumer.name}\` has the same ${noun}, so a request with it could be from either consumer.`,
          related: [{ span: first.consumer.at.spanOf(...first.credential.at), message: 'first listed here' }],
          help: same ? 'Remove one of the two.' : `Give each consumer its own ${noun}.`,
        });
      }
    }
  },
};
export default rule;
