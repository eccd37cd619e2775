import { usesAcme } from '../../spec/acme-hosts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'acme/missing',
  severity: 'error',
  summary: 'A listener gets its certificates by ACME, but the spec has no consent to the terms of an authority',
  partial: false,
  check(model, report) {
    if (model.acme?.accept_terms === true) return;
    for (const listener of model.listeners.filter(usesAcme)) {
      const missing = model.acme === undefined ? 'the spec has no table `[acme]`' : '`accept_terms` is not `true`';
      report({
        span: listener.at.spanOf('tls'),
        entity: `listener.${listener.name}`,
        message: `Listener \`${listener.name}\` gets its certificates by ACME, but ${missing}: an authority issues none without consent to its terms.`,
        help: "Read the terms of service of the authority (by default Let's Encrypt), and add `[acme]` with `accept_terms = true`.",
      });
    }
  },
};
export default rule;
