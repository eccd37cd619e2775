import { formatDuration } from '../../schema/units.js';
import type { ServiceModel } from '../../spec/model.js';
import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

const LABELS = {
  retries: 'further attempts to connect',
  connect_timeout: 'each may wait so long',
  response_timeout: 'the last one then waits so long for the reply',
} as const;
const KEYS = ['retries', 'connect_timeout', 'response_timeout'] as const;

/** The longest wait for a reply's head: every attempt to connect times out but the last, and its reply comes late. */
function longestWait({ config }: ServiceModel): number {
  return (config.retries + 1) * config.connect_timeout + config.response_timeout;
}

const rule: Rule = {
  code: 'route/timeout-budget',
  severity: 'warning',
  summary: "All attempts at a service take longer than the route's timeout allows",
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const { service } = route;
      if (!service || route.timeout === 0) continue;
      const wait = longestWait(service);
      if (wait <= route.timeout) continue;
      const written = KEYS.filter((key) => service.at.originOf(key).from !== 'default');
      // A short timeout over a service of defaults cuts on purpose.
      if (written.length === 0) continue;
      const { retries, connect_timeout: connect, response_timeout: response } = service.config;
      const attempts = retries === 0 ? 'one attempt' : `${retries + 1} attempts`;
      report({
        span: route.at.originOf('timeout').from === 'default' ? route.nameSpan : route.at.spanOf('timeout'),
        entity: routeEntity(route),
        message: `\`${route.name}\` ends after ${formatDuration(route.timeout)}, but ${attempts} to connect to \`${service.name}\` may take ${formatDuration(connect)} each, and the reply ${formatDuration(response)} more, ${formatDuration(wait)} in all: the last attempts are cut off.`,
        related: written.map((key) => ({ span: service.at.spanOf(key), message: LABELS[key] })),
        help: `Raise the route's \`timeout\` to ${formatDuration(wait)} or more, or lower \`retries\`, \`connect_timeout\` or \`response_timeout\` of the service.`,
      });
    }
  },
};
export default rule;
