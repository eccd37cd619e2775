/** Resolves the policies that other policies compose: the members of any-of. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { PolicyModel, RouteModel } from './model.js';
import { type DeclaredNames, unresolved } from './names.js';

type Report = (diagnostic: Diagnostic) => void;

/** The members of each policy that has some. Reports names that are unknown, or that cannot be members. */
export function resolveMembers(
  policies: DeclaredNames<PolicyModel>,
  routes: readonly RouteModel[],
  report: Report,
): ReadonlyMap<PolicyModel, readonly PolicyModel[]> {
  const inPlace = routes.flatMap((route) => route.policies.map(({ policy }) => policy).filter((one) => one.inPlace));
  const byPolicy = new Map<PolicyModel, readonly PolicyModel[]>();
  for (const policy of new Set([...policies.values, ...inPlace])) {
    const names = policy.declaration.members?.(policy.config) ?? [];
    const members: PolicyModel[] = [];
    for (const { name, at } of names) {
      const span = policy.at.spanOf(...at);
      const entity = `policy.${policy.name}`;
      const member = policies.get(name);
      if (member === undefined) {
        if (!policies.isKnown(name)) report({ ...unresolved('policy', name, span, policies), entity });
        continue;
      }
      const fault = faultOf(policy, member);
      if (fault === undefined) members.push(member);
      else
        report({
          code: 'policy/member',
          severity: 'error',
          span,
          message: `Policy \`${name}\` cannot be a member of \`${policy.name}\`: ${fault}.`,
          related: [{ span: member.nameSpan, message: 'declared here' }],
          help: `List policies of the ${policy.phase} phase without \`when\` and without members.`,
          entity,
        });
    }
    if (members.length > 0) byPolicy.set(policy, members);
  }
  return byPolicy;
}

/** Why a policy cannot be a member of another one; undefined if it can. Members of members would allow cycles. */
function faultOf(policy: PolicyModel, member: PolicyModel): string | undefined {
  const { declaration, phase } = member;
  if (declaration.unchecked === true) return undefined;
  if (member.when !== undefined) return 'it has a `when`';
  if ((declaration.members?.(member.config) ?? []).length > 0) return 'it composes policies itself';
  if (phase !== policy.phase) return `it runs in the ${phase} phase`;
  if (phase === 'authenticate' && declaration.authenticator !== true)
    return `policies of the kind \`${declaration.use}\` cannot be composed`;
  return undefined;
}
