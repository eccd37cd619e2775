import { formatDuration } from '../../schema/units.js';
import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/attempt-timeout',
  severity: 'warning',
  summary: 'The time limit of an attempt is not shorter than that of its request',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const limit = config.retry?.attempt_timeout;
      if (limit === undefined || limit < config.response_timeout) continue;
      report({
        span: at.spanOf('retry', 'attempt_timeout'),
        entity: `service.${name}`,
        message: `\`attempt_timeout\` of service \`${name}\` is ${formatDuration(limit)}, but \`response_timeout\` ends an attempt after ${formatDuration(config.response_timeout)}: it has no effect.`,
        help: 'Set `attempt_timeout` to the time within which nearly all replies begin, or remove it.',
      });
    }
    for (const route of model.routes) {
      const { at, name, nameSpan, service, timeout } = route;
      const limit = service?.config.retry?.attempt_timeout;
      if (service === undefined || limit === undefined || timeout === 0 || limit < timeout) continue;
      report({
        span: at.originOf('timeout').from === 'default' ? nameSpan : at.spanOf('timeout'),
        entity: routeEntity(route),
        message: `Route \`${name}\` times out after ${formatDuration(timeout)}, before \`attempt_timeout\` (${formatDuration(limit)}) of service \`${service.name}\`: no attempt follows one that is late.`,
        related: [{ span: service.at.spanOf('retry', 'attempt_timeout'), message: 'time limit of each attempt' }],
        help: `Lower \`attempt_timeout\`, so that all attempts fit into ${formatDuration(timeout)}, or raise \`timeout\` of the route.`,
      });
    }
  },
};
export default rule;
