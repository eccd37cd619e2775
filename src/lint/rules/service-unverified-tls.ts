import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unverified-tls',
  severity: 'warning',
  summary: 'The certificates of the targets of a service are not verified',
  partial: false,
  check(model, report) {
    for (const { name, config, at } of model.services) {
      if (config.tls?.verify !== false) continue;
      report({
        span: at.spanOf('tls', 'verify'),
        entity: `service.${name}`,
        message: `Certificates of the targets of \`${name}\` are not verified: any program on the way can answer for a target, and read and change requests.`,
        help: 'Set `tls.ca` to the authority that issued the certificates of the targets, and remove `verify`.',
      });
    }
  },
};
export default rule;
