import { isConditional } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unsigned-calls',
  severity: 'warning',
  summary: 'A policy of a service does not act on calls, because it has a condition',
  partial: true,
  check(model, report) {
    for (const [caller, services] of model.calls) {
      const who = 'name' in caller ? `policy \`${String(caller.name)}\`` : 'an action';
      for (const service of services) {
        for (const { policy, span } of model.servicePolicies.get(service) ?? []) {
          if (!isConditional(policy)) continue;
          report({
            span,
            entity: `service.${service.name}`,
            message: `Policy \`${policy.name}\` does not act on the calls of ${who}: its \`when\` is about requests of clients.`,
            help: 'Remove the `when`; or declare another service with the same targets for the calls, with a policy that has none.',
          });
        }
      }
    }
  },
};
export default rule;
