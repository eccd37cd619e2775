import { modelIndexOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unused',
  severity: 'warning',
  summary: 'A service is not used by any route or policy',
  partial: false,
  check(model, report) {
    const used = modelIndexOf(model).routesByService;
    const called = new Set([...model.calls.values()].flat());
    for (const service of model.services) {
      if (used.has(service) || called.has(service)) continue;
      report({
        span: service.nameSpan,
        entity: `service.${service.name}`,
        message: `Service \`${service.name}\` is never used: no route leads to it, and no policy calls it.`,
        help: `Add a route with \`to = "${service.name}"\`, or remove the service.`,
      });
    }
  },
};
export default rule;
