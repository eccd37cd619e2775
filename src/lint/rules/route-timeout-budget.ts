import { formatDuration } from '../../schema/units.js';
import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/timeout-budget',
  severity: 'warning',
  summary: "All attempts at a service take longer than the route's timeout allows",
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const { service } = route;
      if (!service || route.timeout === 0) continue;
      const { retries, response_timeout: wait } = service.config;
      const all = (retries + 1) * wait;
      const written = ['retries', 'response_timeout'].filter((key) => service.at.originOf(key).from !== 'default');
      // A short timeout over a service of defaults cuts on purpose.
      if (all <= route.timeout || written.length === 0) continue;
      const attempts = retries === 0 ? 'one attempt' : `${retries + 1} attempts`;
      report({
        span: route.at.originOf('timeout').from === 'default' ? route.nameSpan : route.at.spanOf('timeout'),
        entity: routeEntity(route),
        message: `${attempts} at \`${service.name}\` may wait ${formatDuration(wait)} each, ${formatDuration(all)} in all, but \`${route.name}\` ends after ${formatDuration(route.timeout)}: the last of it can never happen.`,
        related: written.map((key) => ({
          span: service.at.spanOf(key),
          message: key === 'retries' ? `${retries} further attempts` : 'the wait of each attempt',
        })),
        help: `Raise the route's \`timeout\` to ${formatDuration(all)} or more, or lower \`retries\` or \`response_timeout\` of the service.`,
      });
    }
  },
};
export default rule;
