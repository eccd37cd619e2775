import type { PolicyModel, PolicyUse, RouteModel } from '../../spec/model.js';
import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Reply fields with the status of a call, and request fields that every library sends. */
const NEEDED = { expose: ['grpc-status', 'grpc-message'], headers: ['content-type', 'x-grpc-web'] } as const;

const WHY = {
  expose: 'so pages see no status of calls that fail',
  headers: 'so browsers send no call',
} as const;

const rule: Rule = {
  code: 'grpc-web/cors',
  severity: 'warning',
  summary: 'A cors policy does not permit what gRPC-Web needs',
  partial: true,
  check(model, report) {
    // One report for each policy, whatever the number of its routes.
    const seen = new Set<PolicyModel>();
    for (const route of model.routes) {
      const pages = corsOf(route);
      if (pages === undefined || seen.has(pages.policy)) continue;
      seen.add(pages.policy);
      for (const key of ['headers', 'expose'] as const) {
        const missing = missingIn(pages.policy, key);
        if (missing.length === 0) continue;
        const names = missing.map((name) => `\`${name}\``).join(' and ');
        report({
          span: pages.policy.at.spanOf(key),
          entity: routeEntity(route),
          message: `Route \`${route.name}\` is for gRPC-Web, but \`${key}\` of \`${pages.policy.name}\` does not have ${names}, ${WHY[key]}.`,
          help: `Add ${missing.map((name) => `"${name}"`).join(', ')} to \`${key}\`.`,
        });
      }
    }
  },
};
export default rule;

/** The cors policy of a route that also has grpc-web. */
function corsOf(route: RouteModel): PolicyUse | undefined {
  const uses = (kind: string): PolicyUse | undefined =>
    route.policies.find(({ policy }) => policy.declaration.use === kind);
  return uses('grpc-web') === undefined ? undefined : uses('cors');
}

function missingIn({ config }: PolicyModel, key: keyof typeof NEEDED): readonly string[] {
  const listed = ((config as { readonly [name: string]: unknown })[key] as readonly string[]).map((name) =>
    name.toLowerCase(),
  );
  return listed.includes('*') ? [] : NEEDED[key].filter((name) => !listed.includes(name));
}
