import { normalizeLiteral } from '../../bundle/normalize.js';
import type { SegmentModel } from '../../spec/model.js';
import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** What is wrong with the prefix; undefined if every path of the route begins with it. */
function problem(segments: readonly SegmentModel[], prefix: string): string | undefined {
  const wanted = prefix.slice(1).split('/');
  if (wanted.some((text) => /[{}]/.test(text)))
    return `\`${prefix}\` contains a parameter, but a prefix is literal text.`;
  let always = true;
  for (const [index, text] of wanted.entries()) {
    const segment = segments[index];
    if (segment === undefined || (segment.kind === 'literal' && segment.text !== normalizeLiteral(text)))
      return `No path of this route begins with \`${prefix}\`, so there is nothing to strip.`;
    if (segment.kind === 'literal') continue;
    always = false;
    if (segment.kind === 'tail') break;
  }
  if (always) return undefined;
  return `Not every path of this route begins with \`${prefix}\`; the others would be forwarded unchanged.`;
}

const rule: Rule = {
  code: 'route/strip-prefix',
  severity: 'error',
  summary: 'Not every path of the route begins with the prefix to strip',
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
        related: [{ span: route.match.span, message: `the match is \`${route.match.text}\`` }],
        help: 'Write the literal segments that the match begins with, or use `rewrite`, which can contain parameters.',
      });
    }
  },
};
export default rule;
