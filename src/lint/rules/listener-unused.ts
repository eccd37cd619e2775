import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/unused',
  severity: 'warning',
  summary: 'A listener that serves no route',
  partial: false,
  check(model, report) {
    // Without any route that is another finding's matter.
    if (model.routes.length === 0 || model.routes.some(({ listeners }) => listeners.length === 0)) return;
    const serving = new Set(model.routes.flatMap(({ listeners }) => listeners));
    for (const listener of model.listeners) {
      if (serving.has(listener)) continue;
      report({
        span: listener.nameSpan,
        entity: `listener.${listener.name}`,
        message: `No route is served on the listener \`${listener.name}\`: every request to it gets 404.`,
        help: `Every route names other \`listeners\`. Add \`"${listener.name}"\` to those that it should serve, or remove the listener.`,
      });
    }
  },
};
export default rule;
