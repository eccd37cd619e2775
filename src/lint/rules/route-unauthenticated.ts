import type { RouteModel } from '../../spec/model.js';
import {
  authenticates,
  isConditional,
  listIn,
  modelIndexOf,
  quotedList,
  routeEntity,
  traitsOf,
} from '../model-index.js';
import type { Rule } from '../rule.js';

/** Public reads beside authenticated writes are common and sensible. */
const isRead = (route: RouteModel): boolean =>
  route.match.methods.length > 0 && route.match.methods.every((method) => /^(GET|HEAD|OPTIONS)$/.test(method));

/** Authentication removed with `without` was not forgotten. */
const isMeant = (route: RouteModel): boolean => route.without.some((policy) => traitsOf(policy).authenticates === true);

const isPreflight = (route: RouteModel): boolean =>
  route.match.methods.length === 1 && route.match.methods[0] === 'OPTIONS';

function judge(routes: readonly RouteModel[]): { open: RouteModel[]; guarded: RouteModel[] } {
  const guarded = routes.filter(authenticates);
  if (guarded.length === 0 || guarded.length === routes.length) return { open: [], guarded };
  const guardsReads = guarded.some((route) => !isWriteOnly(route));
  const open = routes.filter(
    (route) => !authenticates(route) && !isMeant(route) && !isPreflight(route) && (guardsReads || !isRead(route)),
  );
  // If most routes are open, the guarded ones are the exception.
  return { open: open.length > guarded.length ? [] : open, guarded };
}

const isWriteOnly = (route: RouteModel): boolean =>
  route.match.methods.length > 0 && !route.match.methods.some((method) => /^(GET|HEAD)$/.test(method));

/** Says that the authenticator of a route has a condition. */
function conditionalOn(route: RouteModel): string {
  const use = route.policies.find(({ policy }) => policy.phase === 'authenticate' && isConditional(policy));
  return use === undefined ? '' : ` whenever the condition of policy \`${use.policy.name}\` does not hold`;
}

/** Routes of the same hosts and path, which differ in their methods or conditions. */
function siblings(routes: readonly RouteModel[]): Iterable<readonly RouteModel[]> {
  const byPath = new Map<string, RouteModel[]>();
  for (const route of routes) {
    const { hosts, text } = route.match;
    listIn(byPath, [...hosts, text.slice(text.indexOf('/'))].join(' ')).push(route);
  }
  return byPath.values();
}

const rule: Rule = {
  code: 'route/unauthenticated',
  severity: 'warning',
  summary: 'A route has no authentication, but other routes to its service or path do',
  partial: false,
  check(model, report) {
    const reported = new Set<RouteModel>();
    for (const [service, routes] of modelIndexOf(model).routesByService)
      judgeAll(routes, (route) => `reaches service \`${service.name}\` without authentication${conditionalOn(route)}`);
    for (const routes of siblings(model.routes))
      judgeAll(routes, (route) => `answers the same path without authentication${conditionalOn(route)}`);

    function judgeAll(routes: readonly RouteModel[], what: (route: RouteModel) => string): void {
      const { open, guarded } = judge(routes);
      const like = guarded[0];
      if (!like) return;
      const policy = like.policies.find(({ policy: { phase } }) => phase === 'authenticate');
      const others = quotedList(
        guarded.map(({ name }) => name),
        2,
      );
      for (const route of open) {
        if (reported.has(route)) continue;
        reported.add(route);
        report({
          span: route.nameSpan,
          entity: routeEntity(route),
          message: `Route \`${route.name}\` ${what(route)}, but ${others} ${guarded.length === 1 ? 'requires' : 'require'} it.`,
          related: [{ span: policy?.span ?? like.nameSpan, message: `\`${like.name}\` authenticates here` }],
          help: `Add an authenticating policy${policy ? ` (\`${policy.policy.name}\`)` : ''} to the route. If the route is meant to be public, add this warning to \`[lint].allow\`.`,
        });
      }
    }
  },
};
export default rule;
