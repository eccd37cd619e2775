import { formatDuration } from '../../schema/units.js';
import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'idempotency/ttl-timeout',
  severity: 'warning',
  summary: 'Idempotency keys are kept for less time than a request of their route may take',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const policy = route.policies.find((use) => use.policy.declaration.use === 'idempotency')?.policy;
      if (policy === undefined || route.timeout === 0) continue;
      const { ttl } = policy.config as { readonly ttl: number };
      if (ttl >= route.timeout) continue;
      const written = route.at.originOf('timeout').from !== 'default';
      report({
        span: policy.at.spanOf('ttl'),
        entity: routeEntity(route),
        message: `A request of route \`${route.name}\` may take ${formatDuration(route.timeout)}, but its key is kept for ${formatDuration(ttl)}: a client that repeats it after a timeout may find the key forgotten.`,
        related: [{ span: written ? route.at.spanOf('timeout') : route.nameSpan, message: 'the timeout of the route' }],
        help: 'Set `ttl` to more than the time for which clients repeat requests; a day is usual.',
      });
    }
  },
};
export default rule;
