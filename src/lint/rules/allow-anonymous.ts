import type { PolicyModel, RouteModel } from '../../spec/model.js';
import { type AccessRule, accessRulesOf } from '../access-index.js';
import { modelIndexOf, policyEntity, traitsOf } from '../model-index.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'allow/anonymous',
  severity: 'warning',
  summary: 'A rule about access also allows callers without credentials',
  partial: false,
  check(model, report) {
    const { policies, routesByPolicy } = modelIndexOf(model);
    const groupsOf = (name: string): readonly string[] =>
      model.consumers.find((consumer) => consumer.name === name)?.config.groups ?? model.stored.get(name)?.groups ?? [];
    for (const policy of policies) {
      const rules = accessRulesOf(policy).filter(({ effect }) => effect === 'allow');
      if (rules.length === 0) continue;
      const [fallback, route] = fallbackOf(routesByPolicy.get(policy)!) ?? [];
      const name = fallback === undefined ? undefined : traitsOf(fallback).anonymous;
      if (fallback === undefined || route === undefined || name === undefined) continue;
      for (const each of rules) {
        if (!admits(each, groupsOf(name))) continue;
        report({
          span: each.at.length === 0 ? policy.nameSpan : policy.at.spanOf(...each.at),
          entity: policyEntity(model, policy),
          message: `Rule \`${each.name}\` also allows callers without credentials: policy \`${fallback.name}\` makes them consumer \`${name}\`, and no condition of the rule excludes it.`,
          related: [{ span: fallback.nameSpan, message: `the fallback on route \`${route.name}\`` }],
          help: `Add a condition on the caller, such as \`groups\`. If that is meant, name the consumer: \`consumers = ["${name}"]\`.`,
        });
      }
    }
  },
};

/** A policy whose callers without credentials are a consumer, and a route with it. */
function fallbackOf(routes: readonly RouteModel[]): readonly [PolicyModel, RouteModel] | undefined {
  for (const route of routes)
    for (const { policy } of route.policies) if (traitsOf(policy).anonymous !== undefined) return [policy, route];
  return undefined;
}

/** Whether a consumer with these groups and without claims passes, although the rule does not name it. */
const admits = ({ consumers, groups, readsClaims, conditional }: AccessRule, own: readonly string[]): boolean =>
  consumers === undefined &&
  !readsClaims &&
  !conditional &&
  (groups === undefined || groups.some((group) => own.includes(group)));

export default rule;
