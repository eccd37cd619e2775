import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/scheme-port',
  severity: 'warning',
  summary: 'The scheme and port of a target do not fit together',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      for (const { endpoint, span } of targetsOf(service)) {
        const { scheme, host, port } = endpoint;
        const crossed = scheme === 'http' ? port === 443 : port === 80;
        if (!crossed) continue;
        const other = scheme === 'http' ? 'https' : 'http';
        report({
          span,
          entity: `service.${service.name}`,
          message: `Port ${port} is the standard port of ${other === 'https' ? 'HTTPS' : 'plain HTTP'}, but this target uses \`${scheme}\`: every request would fail.`,
          help: `Write \`${other}://${host}\`, or the port on which the target serves ${scheme === 'https' ? 'HTTPS' : 'plain HTTP'}.`,
        });
      }
    }
  },
};
export default rule;
