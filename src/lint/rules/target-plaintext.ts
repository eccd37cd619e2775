import { isPrivate } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/plaintext',
  severity: 'warning',
  summary: 'Plain HTTP to a target outside of private networks',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      for (const { endpoint, span } of targetsOf(service)) {
        if (endpoint.scheme !== 'http' || isPrivate(endpoint.host)) continue;
        report({
          span,
          entity: `service.${service.name}`,
          message: `Requests to \`${endpoint.host}\` leave the private network unencrypted: anybody on the way can read and change them, credentials included.`,
          help: 'Use `https://`, or reach the target by a private address.',
        });
      }
    }
  },
};
export default rule;
