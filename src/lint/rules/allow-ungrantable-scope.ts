import { suggest } from '../../schema/suggest.js';
import { accessRulesOf, possibleOn } from '../access-index.js';
import { modelIndexOf, policyEntity, quotedList, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'allow/ungrantable-scope',
  severity: 'warning',
  summary: 'A rule about access needs a scope that no caller can have',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    for (const policy of policies) {
      const wanted = accessRulesOf(policy).flatMap(({ name, scopes }) =>
        scopes.map((scope) => ({ rule: name, scope })),
      );
      if (wanted.length === 0) continue;
      const granted = possibleOn(model, routesByPolicy.get(policy)!, (one) => traitsOf(one).grants);
      if (granted === undefined) continue;
      for (const { rule: name, scope } of wanted) {
        if (granted.has(scope.name)) continue;
        const known = [...granted];
        const near = suggest(scope.name, known);
        report({
          span: policy.at.spanOf(...scope.at),
          entity: policyEntity(model, policy),
          message: `No caller can have the scope \`${scope.name}\`, so rule \`${name}\` never holds${near === undefined ? '.' : `; did you mean \`${near}\`?`}`,
          help:
            known.length === 0
              ? 'The policies that authenticate on these routes give callers no scopes. Use `groups`, or a policy for tokens such as `jwt`.'
              : `The policies that authenticate grant ${quotedList(known, 10)}.`,
        });
      }
    }
  },
};

export default rule;
