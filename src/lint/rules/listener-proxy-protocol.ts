import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/proxy-protocol',
  severity: 'error',
  summary: 'A listener with `proxy_protocol` has no trusted proxies, so it refuses every connection',
  partial: true,
  check(model, report) {
    for (const { name, config, at } of model.listeners) {
      const { address, proxy_protocol, trusted_proxies } = config;
      // `unix` is not an address: it lets only the clients of unix sockets send headers.
      if (!proxy_protocol || trusted_proxies.some((range) => range !== 'unix')) continue;
      if (typeof address === 'string' && address.startsWith('unix:')) continue;
      report({
        span: at.spanOf('proxy_protocol'),
        entity: `listener.${name}`,
        message: `Listener \`${name}\` expects PROXY headers, but no address may send them${trusted_proxies.length > 0 ? ': `unix` allows only clients of unix sockets' : ''}.`,
        help: 'Set `trusted_proxies` to the addresses of the load balancers in front, for example `trusted_proxies = ["10.0.0.0/8"]`.',
      });
    }
  },
};
export default rule;
