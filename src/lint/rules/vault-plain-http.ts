import { isLoopback, isPrivate, targetEndpoint } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'vault/plain-http',
  severity: 'warning',
  summary: 'Vault is asked over plain HTTP outside this machine',
  partial: true,
  check(model, report) {
    const address = model.vault?.address;
    const endpoint = address === undefined ? undefined : targetEndpoint(address);
    if (endpoint === undefined || endpoint.scheme !== 'http' || isLoopback(endpoint.host)) return;
    const where = isPrivate(endpoint.host) ? 'in the private network' : 'on the way';
    report({
      span: model.at.spanOf('vault', 'address'),
      entity: 'vault',
      message: `The token and all secrets are sent to \`${endpoint.host}\` unencrypted: everyone ${where} can read them.`,
      help: 'Use the https URL of Vault; `ca` names the file with its authority.',
    });
  },
};
export default rule;
