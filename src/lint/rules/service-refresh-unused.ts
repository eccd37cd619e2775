import { isIP } from 'node:net';
import type { Span } from '../../schema/diagnostic.js';
import type { ServiceModel } from '../../spec/model.js';
import { isLoopback } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'service/refresh-unused',
  severity: 'warning',
  summary: 'A service has `refresh`, but no name that is looked up',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      if (service.config.refresh === undefined || looksUp(service)) continue;
      const span = service.at.keySpanOf('refresh');
      // Inherited from the defaults, it is for the other services.
      if (!contains(service.span, span)) continue;
      report({
        span,
        entity: `service.${service.name}`,
        message: `\`refresh\` of service \`${service.name}\` has no effect: ${service.config.run === undefined ? 'its targets are addresses' : 'gw starts its targets'}, so no name is looked up.`,
        help: 'Remove `refresh`, or write names in `targets`.',
      });
    }
  },
};
export default rule;

/** References may stand for names, and sources name targets. */
function looksUp(service: ServiceModel): boolean {
  const { discover, targets = [] } = service.config;
  if (discover !== undefined || targets.some(({ url }) => typeof url !== 'string')) return true;
  return [...targetsOf(service)].some(({ endpoint: { host } }) => isIP(host) === 0 && !isLoopback(host));
}

const contains = (whole: Span, part: Span): boolean =>
  whole.file === part.file && whole.start.offset <= part.start.offset && part.end.offset <= whole.end.offset;
