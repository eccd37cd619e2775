import { inPhaseOrder, routeEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'idempotency/behind-cache',
  severity: 'warning',
  summary: 'A cache sees replies that idempotency repeats',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const uses = inPhaseOrder(route.policies);
      const at = uses.findIndex(({ policy }) => policy.declaration.use === 'idempotency');
      const cache = uses.slice(0, Math.max(0, at)).find(({ policy }) => traitsOf(policy).cacheKey !== undefined);
      if (cache === undefined) continue;
      const { policy, span } = uses[at]!;
      report({
        span,
        entity: routeEntity(route),
        message: `On route \`${route.name}\`, policy \`${cache.policy.name}\` sees the replies that \`${policy.name}\` repeats as new ones: each repetition removes stored replies that are still valid.`,
        related: [{ span: cache.span, message: 'the cache is here' }],
        help: `Name \`${policy.name}\` before \`${cache.policy.name}\`.`,
      });
    }
  },
};
export default rule;
