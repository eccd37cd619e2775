import type { RouteModel } from '../../spec/model.js';
import { authenticates, modelIndexOf, paramsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/hash-key',
  severity: 'warning',
  summary: 'Requests of a route never have the key of a consistent hash',
  partial: false,
  check(model, report) {
    const { routesByService } = modelIndexOf(model);
    for (const service of model.services) {
      const keys = service.config.balance?.keys ?? [];
      if (!keys.every(({ from }) => from === 'param' || from === 'consumer')) continue;
      const routes = routesByService.get(service) ?? [];
      const keyless = routes.find((route) => keys.length > 0 && !keys.some((key) => mayHave(route, key)));
      if (keyless === undefined) continue;
      const lacks = keys
        .map(({ from, name }) => (from === 'param' ? `path parameter \`${name}\`` : 'consumer'))
        .join(' and no ');
      report({
        span: service.at.spanOf('balance'),
        entity: `service.${service.name}`,
        message: `Requests of route \`${keyless.name}\` have no ${lacks}: they are balanced in turn instead of by a consistent hash.`,
        related: [{ span: keyless.match.span, message: `route \`${keyless.name}\`` }],
        help: 'Add a second key that these requests have: `hash = ["param:id", "address"]`; or forward the route to a service of its own.',
      });
    }
  },
};
export default rule;

function mayHave(route: RouteModel, { from, name }: { readonly from: string; readonly name: string }): boolean {
  return from === 'param'
    ? paramsOf(route).includes(name)
    : authenticates(route) || route.policies.some(({ policy }) => policy.phase === 'authenticate');
}
