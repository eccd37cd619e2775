import { endpointOf, isAnyAddress, isPrivate } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/public-without-tls',
  severity: 'warning',
  summary: 'A public listener has no TLS',
  partial: true,
  check(model, report) {
    for (const listener of model.listeners) {
      const endpoint = endpointOf(listener.config.address);
      if (!endpoint || listener.config.tls || listener.config.redirect !== undefined) continue;
      const everywhere = isAnyAddress(endpoint.host);
      if (!everywhere && isPrivate(endpoint.host)) continue;
      report({
        span: listener.at.spanOf('address'),
        entity: `listener.${listener.name}`,
        message: `Listener \`${listener.name}\` ${everywhere ? 'listens on all interfaces' : 'listens on a public address'} without TLS: keys and replies cross the network unencrypted.`,
        help: `Add \`tls = { cert = "cert.pem", key = "key.pem" }\`, or bind \`127.0.0.1:${endpoint.port}\`. If a proxy in front terminates TLS, add this warning to \`[lint].allow\`.`,
      });
    }
  },
};
export default rule;
