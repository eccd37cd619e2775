import { routeEntity } from '../facts.js';
import { overlapsOf } from '../overlap/index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/duplicate',
  severity: 'error',
  summary: 'Two routes take exactly the same requests',
  partial: true,
  check(model, report) {
    for (const { kind, route, other, request } of overlapsOf(model).conflicts) {
      if (kind !== 'duplicate') continue;
      report({
        span: route.match.span,
        entity: routeEntity(route),
        message: `\`${route.name}\` takes the same requests as \`${other.name}\`, for example ${request}: one of them would never be used.`,
        related: [{ span: other.match.span, message: `\`${other.name}\` takes them too` }],
        help: 'Remove one of the two, or give one a host, method, condition or listener that tells them apart.',
      });
    }
  },
};
export default rule;
