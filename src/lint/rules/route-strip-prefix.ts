import { normalizeLiteral } from '../../bundle/normalize.js';
import type { SegmentModel } from '../../spec/model.js';
import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

/** What is wrong with the prefix: undefined where every path of the route begins with it. */
function problem(segments: readonly SegmentModel[], prefix: string): string | undefined {
  const wanted = prefix.slice(1).split('/');
  if (wanted.some((text) => /[{}]/.test(text)))
    return `\`${prefix}\` holds a parameter, but a prefix is literal text: no path begins with these characters.`;
  let always = true;
  for (const [index, text] of wanted.entries()) {
    const segment = segments[index];
    if (segment === undefined || (segment.kind === 'literal' && segment.text !== normalizeLiteral(text)))
      return `No path of this route starts with \`${prefix}\`, so there is never anything to strip.`;
    if (segment.kind === 'literal') continue;
    always = false;
    if (segment.kind === 'tail') break;
  }
  if (always) return undefined;
  return `Not every path of this route starts with \`${prefix}\`: the others would be sent on with nothing stripped.`;
}

const rule: Rule = {
  code: 'route/strip-prefix',
  severity: 'error',
  summary: 'A prefix is to be stripped that not every path of the route starts with',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (route.stripPrefix === undefined) continue;
      const message = problem(route.match.segments, route.stripPrefix);
      if (message === undefined) continue;
      report({
        span: route.at.spanOf('strip_prefix'),
        entity: routeEntity(route),
        message,
        related: [{ span: route.match.span, message: `its match is \`${route.match.text}\`` }],
        help: 'Write the literal segments that the match begins with, or send another path with `rewrite`, which takes parameters.',
      });
    }
  },
};
export default rule;
