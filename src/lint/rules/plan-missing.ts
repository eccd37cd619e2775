import { counted } from '../../plural.js';
import type { Model } from '../../spec/model.js';
import { modelIndexOf, quotedList, traitsOf } from '../model-index.js';
import type { Report, Rule } from '../rule.js';

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
    if (strict === undefined) return;
    const without = model.consumers.filter(({ plan }) => plan === undefined);
    const routes = quotedList(routesByPolicy.get(strict)!.map(({ name }) => name));
    reportStored(model, report, routes, strict.name);
    const first = without[0];
    if (first === undefined) return;
    const names = quotedList(without.map(({ name }) => name));
    const several = without.length > 1;
    report({
      span: first.nameSpan,
      entity: `consumer.${first.name}`,
      message: `${several ? 'The consumers' : 'Consumer'} ${names} ${several ? 'have' : 'has'} no plan, so ${several ? 'they get' : 'it gets'} 403 on ${routes}.`,
      help: helpFor(strict.name),
    });
  },
};

const helpFor = (policy: string): string =>
  `Add \`plan = "NAME"\`, or declare \`[policy.${policy}]\` with \`use = "plan"\` and a \`default\` plan.`;

/** One finding for all files: they may have very many consumers. */
function reportStored({ stored }: Model, report: Report, routes: string, policy: string): void {
  let first: string | undefined;
  let more = -1;
  for (const { name, plan } of stored.entries()) {
    if (plan !== undefined) continue;
    first ??= name;
    more++;
  }
  const span = first === undefined ? undefined : stored.placeOf(first);
  if (first === undefined || span === undefined) return;
  const others = more === 0 ? '' : ` and ${counted(more, 'other consumer')} in files`;
  report({
    span,
    entity: `consumer.${first}`,
    message: `Consumer \`${first}\`${others} ${more === 0 ? 'has' : 'have'} no plan, so ${more === 0 ? 'it gets' : 'they get'} 403 on ${routes}.`,
    help: helpFor(policy),
  });
}

export default rule;
