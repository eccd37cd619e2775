/** Lookups over a model that several rules share, computed once per model. */
import { PHASES } from '../bundle/types.js';
import type { Model, PolicyModel, PolicyUse, RouteModel, ServiceModel, WhenModel } from '../spec/model.js';
import { servicesByPolicy } from '../spec/service-policies.js';

/** What a policy declares about itself for lint rules. */
type PolicyTraits = ReturnType<NonNullable<PolicyModel['declaration']['traits']>>;

export interface ModelIndex {
  /** Every policy of the spec: named ones and those written in place. */
  readonly policies: readonly PolicyModel[];
  /** Also the routes that use a policy as a member of another one. */
  readonly routesByPolicy: ReadonlyMap<PolicyModel, readonly RouteModel[]>;
  readonly routesByService: ReadonlyMap<ServiceModel, readonly RouteModel[]>;
  /** The names of the services that name a policy. */
  readonly servicesByPolicy: ReadonlyMap<PolicyModel, readonly string[]>;
}

const known = new WeakMap<Model, ModelIndex>();

export function modelIndexOf(model: Model): ModelIndex {
  let index = known.get(model);
  if (!index) {
    index = gather(model);
    known.set(model, index);
  }
  return index;
}

function gather(model: Model): ModelIndex {
  const routesByPolicy = new Map<PolicyModel, RouteModel[]>(model.policies.map((policy) => [policy, []]));
  const routesByService = new Map<ServiceModel, RouteModel[]>();
  for (const route of model.routes) {
    for (const { policy } of route.policies) {
      for (const used of [policy, ...(model.members.get(policy) ?? [])]) {
        const routes = listIn(routesByPolicy, used);
        if (routes.at(-1) !== route) routes.push(route);
      }
    }
    if (route.service) listIn(routesByService, route.service).push(route);
  }
  return {
    policies: [...routesByPolicy.keys()],
    routesByPolicy,
    routesByService,
    servicesByPolicy: servicesByPolicy(model),
  };
}

/** The list under a key; creates it if missing. */
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

/** What a policy promises for every exchange: one with a condition does not authenticate every request. */
export function traitsOf(policy: PolicyModel): PolicyTraits {
  let traits = traitsKnown.get(policy);
  if (!traits) {
    traits = policy.declaration.traits?.(policy.config) ?? NO_TRAITS;
    if (isConditional(policy)) traits = { ...traits, authenticates: false };
    traitsKnown.set(policy, traits);
  }
  return traits;
}

/** The conditions of a policy: `when`, and those in its config. */
export const conditionsOf = ({ when, expressions }: PolicyModel): readonly WhenModel[] =>
  when === undefined ? expressions : [when, ...expressions];

/** Whether the policy takes no part in some exchanges. */
export const isConditional = ({ when }: PolicyModel): boolean =>
  when !== undefined && when.expression.constant !== true;

export const authenticates = (route: RouteModel): boolean =>
  route.policies.some(({ policy }) => traitsOf(policy).authenticates === true);

/** Authenticating policies that are used on a route, of any kind. */
export function authenticatingPolicies(model: Model): readonly PolicyModel[] {
  const { policies, routesByPolicy } = modelIndexOf(model);
  return policies.filter((policy) => policy.phase === 'authenticate' && routesByPolicy.get(policy)!.length > 0);
}

/** Policies in chain order: by phase, and within a phase in spec order, but for those that come first. */
export function inPhaseOrder(policies: readonly PolicyUse[]): readonly PolicyUse[] {
  return [...policies].sort((a, b) => placeOf(a) - placeOf(b));
}

const placeOf = ({ policy }: PolicyUse): number =>
  PHASES.indexOf(policy.phase) - (policy.declaration.first === true ? 0.5 : 0);

/** Names of a route's path parameters, in path order. */
export function paramsOf(route: RouteModel): string[] {
  const params: string[] = [];
  for (const segment of route.match.segments) if (segment.kind !== 'literal') params.push(segment.name);
  return params;
}

/** Whether a listener serves both routes. */
export const shareListener = (a: RouteModel, b: RouteModel): boolean =>
  a.listeners.length === 0 || b.listeners.length === 0 || meet(a.listeners, b.listeners);

/** Up to this many items are searched linearly. */
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

/** A route as a subject: the spec does not write those for the paths of policies. */
export const routeSubject = ({ name, owner }: RouteModel): string =>
  owner === undefined ? `\`${name}\`` : `\`${name}\`, which policy \`${owner.name}\` answers,`;

export const routeEntity = (route: RouteModel): string => `route.${route.name}`;

/** The name of a policy in `[lint].allow`: its own, or that of the route it is written in. */
export function policyEntity(model: Model, policy: PolicyModel): string {
  const routes = policy.inPlace ? modelIndexOf(model).routesByPolicy.get(policy) : undefined;
  return routes?.length === 1 ? routeEntity(routes[0]!) : `policy.${policy.name}`;
}

/** `a`, `b` and `c`, each in backticks; beyond `most`, the number of the others. */
export function quotedList(names: readonly string[], most = 3): string {
  const shown = names.slice(0, names.length > most ? most : undefined).map((name) => `\`${name}\``);
  const rest = names.length - shown.length;
  if (rest > 0) return `${shown.join(', ')} and ${rest} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
