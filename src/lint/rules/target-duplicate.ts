import { removeItem } from '../edits.js';
import type { Rule } from '../rule.js';
import { type LocatedTarget, targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/duplicate',
  severity: 'warning',
  summary: 'A service lists a target twice',
  partial: true,
  check(model, report) {
    for (const service of model.services) {
      const seen = new Map<string, LocatedTarget>();
      for (const target of targetsOf(service)) {
        const { scheme, host, port, path } = target.endpoint;
        const key = `${scheme}://${host}:${port}${path}`;
        const first = seen.get(key);
        if (!first) {
          seen.set(key, target);
          continue;
        }
        const edit = removeItem(model, target.item);
        report({
          span: target.span,
          entity: `service.${service.name}`,
          message: `Service \`${service.name}\` lists this target twice: it gets a double share, and its failures are counted separately.`,
          related: [{ span: first.span, message: 'first listed here' }],
          help: 'Remove one of them. For a larger share, write `{ url = "...", weight = 2 }`.',
          ...(edit ? { fix: { title: 'Remove the second one', applicability: 'unsafe' as const, edits: [edit] } } : {}),
        });
      }
    }
  },
};
export default rule;
