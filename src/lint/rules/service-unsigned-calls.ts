import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/unsigned-calls',
  severity: 'warning',
  summary: 'The policies of a service do not act on the calls of a policy',
  partial: true,
  check(model, report) {
    for (const [caller, services] of model.calls) {
      for (const service of services) {
        if (service.config.policies.length === 0) continue;
        const who = 'name' in caller ? `policy \`${String(caller.name)}\`` : 'an action';
        report({
          span: service.at.spanOf('policies'),
          entity: `service.${service.name}`,
          message: `The calls of ${who} to service \`${service.name}\` are sent without what these policies add.`,
          help: 'Declare another service with the same targets for the calls, and give the caller credentials of its own.',
        });
      }
    }
  },
};
export default rule;
