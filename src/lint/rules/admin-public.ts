import { endpointOf, isAnyAddress, isPrivate } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'admin/public',
  severity: 'warning',
  summary: 'The admin API can be reached from outside of this machine, in the clear',
  partial: true,
  check(model, report) {
    const endpoint = model.admin.address === undefined ? undefined : endpointOf(model.admin.address);
    if (!endpoint || (isPrivate(endpoint.host) && !isAnyAddress(endpoint.host))) return;
    report({
      span: model.at.spanOf('admin', 'address'),
      entity: 'admin',
      message:
        'The admin API has no TLS, and this address can be reached from outside: its token crosses the network in the clear.',
      help: `Bind \`127.0.0.1:${endpoint.port}\` and reach it by a tunnel, or use the unix socket alone.`,
    });
  },
};
export default rule;
