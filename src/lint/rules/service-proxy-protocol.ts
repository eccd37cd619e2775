import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/proxy-protocol',
  severity: 'error',
  summary: 'A service with `proxy_protocol` speaks HTTP/2, whose connections serve all clients',
  partial: true,
  check(model, report) {
    for (const { name, config, at } of model.services) {
      if (config.proxy_protocol === undefined || config.protocol !== 'h2') continue;
      report({
        span: at.spanOf('proxy_protocol'),
        entity: `service.${name}`,
        message: `Service \`${name}\` sends PROXY headers, which say one client address for a connection, but a connection of HTTP/2 serves many clients.`,
        help: 'Remove `proxy_protocol`: targets of HTTP/2 find the client in `X-Forwarded-For`. Or remove `protocol = "h2"`.',
      });
    }
  },
};
export default rule;
