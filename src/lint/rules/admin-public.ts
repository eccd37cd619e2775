import { endpointOf, isAnyAddress, isPrivate } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'admin/public',
  severity: 'warning',
  summary: 'The admin API is reachable from other machines without TLS',
  partial: true,
  check(model, report) {
    const endpoint = model.admin.address === undefined ? undefined : endpointOf(model.admin.address);
    if (!endpoint || (isPrivate(endpoint.host) && !isAnyAddress(endpoint.host))) return;
    report({
      span: model.at.spanOf('admin', 'address'),
      entity: 'admin',
      message:
        'The admin API has no TLS, and this address is reachable from other machines: its token crosses the network unencrypted.',
      help: `Bind \`127.0.0.1:${endpoint.port}\` and connect through a tunnel, or use only the unix socket.`,
    });
  },
};
export default rule;
