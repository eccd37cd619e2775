import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/ignored-setting',
  severity: 'warning',
  summary: 'A setting for a service on a route that asks none',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (!route.reply) continue;
      const ignored = [
        ...(route.rewrite === undefined ? [] : ['rewrite']),
        ...(route.stripPrefix === undefined ? [] : ['strip_prefix']),
      ];
      for (const key of ignored) {
        report({
          span: route.at.keySpanOf(key),
          entity: routeEntity(route),
          message: `\`${key}\` has no effect on \`${route.name}\`: the route answers by itself, so no path is sent to anybody.`,
          help: 'Remove it, or let the route lead to a service with `to`.',
        });
      }
    }
  },
};
export default rule;
