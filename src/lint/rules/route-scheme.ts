import type { ConditionModel, RouteModel } from '../../spec/model.js';
import { schemesReceived, schemesTaken } from '../../spec/route/schemes.js';
import { listIn, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const HELP = {
  http: 'Remove the condition, or serve the route on a listener without TLS.',
  https:
    'If a proxy in front of gw terminates TLS, list its address in `trusted_proxies` of the listener: gw then reads the scheme from its `X-Forwarded-Proto` or `Forwarded` field. Otherwise set `tls` on a listener.',
} as const;

const rule: Rule = {
  code: 'route/scheme',
  severity: 'warning',
  summary: 'A route takes only requests of a scheme that none of its listeners receives',
  partial: false,
  check(model, report) {
    // Routes of a group share its condition, and one report.
    const never = new Map<ConditionModel, RouteModel[]>();
    for (const route of model.routes) {
      const condition = route.match.conditions.find(({ on }) => on === 'scheme');
      if (condition === undefined || schemesReceived(model, route).length === 0) continue;
      if (schemesTaken(model, route).length === 0) listIn(never, condition).push(route);
    }
    for (const [{ test, span }, [route, ...others]] of never) {
      if (test.op !== 'equals' || route === undefined) continue;
      const more = others.length === 0 ? '' : ` The same is true of ${others.length} more in the group.`;
      const scheme = test.value === 'http' ? 'http' : 'https';
      report({
        span,
        entity: routeEntity(route),
        message: `Route \`${route.name}\` never matches: none of its listeners receives requests over ${scheme}.${more}`,
        help: HELP[scheme],
      });
    }
  },
};
export default rule;
