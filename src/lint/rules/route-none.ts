import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/none',
  severity: 'warning',
  summary: 'A spec without a route, so that every request gets 404',
  partial: false,
  check(model, report) {
    if (model.routes.length > 0) return;
    report({
      span: model.at.keySpanOf('spec'),
      message: 'The spec has no route: every request would get 404.',
      help: 'Add one: `[[route]]` with a `match` and `to` (a service) or `reply`.',
    });
  },
};
export default rule;
