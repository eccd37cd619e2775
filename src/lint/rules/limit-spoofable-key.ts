import { factsOf, policyEntity, traitsOf } from '../facts.js';
import type { Rule } from '../rule.js';

const ADDRESS_FIELDS = new Set(['x-forwarded-for', 'x-real-ip', 'forwarded', 'true-client-ip', 'cf-connecting-ip']);

const rule: Rule = {
  code: 'limit/spoofable-key',
  severity: 'warning',
  summary: 'A limit counts by a header that the caller is free to choose',
  partial: true,
  check(model, report) {
    for (const policy of factsOf(model).policies) {
      const key = traitsOf(policy).limitsBy;
      if (!key?.startsWith('header:')) continue;
      const field = key.slice('header:'.length);
      report({
        span: policy.at.spanOf('by'),
        entity: policyEntity(model, policy),
        message: `Callers choose the field \`${field}\` themselves: whoever sends another value with each request is never limited.`,
        help: ADDRESS_FIELDS.has(field)
          ? 'Count by address, `by = "ip"`, and name the proxies in front under `trusted_proxies` of the listener.'
          : 'Count by something that is proved, `by = "consumer"` or `by = "ip"`.',
      });
    }
  },
};
export default rule;
