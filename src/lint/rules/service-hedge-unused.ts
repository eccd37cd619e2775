import { isIP } from 'node:net';
import { formatDuration } from '../../schema/units.js';
import type { ServiceModel } from '../../spec/model.js';
import type { Rule } from '../rule.js';

/** Whether a service can only have one target: no discovery, no managed instances, and no name that may have several addresses. */
function hasOneTarget({ config }: ServiceModel): boolean {
  if (config.discover !== undefined || config.run !== undefined) return false;
  const targets = config.targets ?? [];
  if (targets.length > 1) return false;
  const text = targets[0]?.url;
  if (typeof text !== 'string') return false;
  if (text.startsWith('unix:')) return true;
  const host = new URL(text).hostname.replace(/^\[|\]$/g, '');
  return isIP(host) !== 0 || host === 'localhost';
}

const rule: Rule = {
  code: 'service/hedge-unused',
  severity: 'warning',
  summary: 'No attempt can begin beside another one',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      const { at, config, name } = service;
      const { retry } = config;
      if (retry?.hedge === undefined) continue;
      const span = at.spanOf('retry', 'hedge');
      const entity = `service.${name}`;
      if (hasOneTarget(service))
        report({
          span,
          entity,
          message: `Service \`${name}\` has one target, but \`hedge\` begins an attempt at a different one: it has no effect.`,
          help: 'Add a target, or remove `hedge`.',
        });
      const { after, percentile } = retry.hedge;
      const limit = Math.min(retry.attempt_timeout ?? config.response_timeout, config.response_timeout);
      if (percentile === undefined && after >= limit)
        report({
          span,
          entity,
          message: `Service \`${name}\` begins another attempt after ${formatDuration(after)}, but the first one is over after ${formatDuration(limit)}: \`hedge\` has no effect.`,
          help: 'Set `hedge` to a time within which most replies begin, or to a percentile such as `"p95"`.',
        });
    }
  },
};
export default rule;
