import { suggest } from '../../schema/suggest.js';
import { conditionsOf, modelIndexOf, paramsOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'expression/unknown-parameter',
  severity: 'error',
  summary: 'A condition reads a path parameter that a route does not have',
  partial: true,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    for (const policy of policies) {
      const reads = conditionsOf(policy).flatMap((condition) =>
        condition.expression.reads.map((read) => ({ ...read, spanOf: condition.spanOf })),
      );
      for (const { name, key, start, end, spanOf } of reads) {
        if (name !== 'request.params' || key === undefined) continue;
        const route = routesByPolicy.get(policy)?.find((one) => !paramsOf(one).includes(key));
        if (route === undefined) continue;
        const near = suggest(key, paramsOf(route));
        report({
          span: spanOf(start, end),
          entity: policyEntity(model, policy),
          message: `The path of route \`${route.name}\` has no parameter \`${key}\`${near === undefined ? '.' : `; did you mean \`${near}\`?`}`,
          related: [{ span: route.match.span, message: `the path of route \`${route.name}\`` }],
          help: 'Use a parameter of the path. All routes that share a policy must have the parameters that its condition reads.',
        });
      }
    }
  },
};
export default rule;
