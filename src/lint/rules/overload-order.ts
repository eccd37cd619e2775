import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'overload/order',
  severity: 'warning',
  summary: 'Idle connections are closed before new ones are refused',
  partial: true,
  check(model, report) {
    const { shed_above: shed, shrink_above: shrink } = model.overload;
    // Zero disables either.
    if (shed === 0 || shrink === 0 || shrink >= shed) return;
    report({
      span: model.at.spanOf('overload', 'shrink_above'),
      message: `Above ${shrink} percent of its memory limit gw closes idle connections, but it accepts new ones up to ${shed} percent. Clients then reconnect, which uses more memory than the idle connections did.`,
      related: [{ span: model.at.spanOf('overload', 'shed_above'), message: 'new connections are refused above this' }],
      help: `Set \`shrink_above\` to ${shed} or more, or \`shed_above\` to ${shrink} or less.`,
    });
  },
};
export default rule;
