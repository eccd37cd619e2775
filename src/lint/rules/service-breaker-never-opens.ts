import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/breaker-never-opens',
  severity: 'warning',
  summary: 'A circuit breaker never opens',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const { breaker } = config;
      if (breaker === undefined || breaker.errors > 0 || breaker.consecutive > 0) continue;
      report({
        span: at.spanOf('breaker', 'errors'),
        entity: `service.${name}`,
        message: `The circuit breaker of service \`${name}\` never opens: it counts neither a percentage of failed requests (\`errors = 0\`) nor failed requests in a row.`,
        help: 'Set `errors` or `consecutive`, or remove the table.',
      });
    }
  },
};
export default rule;
