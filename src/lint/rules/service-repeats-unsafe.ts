import type { Rule } from '../rule.js';

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

const rule: Rule = {
  code: 'service/repeats-unsafe',
  severity: 'warning',
  summary: 'Requests that are not idempotent are repeated',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const { retry } = config;
      // Statuses of gRPC need POST, and say whether the call was processed.
      if (retry?.methods === undefined || retry.grpc.length > 0) continue;
      const unsafe = retry.methods.filter((method) => !IDEMPOTENT.has(method));
      if (unsafe.length === 0) continue;
      report({
        span: at.spanOf('retry', 'methods'),
        entity: `service.${name}`,
        message: `Service \`${name}\` gets ${unsafe.join(', ')} requests again after a failure, although its target may have processed the first one: an order may be placed twice.`,
        help: 'Remove the method. Connections that cannot be opened are repeated for every method. If clients send an `Idempotency-Key`, add the policy `idempotency`; if the service recognizes repeats, silence this warning.',
      });
    }
  },
};
export default rule;
