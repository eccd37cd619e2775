import { accessRulesOf, possibleOn } from '../access-index.js';
import { modelIndexOf, policyEntity, quotedList, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'allow/ungrantable-claim',
  severity: 'warning',
  summary: 'A rule about access needs a role or a claim that no caller can have',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    for (const policy of policies) {
      const wanted = accessRulesOf(policy).flatMap(({ name, claims = [] }) =>
        claims.map((claim) => ({ rule: name, ...claim })),
      );
      if (wanted.length === 0) continue;
      const possible = possibleOn(model, routesByPolicy.get(policy)!, (one) => traitsOf(one).claims);
      if (possible === undefined) continue;
      const known = [...possible];
      for (const { rule: name, names, at } of wanted) {
        // `address.country` is the claim of that name, or a member of `address`.
        if (names.some((claim) => possible.has(claim) || possible.has(claim.split('.', 1)[0]!))) continue;
        report({
          span: policy.at.spanOf(...at),
          entity: policyEntity(model, policy),
          message: `No caller can have the claim ${names.map((claim) => `\`${claim}\``).join(' or ')}, so rule \`${name}\` never holds.`,
          help:
            known.length === 0
              ? 'The policies that authenticate on these routes give callers no claims. Use `groups`, or a policy for tokens such as `jwt`.'
              : `The policies that authenticate on these routes give callers only the claims ${quotedList(known, 10)}. Use \`groups\`, or a policy for tokens such as \`jwt\`.`,
        });
      }
    }
  },
};

export default rule;
