import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'overload/order',
  severity: 'warning',
  summary: 'Idle connections are closed before new ones are refused',
  partial: true,
  check(model, report) {
    const { shed_above: shed, shrink_above: shrink } = model.overload;
    // Zero turns either off.
    if (shed === 0 || shrink === 0 || shrink >= shed) return;
    report({
      span: model.at.spanOf('overload', 'shrink_above'),
      message: `Above ${shrink} percent of its memory limit gw closes idle connections, and up to ${shed} percent it still takes new ones in their place: clients connect anew, which costs more memory than waiting did.`,
      related: [{ span: model.at.spanOf('overload', 'shed_above'), message: 'new connections are refused above this' }],
      help: `Set \`shrink_above\` to ${shed} or more, or \`shed_above\` to ${shrink} or less.`,
    });
  },
};
export default rule;
