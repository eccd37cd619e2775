import { usesAcme } from '../../spec/acme-hosts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'acme/no-folder',
  severity: 'error',
  summary: 'Certificates are ordered by ACME, but the spec names no folder for them',
  partial: false,
  check(model, report) {
    if (model.state.path !== undefined) return;
    for (const listener of model.listeners.filter(usesAcme))
      report({
        span: listener.at.spanOf('tls'),
        entity: `listener.${listener.name}`,
        message: `Listener \`${listener.name}\` gets its certificates by ACME, but the spec names no folder to keep them in: each start would order new ones, until the limits of the authority refuse that.`,
        help: 'Add `[state]` with `path = "state"`: a folder that survives a restart.',
      });
  },
};
export default rule;
