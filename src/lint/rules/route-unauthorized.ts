import type { RouteModel } from '../../spec/model.js';
import { authenticates, isConditional, modelIndexOf, quotedList, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Whether a policy decides about access for every request. */
const authorizes = (route: RouteModel): boolean =>
  route.policies.some(({ policy }) => policy.phase === 'authorize' && !isConditional(policy));

const isRead = ({ match: { methods } }: RouteModel): boolean =>
  methods.length > 0 && methods.every((method) => /^(GET|HEAD|OPTIONS)$/.test(method));

/** What was removed with `without` was not forgotten. */
const isMeant = (route: RouteModel): boolean => route.without.some(({ phase }) => phase === 'authorize');

const rule: Rule = {
  code: 'route/unauthorized',
  severity: 'warning',
  summary: 'A route has no rules about access, but other routes to its service do',
  partial: false,
  check(model, report) {
    for (const [service, routes] of modelIndexOf(model).routesByService) {
      // A route without authentication is reported by another rule.
      const candidates = routes.filter(authenticates);
      const guarded = candidates.filter(authorizes);
      const guardsReads = guarded.some(isRead);
      const open = candidates.filter(
        (route) => !authorizes(route) && !isMeant(route) && (guardsReads || !isRead(route)),
      );
      const like = guarded[0];
      // If most routes are open, the guarded ones are the exception.
      if (like === undefined || open.length > guarded.length) continue;
      const use = like.policies.find(({ policy: { phase } }) => phase === 'authorize');
      const others = quotedList(
        guarded.map(({ name }) => name),
        2,
      );
      for (const route of open)
        report({
          span: route.nameSpan,
          entity: routeEntity(route),
          message: `Every caller with credentials reaches service \`${service.name}\` by route \`${route.name}\`, but ${others} ${guarded.length === 1 ? 'has' : 'have'} rules about access.`,
          related: [{ span: use?.span ?? like.nameSpan, message: `\`${like.name}\` decides about access here` }],
          help: `Add a policy that decides${use === undefined ? '' : ` (\`${use.policy.name}\`)`} to the route. If every caller may use the route, add this warning to \`[lint].allow\`.`,
        });
    }
  },
};
export default rule;
