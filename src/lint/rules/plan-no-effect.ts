import { traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'plan/no-effect',
  severity: 'warning',
  summary: 'A plan sets a limit that does not count by consumer',
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
          message: `This limit has no effect: policy \`${name}\` counts by \`${by}\`, and plans apply only to limits that count by consumer.`,
          related: [
            { span: byDefault ? policy.nameSpan : policy.at.spanOf('by'), message: `\`${name}\` counts by \`${by}\`` },
          ],
          help: `Set \`by = "consumer"\` in \`[policy.${name}]\`, or remove this line.`,
        });
      }
    }
  },
};
export default rule;
