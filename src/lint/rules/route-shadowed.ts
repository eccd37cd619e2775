import { quotedList, routeEntity } from '../model-index.js';
import { overlapsOf } from '../overlap/index.js';
import type { Rule } from '../rule.js';

const MOST_RELATED = 3;

const rule: Rule = {
  code: 'route/shadowed',
  severity: 'warning',
  summary: 'A route never matches, because more specific routes take all its requests',
  partial: false,
  check(model, report) {
    for (const { route, by, everyMethod } of overlapsOf(model).shadows) {
      const takes = by.length === 1 ? 'takes' : 'together take';
      const what = everyMethod ? 'all its requests' : 'its requests of every common method (GET, POST, ...)';
      report({
        span: route.match.span,
        entity: routeEntity(route),
        message: `Route \`${route.name}\` ${everyMethod ? 'never matches' : 'almost never matches'}: ${quotedList(by.map(({ name }) => name))} ${takes} ${what}, because ${by.length === 1 ? 'it is' : 'they are'} more specific.`,
        related: by.slice(0, MOST_RELATED).map((other) => ({
          span: other.match.span,
          message: `\`${other.name}\` has precedence`,
        })),
        help: 'Remove the route, or narrow the routes that shadow it.',
      });
    }
  },
};
export default rule;
