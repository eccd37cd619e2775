import { routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

const FRAMING = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'trailer',
  'te',
]);

const rule: Rule = {
  code: 'reply/framing-header',
  severity: 'error',
  summary: 'A reply sets a header field that belongs to the connection',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      for (const name of Object.keys(route.reply?.headers ?? {})) {
        if (!FRAMING.has(name.toLowerCase())) continue;
        report({
          span: route.at.keySpanOf('reply', 'headers', name),
          entity: routeEntity(route),
          message: `gw writes \`${name}\` itself, from the body and the connection: a fixed value would tear messages apart.`,
          help: 'Remove it.',
        });
      }
    }
  },
};
export default rule;
