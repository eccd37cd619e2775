import { modelIndexOf, policyEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const ADDRESS_FIELDS = new Set(['x-forwarded-for', 'x-real-ip', 'forwarded', 'true-client-ip', 'cf-connecting-ip']);

const rule: Rule = {
  code: 'limit/spoofable-key',
  severity: 'warning',
  summary: 'A limit counts by a header field that clients can choose freely',
  partial: true,
  check(model, report) {
    for (const policy of modelIndexOf(model).policies) {
      const key = traitsOf(policy).limitsBy;
      if (!key?.startsWith('header:')) continue;
      const field = key.slice('header:'.length);
      report({
        span: policy.at.spanOf('by'),
        entity: policyEntity(model, policy),
        message: `Clients choose the value of \`${field}\`: a client that changes it with each request is never limited.`,
        help: ADDRESS_FIELDS.has(field)
          ? 'Set `by = "ip"`, and list the proxies in front of gw in `trusted_proxies` of the listener.'
          : 'Count by a value that clients cannot choose: `by = "consumer"` or `by = "ip"`.',
      });
    }
  },
};
export default rule;
