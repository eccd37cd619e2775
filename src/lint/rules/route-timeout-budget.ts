import { formatDuration } from '../../schema/units.js';
import type { ServiceModel } from '../../spec/model.js';
import { attemptsOf } from '../../spec/service/retry.js';
import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const LABELS = {
  retries: 'number of further attempts',
  connect_timeout: 'time limit of each attempt to connect',
  response_timeout: 'time limit of the wait for the reply',
} as const;
const KEYS = ['retries', 'connect_timeout', 'response_timeout'] as const;

/** Longest wait for the head of a reply: all attempts to connect but the last time out, and its reply is late. */
function longestWait({ config }: ServiceModel): number {
  const attempts = attemptsOf(config) + 1;
  const untimed = attempts * config.connect_timeout + config.response_timeout;
  // Each attempt is over then, in whatever state it is.
  return Math.min(untimed, attempts * (config.retry?.attempt_timeout ?? Number.POSITIVE_INFINITY));
}

const rule: Rule = {
  code: 'route/timeout-budget',
  severity: 'warning',
  summary: 'The timeout of a route is shorter than all attempts at its service',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const { service } = route;
      if (!service || route.timeout === 0) continue;
      const wait = longestWait(service);
      if (wait <= route.timeout) continue;
      const written = KEYS.filter((key) => service.at.originOf(key).from !== 'default');
      // With only default values in the service, a short timeout is intended.
      if (written.length === 0) continue;
      const { connect_timeout: connect, response_timeout: response } = service.config;
      const retries = attemptsOf(service.config);
      const attempts = retries === 0 ? 'one attempt' : `${retries + 1} attempts`;
      report({
        span: route.at.originOf('timeout').from === 'default' ? route.nameSpan : route.at.spanOf('timeout'),
        entity: routeEntity(route),
        message: `Route \`${route.name}\` times out after ${formatDuration(route.timeout)}, but ${attempts} to connect to service \`${service.name}\` may take ${formatDuration(connect)} each and the reply another ${formatDuration(response)}, ${formatDuration(wait)} in total: the last attempts would be cut off.`,
        related: written.map((key) => ({ span: service.at.spanOf(key), message: LABELS[key] })),
        help: `Raise \`timeout\` of the route to at least ${formatDuration(wait)}, or lower \`retries\`, \`connect_timeout\` or \`response_timeout\` of the service.`,
      });
    }
  },
};
export default rule;
