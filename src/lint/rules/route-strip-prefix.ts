import type { SegmentModel } from '../../spec/model.js';
import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

/** True when some path of the route starts with the prefix. */
function canStart(segments: readonly SegmentModel[], prefix: string): boolean {
  const wanted = prefix.slice(1).split('/');
  for (const [index, text] of wanted.entries()) {
    const segment = segments[index];
    if (segment === undefined) return false;
    if (segment.kind === 'tail') return true;
    if (segment.kind === 'literal' && segment.text !== text) return false;
  }
  return true;
}

const rule: Rule = {
  code: 'route/strip-prefix',
  severity: 'error',
  summary: 'A prefix is to be stripped that the path of the route does not start with',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (route.stripPrefix === undefined || canStart(route.match.segments, route.stripPrefix)) continue;
      report({
        span: route.at.spanOf('strip_prefix'),
        entity: routeEntity(route),
        message: `No path of \`${route.name}\` starts with \`${route.stripPrefix}\`, so there is never anything to strip.`,
        related: [{ span: route.match.span, message: `its match is \`${route.match.text}\`` }],
        help: 'Write the leading segments of the path, or remove `strip_prefix`.',
      });
    }
  },
};
export default rule;
