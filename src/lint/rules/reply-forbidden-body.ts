import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY = new Set([204, 205, 304]);

const rule: Rule = {
  code: 'reply/forbidden-body',
  severity: 'error',
  summary: 'A reply has a body, but its status does not allow one',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (!route.reply || route.reply.body === '' || !WITHOUT_BODY.has(route.reply.status)) continue;
      report({
        span: route.at.spanOf('reply', 'body'),
        entity: routeEntity(route),
        message: `A reply with status ${route.reply.status} cannot have a body, so this text would never be sent.`,
        related: [{ span: route.at.spanOf('reply', 'status'), message: 'the status is set here' }],
        help: 'Remove the body, or use another status, such as 200.',
      });
    }
  },
};
export default rule;
