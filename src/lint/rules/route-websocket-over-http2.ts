import { routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/websocket-over-http2',
  severity: 'warning',
  summary: 'A route for WebSockets leads to a service that speaks HTTP/2',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (route.webSocket === undefined || route.service?.config.protocol !== 'h2') continue;
      report({
        span: route.at.keySpanOf('websocket'),
        entity: routeEntity(route),
        message: `WebSockets of route \`${route.name}\` are opened with HTTP/1.1 at the targets, although service \`${route.service.name}\` has \`protocol = "h2"\`: targets that speak only HTTP/2 refuse them.`,
        help: 'Use a second service with the same targets and without `protocol` for this route. If the targets speak HTTP/1.1 on the same port, silence this warning.',
      });
    }
  },
};
export default rule;
