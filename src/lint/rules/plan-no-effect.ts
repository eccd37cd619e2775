import { traitsOf } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/no-effect',
  severity: 'warning',
  summary: 'A plan sets a limit that is not counted by consumer, so that no plan can hold there',
  partial: true,
  check(model, report) {
    const policies = new Map(model.policies.map((policy) => [policy.name, policy]));
    for (const plan of model.plans) {
      for (const name of Object.keys(plan.config.limits)) {
        const policy = policies.get(name);
        const by = policy && traitsOf(policy).limitsBy;
        if (!policy || by === undefined || by === 'consumer') continue;
        const byDefault = policy.at.originOf('by').from === 'default';
        report({
          span: plan.at.keySpanOf('limits', name),
          entity: `plan.${plan.name}`,
          message: `This limit never holds: \`${name}\` counts by \`${by}\`, and a plan is known only where a limit counts by consumer.`,
          related: [
            { span: byDefault ? policy.nameSpan : policy.at.spanOf('by'), message: `what \`${name}\` counts by` },
          ],
          help: `Write \`by = "consumer"\` in \`[policy.${name}]\`, or remove the line.`,
        });
      }
    }
  },
};
export default rule;
