import { quotedList, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/ignored-setting',
  severity: 'warning',
  summary: 'A setting of a route for services or WebSockets has no effect',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      const { at, match, name, service, webSocket } = route;
      const entity = routeEntity(route);
      if (service !== undefined) {
        // RFC 6455 section 4.1. That of HTTP/2 is matched as GET.
        if (webSocket === undefined || match.methods.length === 0 || match.methods.includes('GET')) continue;
        report({
          span: at.keySpanOf('websocket'),
          entity,
          message: `\`websocket\` has no effect on route \`${name}\`: a WebSocket begins with a GET request, and the route takes only ${quotedList(match.methods)}.`,
          help: 'Remove it, or add GET to the methods of `match`.',
        });
        continue;
      }
      // Not `stream`: also without a service it lifts the timeout of the route.
      const ignored = [
        ...(route.rewrite === undefined ? [] : [['rewrite', 'no path is sent to a target']]),
        ...(route.stripPrefix === undefined ? [] : [['strip_prefix', 'no path is sent to a target']]),
        ...(route.streamIdleTimeout === undefined ? [] : [['stream_idle_timeout', 'no reply comes from a target']]),
        ...(webSocket === undefined ? [] : [['websocket', 'no WebSocket is opened']]),
      ] as const;
      for (const [key = '', why] of ignored) {
        report({
          span: at.keySpanOf(key),
          entity,
          message: `\`${key}\` has no effect on route \`${name}\`: its action forwards no request, so ${why}.`,
          help: `Remove it, or replace \`${route.action.key}\` with \`to\` and a service.`,
        });
      }
    }
  },
};
export default rule;
