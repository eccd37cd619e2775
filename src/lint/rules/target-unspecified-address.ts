import { isAnyAddress } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/unspecified-address',
  severity: 'warning',
  summary: 'A target has the address 0.0.0.0, which is only for listening',
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
          message: `\`${endpoint.host}\` means "all interfaces" and is only for listening. Connecting to it reaches this machine on some systems and fails on others.`,
          help: `Write \`${fixed}\`.`,
          fix: { title: `Write \`${fixed}\``, applicability: 'safe', edits: [{ span, text: JSON.stringify(fixed) }] },
        });
      }
    }
  },
};
export default rule;
