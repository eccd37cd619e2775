/** The parts of plans that refer to other entities: policies whose limits they replace, and routes that they include. */
import type { Diagnostic } from '../schema/diagnostic.js';
import { matchesWildcard } from './glob.js';
import type { PlanModel, PolicyModel, RouteModel } from './model.js';
import { DeclaredNames, unresolved } from './names.js';

type Report = (diagnostic: Diagnostic) => void;

/** Whether an entry of a plan's `routes` stands for any number of routes. */
export const isRoutePattern = (text: string): boolean => text.includes('*');

/** Names of the routes that the `routes` of a plan include, in the order of the spec; undefined without `routes`. */
export function routesOfPlan(
  { config }: PlanModel,
  routes: readonly Pick<RouteModel, 'name'>[],
): readonly string[] | undefined {
  const wanted = config.routes;
  if (wanted === undefined) return undefined;
  const exact = new Set(wanted.filter((text) => !isRoutePattern(text)));
  const patterns = wanted.filter(isRoutePattern);
  const included = (name: string): boolean =>
    exact.has(name) || patterns.some((pattern) => matchesPattern(pattern, name));
  return routes.flatMap(({ name }) => (included(name) ? [name] : []));
}

/** Only `*` is special: names may contain `?`. */
const matchesPattern = (pattern: string, name: string): boolean =>
  matchesWildcard(pattern.replaceAll('?', '\0'), name.replaceAll('?', '\0'));

/** Reports names of routes that do not exist. `names`: of all routes, also of those with errors. */
export function checkPlanRoutes(plans: readonly PlanModel[], names: Iterable<string>, report: Report): void {
  if (plans.every(({ config }) => config.routes === undefined)) return;
  const known = new DeclaredNames<string>();
  for (const name of names) known.add(name, name);
  for (const plan of plans) {
    for (const [index, name] of (plan.config.routes ?? []).entries()) {
      if (isRoutePattern(name) || known.isKnown(name)) continue;
      const { help: _, ...found } = unresolved('route', name, plan.at.spanOf('routes', index), known);
      const near = found.fix?.title.slice('Write '.length);
      const help = near === undefined ? 'Write the `name` of a route, or a pattern with `*`.' : `Did you mean ${near}?`;
      report({ ...found, help, entity: `plan.${plan.name}` });
    }
  }
}

/** The limits of a plan replace those of policies: each must name a policy with a limit. */
export function checkPlanLimits(each: PlanModel, policies: DeclaredNames<PolicyModel>, report: Report): void {
  const entity = `plan.${each.name}`;
  for (const name of Object.keys(each.config.limits)) {
    const span = each.at.keySpanOf('limits', name);
    const policy = policies.get(name);
    if (!policy) {
      if (!policies.isKnown(name)) report({ ...unresolved('policy', name, span, policies, { isKey: true }), entity });
      continue;
    }
    const { rate, appliesPlans } = policy.declaration.traits?.(policy.config) ?? {};
    if (rate === true && appliesPlans === undefined) continue;
    report({
      code: 'plan/not-a-limit',
      severity: 'error',
      span,
      message: `Policy \`${name}\` is of kind \`${policy.declaration.use}\` and has no limit that a plan could set.`,
      related: [{ span: policy.nameSpan, message: 'declared here' }],
      help: 'Use the name of a policy with `use = "rate-limit"`.',
      entity,
    });
  }
}
