import type { Model, PolicyModel } from '../../spec/model.js';
import { factsOf, policyEntity, traitsOf } from '../facts.js';
import type { Rule } from '../rule.js';

/** The first policy on a route that relies on a field of the request being its own, and that field. */
function ownField(model: Model): { readonly policy: PolicyModel; readonly field: string } | undefined {
  const { policies, routesByPolicy } = factsOf(model);
  for (const policy of policies) {
    const field = traitsOf(policy).ownsRequestFields?.find((name) => name.includes('-'));
    if (field !== undefined && (routesByPolicy.get(policy)?.length ?? 0) > 0) return { policy, field };
  }
  return undefined;
}

const rule: Rule = {
  code: 'listener/underscores-kept',
  severity: 'warning',
  summary: 'Clients can send a field that a policy sets, spelt with underscores',
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
        message: `\`${listener.name}\` passes on field names with \`_\`, and many targets (CGI, WSGI, Rack, PHP) read \`${alias}\` as \`${field}\`, which is not the client's to set: policy \`${policy.name}\` does.`,
        related: [{ span: policy.nameSpan, message: `${policyEntity(model, policy)}` }],
        help: 'Leave `underscores` out: names with `_` are then refused where they would be such a field, and passed on otherwise.',
      });
    }
  },
};
export default rule;
