import { conditionsOf, modelIndexOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'expression/before-authentication',
  severity: 'error',
  summary: 'A condition reads the consumer or claims before authentication',
  partial: true,
  check(model, report) {
    for (const policy of modelIndexOf(model).policies) {
      const { declaration, phase } = policy;
      if (phase !== 'guard' && phase !== 'authenticate') continue;
      for (const condition of conditionsOf(policy)) {
        const { reads } = condition.expression;
        // A condition on the reply is evaluated when authentication has ended.
        if (reads.some(({ name }) => name.startsWith('reply.'))) continue;
        const early = reads.find(({ name }) => name.startsWith('consumer.') || name === 'claims');
        if (early === undefined) continue;
        report({
          span: condition.spanOf(early.start, early.end),
          entity: policyEntity(model, policy),
          message: `\`${early.name}\` is not known when policy \`${policy.name}\` (\`${declaration.use}\`, phase ${phase}) begins: authentication has not ended, so it is always empty.`,
          help: 'Use a condition on the request, such as `"authorization" in request.headers`.',
        });
      }
    }
  },
};
export default rule;
