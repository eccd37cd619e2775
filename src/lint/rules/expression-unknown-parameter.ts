import { suggest } from '../../schema/suggest.js';
import type { RouteModel } from '../../spec/model.js';
import { conditionsOf, modelIndexOf, paramsOf, policyEntity, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'expression/unknown-parameter',
  severity: 'error',
  summary: 'A condition reads a path parameter that a route does not have',
  partial: true,
  check(model, report) {
    for (const route of model.routes)
      for (const { expression, spanOf } of route.expressions)
        for (const { name, key, start, end } of expression.reads) {
          if (name !== 'request.params' || key === undefined || paramsOf(route).includes(key)) continue;
          const { message, related } = missing(route, key);
          report({
            span: spanOf(start, end),
            entity: routeEntity(route),
            message,
            related,
            help: 'Use a parameter of the path.',
          });
        }
    const { policies, routesByPolicy } = modelIndexOf(model);
    for (const policy of policies) {
      const reads = conditionsOf(policy).flatMap((condition) =>
        condition.expression.reads.map((read) => ({ ...read, spanOf: condition.spanOf })),
      );
      for (const { name, key, start, end, spanOf } of reads) {
        if (name !== 'request.params' || key === undefined) continue;
        const route = routesByPolicy.get(policy)?.find((one) => !paramsOf(one).includes(key));
        if (route === undefined) continue;
        const { message, related } = missing(route, key);
        report({
          span: spanOf(start, end),
          entity: policyEntity(model, policy),
          message,
          related,
          help: 'Use a parameter of the path. All routes that share a policy must have the parameters that its condition reads.',
        });
      }
    }
  },
};
export default rule;

function missing(route: RouteModel, key: string) {
  const near = suggest(key, paramsOf(route));
  return {
    message: `The path of route \`${route.name}\` has no parameter \`${key}\`${near === undefined ? '.' : `; did you mean \`${near}\`?`}`,
    related: [{ span: route.match.span, message: `the path of route \`${route.name}\`` }],
  };
}
