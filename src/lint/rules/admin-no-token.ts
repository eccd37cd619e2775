import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'admin/no-token',
  severity: 'error',
  summary: 'The admin API listens on TCP without a token',
  partial: true,
  check(model, report) {
    if (model.admin.address === undefined || model.admin.token !== undefined) return;
    report({
      span: model.at.spanOf('admin', 'address'),
      entity: 'admin',
      message:
        'Whoever reaches this address can reload the gateway and read its traffic: the admin API on TCP needs a token.',
      help: 'Add `token = "${env:GW_ADMIN_TOKEN}"` under `[admin]`, or remove `address` and use the unix socket alone.',
    });
  },
};
export default rule;
