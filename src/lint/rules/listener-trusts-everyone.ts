import type { Rule } from '../rule.js';

/** Prefix length 0: every address. */
const EVERYONE = /\/0+$/;

const rule: Rule = {
  code: 'listener/trusts-everyone',
  severity: 'warning',
  summary: 'Every client is a trusted proxy, so clients can forge their address',
  partial: true,
  check(model, report) {
    for (const listener of model.listeners) {
      for (const [index, range] of listener.config.trusted_proxies.entries()) {
        if (!EVERYONE.test(range)) continue;
        report({
          span: listener.at.spanOf('trusted_proxies', index),
          entity: `listener.${listener.name}`,
          message: `\`${range}\` is every address, so listener \`${listener.name}\` trusts \`X-Forwarded-For\` from any client: limits and logs would use forged addresses.`,
          help: 'List the addresses of the proxies in front of gw, such as `10.0.0.0/8`.',
        });
      }
    }
  },
};
export default rule;
