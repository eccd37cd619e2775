import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/none',
  severity: 'error',
  summary: 'A spec without a listener, so that no request can ever arrive',
  partial: false,
  check(model, report) {
    if (model.listeners.length > 0) return;
    report({
      span: model.at.keySpanOf('spec'),
      message: 'The spec has no listener: gw would bind no address, and no request could ever arrive.',
      help: 'Add one: `[listener.main]` with `address = "127.0.0.1:8080"`.',
    });
  },
};
export default rule;
