import type { CredentialModel } from '../../spec/credentials.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'consumer/credential-name',
  severity: 'error',
  summary: 'Two credentials of a consumer have the same name',
  partial: true,
  check(model, report) {
    for (const consumer of model.consumers) {
      const first = new Map<string, CredentialModel>();
      for (const credential of consumer.credentials) {
        const { name } = credential.entry;
        const other = first.get(name);
        if (other === undefined) {
          first.set(name, credential);
          continue;
        }
        report({
          span: consumer.at.spanOf(...placeOf(credential)),
          entity: `consumer.${consumer.name}`,
          message: `Consumer \`${consumer.name}\` has two credentials with the name \`${name}\`.`,
          related: [{ span: consumer.at.spanOf(...placeOf(other)), message: 'the other one' }],
          help: 'Give each credential its own `name`. Those without a name are called by their kind and number: `key-1`, `key-2`.',
        });
      }
    }
  },
};
export default rule;

/** The whole credential: its name may not be written. */
const placeOf = ({ at }: CredentialModel): CredentialModel['at'] => (at[0] === 'credentials' ? at.slice(0, 2) : at);
