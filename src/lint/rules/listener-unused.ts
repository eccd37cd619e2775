import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/unused',
  severity: 'warning',
  summary: 'A listener serves no route',
  partial: false,
  check(model, report) {
    // `route/none` reports a spec without routes.
    if (model.routes.length === 0 || model.routes.some(({ listeners }) => listeners.length === 0)) return;
    const serving = new Set(model.routes.flatMap(({ listeners }) => listeners));
    for (const listener of model.listeners) {
      if (serving.has(listener) || listener.config.redirect !== undefined) continue;
      report({
        span: listener.nameSpan,
        entity: `listener.${listener.name}`,
        message: `Listener \`${listener.name}\` serves no route: every request to it gets 404.`,
        help: `Add \`"${listener.name}"\` to the \`listeners\` of the routes that it should serve, or remove the listener.`,
      });
    }
  },
};
export default rule;
