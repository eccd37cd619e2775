import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/grpc-over-http1',
  severity: 'warning',
  summary: 'A service repeats or checks by gRPC, and speaks HTTP/1.1 to its targets',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const { health, protocol, retry } = config;
      if (protocol === 'h2') continue;
      const entity = `service.${name}`;
      if (retry !== undefined && retry.grpc.length > 0)
        report({
          span: at.spanOf('retry', 'grpc'),
          entity,
          message: `Service \`${name}\` repeats calls by their status of gRPC, but its targets get HTTP/1.1, and servers of gRPC speak HTTP/2: the calls will fail.`,
          help: 'Set `protocol = "h2"` for the service.',
        });
      // A port of its own may belong to a server for checks.
      if (health?.type === 'grpc' && health.port === undefined)
        report({
          span: at.spanOf('health', 'type'),
          entity,
          message: `Service \`${name}\` is checked by gRPC, which needs HTTP/2, but its targets get requests by HTTP/1.1 on the same port: a target can be healthy and fail every request.`,
          help: 'Set `protocol = "h2"` for the service. If the targets do not speak gRPC, use checks of type `http`.',
        });
    }
  },
};
export default rule;
