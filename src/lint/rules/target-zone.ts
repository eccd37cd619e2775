import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'target/zone',
  severity: 'warning',
  summary: 'Targets have zones, but the gateway has none',
  partial: true,
  check(model, report) {
    if (model.zone !== undefined) return;
    for (const service of model.services) {
      const index = (service.config.targets ?? []).findIndex(({ zone }) => zone !== undefined);
      if (index < 0) continue;
      report({
        span: service.at.spanOf('targets', index, 'zone'),
        entity: `service.${service.name}`,
        message: 'The zone of this target has no effect: the spec does not say in which zone the gateway runs.',
        help: 'Add `zone = "${env:ZONE}"` at the top level, and set the variable where the gateway runs.',
      });
    }
  },
};
export default rule;
