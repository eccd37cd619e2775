/** What several rules want to know of a model, found once. */
import { PHASES } from '../bundle/types.js';
import type { Model, PolicyModel, PolicyUse, RouteModel, ServiceModel } from '../spec/model.js';

/** What a policy says of itself for rules to reason about. */
type PolicyTraits = ReturnType<NonNullable<PolicyModel['declaration']['traits']>>;

export interface Facts {
  /** Every policy of the spec: named ones and those written in place. */
  readonly policies: readonly PolicyModel[];
  readonly routesByPolicy: ReadonlyMap<PolicyModel, readonly RouteModel[]>;
  readonly routesByService: ReadonlyMap<ServiceModel, readonly RouteModel[]>;
}

const known = new WeakMap<Model, Facts>();

export function factsOf(model: Model): Facts {
  let facts = known.get(model);
  if (!facts) {
    facts = gather(model);
    known.set(model, facts);
  }
  return facts;
}

function gather(model: Model): Facts {
  const routesByPolicy = new Map<PolicyModel, RouteModel[]>(model.policies.map((policy) => [policy, []]));
  const routesByService = new Map<ServiceModel, RouteModel[]>();
  for (const route of model.routes) {
    for (const { policy } of route.policies) {
      const routes = listIn(routesByPolicy, policy);
      if (routes.at(-1) !== route) routes.push(route);
    }
    if (route.service) listIn(routesByService, route.service).push(route);
  }
  return { policies: [...routesByPolicy.keys()], routesByPolicy, routesByService };
}

/** The list under a key, made when there is none yet. */
export function listIn<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (!list) {
    list = [];
    map.set(key, list);
  }
  return list;
}

const traitsKnown = new WeakMap<PolicyModel, PolicyTraits>();
const NO_TRAITS: PolicyTraits = {};

export function traitsOf(policy: PolicyModel): PolicyTraits {
  let traits = traitsKnown.get(policy);
  if (!traits) {
    traits = policy.declaration.traits?.(policy.config) ?? NO_TRAITS;
    traitsKnown.set(policy, traits);
  }
  return traits;
}

export const authenticates = (route: RouteModel): boolean =>
  route.policies.some(({ policy }) => traitsOf(policy).authenticates === true);

/** Policies by which some route knows its callers, of whatever kind. */
export function recognisingPolicies(model: Model): readonly PolicyModel[] {
  const { policies, routesByPolicy } = factsOf(model);
  return policies.filter(
    (policy) => policy.declaration.phase === 'authenticate' && routesByPolicy.get(policy)!.length > 0,
  );
}

/** The order in which the chain runs them: by phase, and within a phase as written. */
export function inPhaseOrder(policies: readonly PolicyUse[]): readonly PolicyUse[] {
  return [...policies].sort((a, b) => phaseOf(a) - phaseOf(b));
}

const phaseOf = ({ policy }: PolicyUse): number => PHASES.indexOf(policy.declaration.phase);

/** Names of a route's path parameters, in path order. */
export function paramsOf(route: RouteModel): string[] {
  const params: string[] = [];
  for (const segment of route.match.segments) if (segment.kind !== 'literal') params.push(segment.name);
  return params;
}

/** Whether some listener serves both. */
export const shareListener = (a: RouteModel, b: RouteModel): boolean =>
  a.listeners.length === 0 || b.listeners.length === 0 || meet(a.listeners, b.listeners);

/** So many items are searched one by one. */
const FEW = 16;

function meet<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a === b) return true;
  const others = b.length > FEW ? new Set(b) : undefined;
  return a.some((item) => (others ? others.has(item) : b.includes(item)));
}

/** Whether every item is in the list. */
export function holdsAll<T>(list: readonly T[], items: readonly T[]): boolean {
  if (list === items) return true;
  const known = list.length > FEW ? new Set(list) : undefined;
  return items.every((item) => (known ? known.has(item) : list.includes(item)));
}

export const routeEntity = (route: RouteModel): string => `route.${route.name}`;

/** What `[lint].allow` calls a policy: its own name, or the route that it is written on. */
export function policyEntity(model: Model, policy: PolicyModel): string {
  const routes = policy.inPlace ? factsOf(model).routesByPolicy.get(policy) : undefined;
  return routes?.length === 1 ? routeEntity(routes[0]!) : `policy.${policy.name}`;
}

/** `a`, `b` and `c`, each in backticks; past `most` the rest is counted. */
export function quotedList(names: readonly string[], most = 3): string {
  const shown = names.slice(0, names.length > most ? most : undefined).map((name) => `\`${name}\``);
  const rest = names.length - shown.length;
  if (rest > 0) return `${shown.join(', ')} and ${rest} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
