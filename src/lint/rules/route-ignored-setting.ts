import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/ignored-setting',
  severity: 'warning',
  summary: 'A route that forwards no request has a setting for services',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (route.service !== undefined) continue;
      const ignored = [
        ...(route.rewrite === undefined ? [] : ['rewrite']),
        ...(route.stripPrefix === undefined ? [] : ['strip_prefix']),
      ];
      for (const key of ignored) {
        report({
          span: route.at.keySpanOf(key),
          entity: routeEntity(route),
          message: `\`${key}\` has no effect on route \`${route.name}\`: its action forwards no request, so no path is sent to a target.`,
          help: `Remove it, or replace \`${route.action.key}\` with \`to\` and a service.`,
        });
      }
    }
  },
};
export default rule;
