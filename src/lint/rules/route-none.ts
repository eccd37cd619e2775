import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'route/none',
  severity: 'warning',
  summary: 'The spec has no route, so every request gets 404',
  partial: false,
  check(model, report) {
    if (model.routes.length > 0) return;
    report({
      span: model.at.keySpanOf('spec'),
      message: 'The spec has no route, so every request gets 404.',
      help: 'Add `[[route]]` with `match` and an action: `to` (a service), `reply` or another one.',
    });
  },
};
export default rule;
