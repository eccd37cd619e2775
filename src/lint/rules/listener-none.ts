import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/none',
  severity: 'error',
  summary: 'The spec has no listener, so no request can arrive',
  partial: false,
  check(model, report) {
    if (model.listeners.length > 0) return;
    report({
      span: model.at.keySpanOf('spec'),
      message: 'The spec has no listener, so gw would not accept any request.',
      help: 'Add `[listener.main]` with `address = "127.0.0.1:8080"`.',
    });
  },
};
export default rule;
