import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'grpc-web/target',
  severity: 'warning',
  summary: 'The service of a route with grpc-web does not speak HTTP/2',
  partial: false,
  check(model, report) {
    for (const route of model.routes) {
      const use = route.policies.find(({ policy }) => policy.declaration.use === 'grpc-web');
      const { service } = route;
      if (use === undefined || service === undefined || service.config.protocol === 'h2') continue;
      report({
        span: use.span,
        entity: routeEntity(route),
        message: `Route \`${route.name}\` translates to gRPC, but its service \`${service.name}\` speaks HTTP/1.1, which no gRPC server understands.`,
        related: [{ span: service.nameSpan, message: 'the service is here' }],
        help: `Set \`protocol = "h2"\` in \`[service.${service.name}]\`.`,
      });
    }
  },
};
export default rule;
