import type { PlanModel } from '../../spec/model.js';
import { modelIndexOf, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Keys that only a policy of the kind `plan` applies. */
const APPLIED = ['rate', 'concurrency', 'routes', 'route_tags'] as const;

const firstKey = ({ config }: PlanModel) => APPLIED.find((key) => config[key] !== undefined);

const rule: Rule = {
  code: 'plan/not-applied',
  severity: 'warning',
  summary: 'A plan sets limits, but no route applies plans',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    const applies = policies.some(
      (policy) => traitsOf(policy).appliesPlans !== undefined && (routesByPolicy.get(policy)?.length ?? 0) > 0,
    );
    if (applies) return;
    for (const plan of model.plans) {
      const key = firstKey(plan);
      if (key === undefined) continue;
      report({
        span: plan.at.keySpanOf(key),
        entity: `plan.${plan.name}`,
        message: `\`${key}\` of plan \`${plan.name}\` has no effect: no route has the policy \`plan\`.`,
        help: 'Add `"plan"` to the `policies` of the routes that consumers pay for, after those that authenticate.',
      });
    }
  },
};
export default rule;
