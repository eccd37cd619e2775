import type { Model, PolicyModel } from '../../spec/model.js';
import { modelIndexOf, policyEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

/** The first policy on a route that sets a request field which clients must not set, and that field. */
function ownField(model: Model): { readonly policy: PolicyModel; readonly field: string } | undefined {
  const { policies, routesByPolicy } = modelIndexOf(model);
  for (const policy of policies) {
    const field = traitsOf(policy).ownsRequestFields?.find((name) => name.includes('-'));
    if (field !== undefined && (routesByPolicy.get(policy)?.length ?? 0) > 0) return { policy, field };
  }
  return undefined;
}

const rule: Rule = {
  code: 'listener/underscores-kept',
  severity: 'warning',
  summary: 'Clients can forge a field of a policy by writing it with underscores',
  partial: true,
  check(model, report) {
    const kept = model.listeners.filter(({ config }) => config.underscores === 'keep');
    const own = kept.length > 0 ? ownField(model) : undefined;
    if (!own) return;
    const { field, policy } = own;
    const alias = field.replaceAll('-', '_');
    for (const listener of kept) {
      report({
        span: listener.at.spanOf('underscores'),
        entity: `listener.${listener.name}`,
        message: `Listener \`${listener.name}\` forwards field names with \`_\`. Many targets (CGI, WSGI, Rack, PHP) read \`${alias}\` as \`${field}\`, so a client can forge the field that policy \`${policy.name}\` controls.`,
        related: [{ span: policy.nameSpan, message: `${policyEntity(model, policy)}` }],
        help: 'Remove `underscores`: gw then refuses a name with `_` only if it equals such a field, and forwards all others.',
      });
    }
  },
};
export default rule;
