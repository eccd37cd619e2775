import { routeEntity, routeSubject } from '../model-index.js';
import { overlapsOf } from '../overlap/index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/ambiguous',
  severity: 'error',
  summary: 'Two routes match the same request with equal precedence',
  partial: true,
  check(model, report) {
    for (const { kind, route, other, request } of overlapsOf(model).conflicts) {
      if (kind !== 'ambiguous') continue;
      report({
        span: route.match.span,
        entity: routeEntity(route),
        message: `Routes \`${route.name}\` and \`${other.name}\` both match ${request}, and neither is more specific.`,
        related: [{ span: other.match.span, message: `${routeSubject(other)} matches it too` }],
        help: 'Make one more specific (a literal, a host, a method, another condition), put them on different `listeners`, or make their conditions exclude each other.',
      });
    }
  },
};
export default rule;
