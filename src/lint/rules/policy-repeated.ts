import type { PolicyModel, PolicyUse } from '../../spec/model.js';
import { removeItem } from '../edits.js';
import { listIn, quotedList, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

const FROM: Record<PolicyUse['from'], string> = {
  defaults: 'inherited from `[defaults]`',
  group: 'inherited from the group',
  spec: 'first listed here',
  service: 'a policy of the service',
};

const rule: Rule = {
  code: 'policy/repeated',
  severity: 'warning',
  summary: 'A route has the same policy twice',
  partial: true,
  check(model, report) {
    const places = new Map<string, { use: PolicyUse; first: PolicyUse; routes: string[]; entity: string }>();
    for (const route of model.routes) {
      if (route.policies.length < 2) continue;
      const uses = new Map<PolicyModel, PolicyUse[]>();
      for (const use of route.policies) listIn(uses, use.policy).push(use);
      for (const [first, ...more] of uses.values()) {
        for (const use of more) {
          const key = `${use.span.file}\n${use.span.start.offset}`;
          const place = places.get(key);
          if (place) place.routes.push(route.name);
          else places.set(key, { use, first: first!, routes: [route.name], entity: routeEntity(route) });
        }
      }
    }
    for (const { use, first, routes, entity } of places.values()) {
      const edit = removeItem(model, use.span);
      report({
        span: use.span,
        entity,
        message: `${quotedList(routes)} already ${routes.length === 1 ? 'has' : 'have'} policy \`${use.policy.name}\`. A policy runs once per request, at its first position, so this entry has no effect.`,
        related: [{ span: first.span, message: FROM[first.from] }],
        help: 'Remove this entry. To run the same kind of policy twice, such as a second limit, declare a second `[policy.NAME]`.',
        ...(edit ? { fix: { title: 'Remove this entry', applicability: 'safe' as const, edits: [edit] } } : {}),
      });
    }
  },
};
export default rule;
