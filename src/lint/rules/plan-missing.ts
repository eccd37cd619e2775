import { modelIndexOf, quotedList, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/missing',
  severity: 'warning',
  summary: 'Routes apply plans, and some consumers have none',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    const strict = policies.find((policy) => {
      const { appliesPlans } = traitsOf(policy);
      return appliesPlans !== undefined && appliesPlans.default === undefined && routesByPolicy.get(policy)!.length > 0;
    });
    const without = strict === undefined ? [] : model.consumers.filter(({ plan }) => plan === undefined);
    const first = without[0];
    if (strict === undefined || first === undefined) return;
    const routes = quotedList(routesByPolicy.get(strict)!.map(({ name }) => name));
    const names = quotedList(without.map(({ name }) => name));
    const several = without.length > 1;
    report({
      span: first.nameSpan,
      entity: `consumer.${first.name}`,
      message: `${several ? 'The consumers' : 'Consumer'} ${names} ${several ? 'have' : 'has'} no plan, so ${several ? 'they get' : 'it gets'} 403 on ${routes}.`,
      help: `Add \`plan = "NAME"\`, or declare \`[policy.${strict.name}]\` with \`use = "plan"\` and a \`default\` plan.`,
    });
  },
};
export default rule;
