/** The policies that services have for their routes, and for calls to them: `policies = ["sign"]` of `[service.NAME]`. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { Model, PolicyModel, PolicyUse, ServiceModel } from './model.js';
import { type DeclaredNames, unresolved } from './names.js';

/** Resolves the names, and reports those that are unknown and policies that need the whole request. */
export function servicePolicies(
  services: readonly ServiceModel[],
  policies: DeclaredNames<PolicyModel>,
  report: (diagnostic: Diagnostic) => void,
): ReadonlyMap<ServiceModel, readonly PolicyUse[]> {
  const uses = new Map<ServiceModel, readonly PolicyUse[]>();
  for (const service of services) {
    const { at, config, name } = service;
    const entity = `service.${name}`;
    const found: PolicyUse[] = [];
    for (const [index, wanted] of config.policies.entries()) {
      const span = at.spanOf('policies', index);
      const policy = policies.get(wanted);
      if (policy === undefined) {
        if (!policies.isKnown(wanted)) report({ ...unresolved('policy', wanted, span, policies), entity });
      } else if (policy.declaration.onService !== true)
        report({
          code: 'service/policy',
          severity: 'error',
          span,
          message: `A service cannot have policy \`${wanted}\`: ${policy.declaration.use} acts on the whole request.`,
          help: `Add \`"${wanted}"\` to \`policies\` of the routes, of a group, or of \`[defaults]\`.`,
          entity,
        });
      else found.push({ policy, span, from: 'service' });
    }
    if (found.length > 0) uses.set(service, found);
  }
  return uses;
}

/** The names of the services that name a policy. */
export function servicesByPolicy({
  servicePolicies: uses,
}: Pick<Model, 'servicePolicies'>): Map<PolicyModel, string[]> {
  const found = new Map<PolicyModel, string[]>();
  for (const [{ name }, policies] of uses)
    for (const { policy } of policies) found.set(policy, [...(found.get(policy) ?? []), name]);
  return found;
}
