import type { Rule } from '../rule.js';

/** No bit of the address counts. */
const EVERYONE = /\/0+$/;

const rule: Rule = {
  code: 'listener/trusts-everyone',
  severity: 'warning',
  summary: 'Every peer is a trusted proxy, so that anybody can forge its address',
  partial: true,
  check(model, report) {
    for (const listener of model.listeners) {
      for (const [index, range] of listener.config.trusted_proxies.entries()) {
        if (!EVERYONE.test(range)) continue;
        report({
          span: listener.at.spanOf('trusted_proxies', index),
          entity: `listener.${listener.name}`,
          message: `\`${range}\` is every address there is: \`${listener.name}\` believes the \`X-Forwarded-For\` of anybody, so limits and logs see forged addresses.`,
          help: 'Name the addresses of the proxies in front of gw, such as `10.0.0.0/8`.',
        });
      }
    }
  },
};
export default rule;
