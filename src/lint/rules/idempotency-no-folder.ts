import { modelIndexOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'idempotency/no-folder',
  severity: 'error',
  summary: 'Idempotency keys are kept on disk, but the spec names no folder',
  partial: true,
  check(model, report) {
    if (model.state.path !== undefined) return;
    for (const policy of modelIndexOf(model).policies) {
      if (policy.declaration.use !== 'idempotency' || !(policy.config as { readonly disk: boolean }).disk) continue;
      report({
        span: policy.at.spanOf('disk'),
        entity: policyEntity(model, policy),
        message: `Policy \`${policy.name}\` keeps its keys on disk, but the spec names no folder for what survives a restart.`,
        help: 'Add `[state]` with `path = "state"`, or remove `disk`.',
      });
    }
  },
};
export default rule;
