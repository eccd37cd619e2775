import { routeEntity, routeSubject } from '../model-index.js';
import { overlapsOf } from '../overlap/index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/duplicate',
  severity: 'error',
  summary: 'Two routes match exactly the same requests',
  partial: true,
  check(model, report) {
    for (const { kind, route, other, request } of overlapsOf(model).conflicts) {
      if (kind !== 'duplicate') continue;
      report({
        span: route.match.span,
        entity: routeEntity(route),
        message: `Routes \`${route.name}\` and \`${other.name}\` match the same requests, for example ${request}: one of them would never be used.`,
        related: [{ span: other.match.span, message: `${routeSubject(other)} matches them too` }],
        help: 'Remove one of them, or add a host, method, condition or listener that distinguishes them.',
      });
    }
  },
};
export default rule;
