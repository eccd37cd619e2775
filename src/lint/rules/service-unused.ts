import { factsOf } from '../facts.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unused',
  severity: 'warning',
  summary: 'A service that no route leads to',
  partial: false,
  check(model, report) {
    const used = factsOf(model).routesByService;
    for (const service of model.services) {
      if (used.has(service)) continue;
      report({
        span: service.nameSpan,
        entity: `service.${service.name}`,
        message: `No route leads to the service \`${service.name}\`.`,
        help: `Add a route with \`to = "${service.name}"\`, or remove the service.`,
      });
    }
  },
};
export default rule;
