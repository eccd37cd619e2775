import { isConditional, modelIndexOf, policyEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/call-field',
  severity: 'error',
  summary: 'A policy and the service that it calls set the same field',
  partial: false,
  check(model, report) {
    for (const caller of modelIndexOf(model).policies) {
      const callFields = lower(traitsOf(caller).callFields);
      for (const service of model.calls.get(caller) ?? []) {
        for (const { policy, span } of model.servicePolicies.get(service) ?? []) {
          // Then service/call-cycle says what is wrong.
          if (policy === caller) continue;
          const fields = isConditional(policy) ? [] : lower(traitsOf(policy).ownsRequestFields);
          const field = fields.find((name) => callFields.includes(name));
          if (field === undefined) continue;
          const target = caller.declaration.calls?.(caller.config).find((each) => each.service === service.name);
          report({
            span: caller.at.spanOf(...(target?.at ?? [])),
            entity: policyEntity(model, caller),
            message: `Policy \`${caller.name}\` sends \`${field}\` to service \`${service.name}\`, and policy \`${policy.name}\` of the service sets the same field.`,
            related: [{ span, message: `the service has policy \`${policy.name}\` here` }],
            help: 'The service could take the credential of gw for the one that it is asked about. Use another field in one of the two policies.',
          });
        }
      }
    }
  },
};

/** Custom policies may write names in any case. */
const lower = (names: readonly string[] = []): string[] => names.map((name) => name.toLowerCase());

export default rule;
