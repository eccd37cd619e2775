import { authenticates, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'idempotency/no-caller',
  severity: 'warning',
  summary: 'Callers with idempotency keys are known by their address only',
  partial: false,
  check(model, report) {
    for (const route of model.routes) {
      const use = route.policies.find(({ policy }) => policy.declaration.use === 'idempotency');
      // Code that was not run may authenticate.
      const unknown = route.policies.some(({ policy }) => policy.declaration.unchecked === true);
      if (use === undefined || unknown || authenticates(route)) continue;
      report({
        span: use.span,
        entity: routeEntity(route),
        message: `Route \`${route.name}\` does not authenticate every caller, so idempotency keys belong to client addresses: clients behind one address share them, and the key of a client whose address has changed is not found.`,
        help: 'Add a policy that authenticates, such as `api-key` or `jwt`. If the route is meant to be public, add this warning to `[lint].allow`.',
      });
    }
  },
};
export default rule;
