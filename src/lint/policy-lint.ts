/** Runs the lint part of each policy and locates its findings in the spec. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { Model, PolicyModel } from '../spec/model.js';
import { modelIndexOf, paramsOf, policyEntity } from './model-index.js';

/** What a policy is given to check its config. */
export type PolicyContext = Parameters<PolicyModel['declaration']['compile']>[1];

const consumersKnown = new WeakMap<Model, PolicyContext['consumers']>();

function consumersOf(model: Model): PolicyContext['consumers'] {
  let consumers = consumersKnown.get(model);
  if (!consumers) {
    consumers = model.consumers.map(({ name, plan, config }) => ({
      name,
      ...(plan ? { plan: plan.name } : {}),
      apiKeys: config.api_keys.length,
    }));
    consumersKnown.set(model, consumers);
  }
  return consumers;
}

export function contextOf(model: Model, policy: PolicyModel): PolicyContext {
  const routes = modelIndexOf(model).routesByPolicy.get(policy) ?? [];
  return {
    name: policy.name,
    routes: routes.map((route) => ({ name: route.name, params: paramsOf(route) })),
    consumers: consumersOf(model),
    readFile: model.policyFiles.read,
  };
}

export function lintPolicies(model: Model): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const policy of modelIndexOf(model).policies) {
    policy.declaration.lint?.(policy.config, contextOf(model, policy), (problem) => {
      const { code, severity, message, help } = problem;
      found.push({
        code,
        severity,
        span: problem.at.length === 0 ? policy.nameSpan : policy.at.spanOf(...problem.at),
        message,
        entity: policyEntity(model, policy),
        ...(help === undefined ? {} : { help }),
      });
    });
  }
  return found;
}
