import type { RouteModel } from '../../spec/model.js';
import { isRoutePattern, routesOfPlan } from '../../spec/plans.js';
import type { Rule } from '../rule.js';

const tagsOf = (routes: readonly RouteModel[]): ReadonlySet<string> => new Set(routes.flatMap(({ tags }) => tags));

const rule: Rule = {
  code: 'plan/no-route',
  severity: 'warning',
  summary: 'A pattern or tag of a plan matches no route',
  partial: false,
  check(model, report) {
    const tags = tagsOf(model.routes);
    for (const plan of model.plans) {
      const entity = `plan.${plan.name}`;
      for (const [index, pattern] of (plan.config.routes ?? []).entries()) {
        const alone = { ...plan, config: { ...plan.config, routes: [pattern] } };
        if (!isRoutePattern(pattern) || routesOfPlan(alone, model.routes)?.length !== 0) continue;
        report({
          span: plan.at.spanOf('routes', index),
          entity,
          message: `No route has a name like \`${pattern}\`, so this entry has no effect.`,
          help: '`*` matches any text. `gw routes` lists the names.',
        });
      }
      for (const [index, tag] of (plan.config.route_tags ?? []).entries()) {
        if (tags.has(tag)) continue;
        report({
          span: plan.at.spanOf('route_tags', index),
          entity,
          message: `No route has the tag \`${tag}\`, so this entry has no effect.`,
          help: `Add \`tags = ["${tag}"]\` to a route or group, or remove the entry.`,
        });
      }
    }
  },
};
export default rule;
