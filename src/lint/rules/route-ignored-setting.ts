import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/ignored-setting',
  severity: 'warning',
  summary: 'A setting that has no effect on this route',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const ignored: [key: string, why: string, help: string][] = [];
      if (route.reply) {
        const why = 'the route answers by itself and asks no service';
        if (route.rewrite !== undefined) ignored.push(['rewrite', why, 'Remove it.']);
        if (route.stripPrefix !== undefined) ignored.push(['strip_prefix', why, 'Remove it.']);
      } else if (route.rewrite !== undefined && route.stripPrefix !== undefined) {
        ignored.push(['strip_prefix', '`rewrite` decides the whole path', 'Keep one of the two.']);
      }
      for (const [key, why, help] of ignored) {
        report({
          span: route.at.keySpanOf(key),
          entity: routeEntity(route),
          message: `\`${key}\` has no effect on \`${route.name}\`: ${why}.`,
          help,
        });
      }
    }
  },
};
export default rule;
