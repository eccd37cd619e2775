import { parseTemplate, unknownVariable } from '../../schema/template.js';
import { spanWithin } from '../edits.js';
import { paramsOf, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'template/unknown-variable',
  severity: 'error',
  summary: 'A template uses an unknown variable or path parameter',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const parsed = route.rewrite === undefined ? undefined : parseTemplate(route.rewrite);
      if (!parsed || 'error' in parsed) continue;
      const params = new Set(paramsOf(route));
      for (const { name, offset } of parsed.variables) {
        const message = unknownVariable(name, params, false);
        if (message === undefined) continue;
        const length = route.rewrite!.indexOf('}', offset) + 1 - offset;
        report({
          span: spanWithin(model, route.at.spanOf('rewrite'), route.rewrite!.slice(offset, offset + length)),
          entity: routeEntity(route),
          message,
          related: [{ span: route.match.span, message: `the path of route \`${route.name}\`` }],
          help: 'Use a parameter of the path, or a variable such as `{consumer.name}` or `{request.id}`.',
        });
      }
    }
  },
};
export default rule;
