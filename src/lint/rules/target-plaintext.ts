import { isPrivate } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/plaintext',
  severity: 'warning',
  summary: 'A target outside private networks uses plain HTTP',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      for (const { endpoint, span } of targetsOf(service)) {
        if (endpoint.scheme !== 'http' || isPrivate(endpoint.host)) continue;
        report({
          span,
          entity: `service.${service.name}`,
          message: `Requests to \`${endpoint.host}\` leave the private network unencrypted: they can be read and changed on the way, including credentials.`,
          help: 'Use `https://`, or a private address of the target.',
        });
      }
    }
  },
};
export default rule;
