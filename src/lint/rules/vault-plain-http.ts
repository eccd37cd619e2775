import { isPrivate } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'vault/plain-http',
  severity: 'warning',
  summary: 'Vault is asked over plain HTTP outside this machine',
  partial: true,
  check(model, report) {
    const address = model.vault?.address;
    if (typeof address !== 'string') return;
    const { protocol, hostname } = new URL(address);
    const local = hostname === 'localhost' || hostname.startsWith('127.') || hostname === '[::1]';
    if (protocol !== 'http:' || local) return;
    const where = isPrivate(hostname) ? 'in the private network' : 'on the way';
    report({
      span: model.at.spanOf('vault', 'address'),
      entity: 'vault',
      message: `The token and all secrets are sent to \`${hostname}\` unencrypted: everyone ${where} can read them.`,
      help: 'Use the https URL of Vault; `ca` names the file with its authority.',
    });
  },
};
export default rule;
