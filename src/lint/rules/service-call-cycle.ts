import type { Model, PolicyModel, ServiceModel } from '../../spec/model.js';
import { isConditional } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/call-cycle',
  severity: 'error',
  summary: 'A policy of a service calls that service itself',
  partial: true,
  check(model, report) {
    for (const [service, uses] of model.servicePolicies) {
      for (const { policy, span } of uses) {
        if (isConditional(policy)) continue;
        const way = wayTo(service, policy, model);
        if (way === undefined) continue;
        const calls = way.map(({ name }) => `\`${name}\`, whose policies call `).join('');
        report({
          span,
          entity: `service.${service.name}`,
          message: `Calls to service \`${service.name}\` are signed by policy \`${policy.name}\`, which calls ${calls}\`${service.name}\`: it would wait for itself.`,
          help: 'Remove the policy from this service; or declare another one with the same targets, without the policy, for the calls.',
        });
      }
    }
  },
};

/** The services over which the calls of a policy lead to `end`; empty if it calls that one, undefined if they do not. */
function wayTo(end: ServiceModel, policy: PolicyModel, model: Model): readonly ServiceModel[] | undefined {
  const seen = new Set<ServiceModel>();
  const waiting = callsOf(policy, model).map((to) => ({ to, way: [] as readonly ServiceModel[] }));
  for (const { to, way } of waiting) {
    if (to === end) return way;
    if (seen.has(to)) continue;
    seen.add(to);
    for (const { policy: signer } of model.servicePolicies.get(to) ?? [])
      if (!isConditional(signer))
        for (const next of callsOf(signer, model)) waiting.push({ to: next, way: [...way, to] });
  }
  return undefined;
}

/** The services that a policy calls, itself or by its members. */
const callsOf = (policy: PolicyModel, { calls, members }: Model): readonly ServiceModel[] =>
  [policy, ...(members.get(policy) ?? [])].flatMap((one) => calls.get(one) ?? []);

export default rule;
