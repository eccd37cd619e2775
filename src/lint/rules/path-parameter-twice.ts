import type { Span } from '../../schema/diagnostic.js';
import { paramsOf, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'path/parameter-twice',
  severity: 'error',
  summary: 'Two parameters of a path have the same name',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (paramsOf(route).length < 2) continue;
      const seen = new Map<string, Span>();
      for (const segment of route.match.segments) {
        if (segment.kind === 'literal') continue;
        const first = seen.get(segment.name);
        if (!first) {
          seen.set(segment.name, segment.span);
          continue;
        }
        report({
          span: segment.span,
          entity: routeEntity(route),
          message: `The path of route \`${route.name}\` has two parameters named \`${segment.name}\`, so \`{${segment.name}}\` in a template is ambiguous.`,
          related: [{ span: first, message: 'first used here' }],
          help: 'Rename one of them; names do not affect what the path matches.',
        });
      }
    }
  },
};
export default rule;
