import { modelIndexOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unused',
  severity: 'warning',
  summary: 'A service is not used by any route',
  partial: false,
  check(model, report) {
    const used = modelIndexOf(model).routesByService;
    for (const service of model.services) {
      if (used.has(service)) continue;
      report({
        span: service.nameSpan,
        entity: `service.${service.name}`,
        message: `Service \`${service.name}\` is never used: no route leads to it.`,
        help: `Add a route with \`to = "${service.name}"\`, or remove the service.`,
      });
    }
  },
};
export default rule;
