import { modelIndexOf, policyEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'credential/in-query',
  severity: 'warning',
  summary: 'A policy reads credentials from the query',
  partial: true,
  check(model, report) {
    for (const policy of modelIndexOf(model).policies) {
      const { credential } = traitsOf(policy);
      const query = credential?.query;
      if (query === undefined) continue;
      const what = credential?.kind === 'token' ? 'tokens' : 'keys';
      report({
        span: policy.at.spanOf('query'),
        entity: policyEntity(model, policy),
        message: `Policy \`${policy.name}\` reads ${what} from the query parameter \`${query}\`: URLs are kept in browser histories, in the logs of proxies, and in \`Referer\`. gw omits it only from its own logs.`,
        help: 'Read it from a header field: `header = "authorization"`. If clients cannot send fields, give them keys that expire soon.',
      });
    }
  },
};
export default rule;
