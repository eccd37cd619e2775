import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/scheme-port',
  severity: 'warning',
  summary: 'Plain HTTP to the port of HTTPS, or the other way round',
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
          message: `Port ${port} is where servers speak ${other === 'https' ? 'HTTPS' : 'plain HTTP'}, but this target is asked by \`${scheme}\`: every request would fail.`,
          help: `Write \`${other}://${host}\`, or the port at which it speaks ${scheme === 'https' ? 'HTTPS' : 'plain HTTP'}.`,
        });
      }
    }
  },
};
export default rule;
