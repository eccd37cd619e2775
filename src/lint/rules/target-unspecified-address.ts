import { isAnyAddress } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/unspecified-address',
  severity: 'warning',
  summary: 'A target at 0.0.0.0, which is an address to listen on, not to connect to',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      for (const { endpoint, url, span } of targetsOf(service)) {
        if (!isAnyAddress(endpoint.host)) continue;
        const loopback = endpoint.host.includes(':') ? '[::1]' : '127.0.0.1';
        const fixed = url.replace(/\/\/(\[[^\]]*\]|[^:/]+)/, `//${loopback}`);
        report({
          span,
          entity: `service.${service.name}`,
          message: `\`${endpoint.host}\` means "all interfaces" to a server that listens; connecting to it reaches this machine on some systems and nothing on others.`,
          help: `Write \`${fixed}\`.`,
          fix: { title: `Write \`${fixed}\``, applicability: 'safe', edits: [{ span, text: JSON.stringify(fixed) }] },
        });
      }
    }
  },
};
export default rule;
