import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/grpc-over-http1',
  severity: 'warning',
  summary: 'A service repeats calls of gRPC, and speaks HTTP/1.1 to its targets',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      if (config.protocol === 'h2' || config.retry === undefined || config.retry.grpc.length === 0) continue;
      report({
        span: at.spanOf('retry', 'grpc'),
        entity: `service.${name}`,
        message: `Service \`${name}\` repeats calls by their status of gRPC, but its targets get HTTP/1.1, and servers of gRPC speak HTTP/2: the calls will fail.`,
        help: 'Set `protocol = "h2"` for the service.',
      });
    }
  },
};
export default rule;
