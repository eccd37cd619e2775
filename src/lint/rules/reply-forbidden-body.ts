import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY = new Set([204, 205, 304]);

const rule: Rule = {
  code: 'reply/forbidden-body',
  severity: 'error',
  summary: 'A body on a status that has none',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (!route.reply || route.reply.body === '' || !WITHOUT_BODY.has(route.reply.status)) continue;
      report({
        span: route.at.spanOf('reply', 'body'),
        entity: routeEntity(route),
        message: `A reply with status ${route.reply.status} has no body, so this text could never be sent.`,
        related: [{ span: route.at.spanOf('reply', 'status'), message: 'the status' }],
        help: 'Remove the body, or answer with another status, such as 200.',
      });
    }
  },
};
export default rule;
