/** Lowers routes: match for the trie, entry for the program, policies in chain order. */
import { normalizeLiteral } from '../../bundle/normalize.js';
import {
  type ActionEntry,
  type ConditionIR,
  type Dfa,
  type Json,
  PHASES,
  type PolicyBody,
  type RouteEntry,
  type SegmentIR,
  type SourceRef,
  type WebSocketEntry,
} from '../../bundle/types.js';
import type { PolicyContext } from '../../policies/contract.js';
import type {
  ActionModel,
  ConditionModel,
  ExpressionModel,
  Model,
  PolicyModel,
  RouteModel,
  SegmentModel,
  ServiceModel,
  WhenModel,
} from '../../spec/model.js';
import { pathKeyOf } from '../../spec/route/path-key.js';
import { splitRewrite } from '../../spec/route/rewrite.js';
import { listenersOf, schemesTaken } from '../../spec/route/schemes.js';
import { servicesByPolicy } from '../../spec/service-policies.js';
import type { WebSocketConfig } from '../../spec/websocket.js';
import { given, type PolicyIR, type RouteIR } from '../ir.js';
import { policyOrigins, refOf } from '../provenance.js';

export interface LoweredRoutes {
  readonly routes: RouteIR[];
  readonly dfas: Dfa[];
  /** The policies of routes and services, each once. */
  readonly policies: ReadonlyMap<PolicyModel, PolicyIR>;
}

export function lowerRoutes(model: Model): LoweredRoutes {
  const dfas = new DfaTable();
  const services = new Map(model.services.map((service, index) => [service, index]));
  const params = model.routes.map(paramsOf);
  const consumers = consumersOf(model);
  const plans = model.plans.map(({ name }) => name);
  const policies = compilePolicies(model, params, { consumers, plans });
  const actionContext = (index: number): PolicyContext => {
    const route = model.routes[index]!;
    const { name } = route;
    return {
      name,
      routes: [routeContextOf(model, route, params[index]!)],
      consumers,
      plans,
      readFile: model.policyFiles.read,
    };
  };
  const routes = model.routes.map(
    (route, index): RouteIR => ({
      match: {
        hosts: route.match.hosts,
        segments: route.match.segments.map((segment) => lowerSegment(segment, dfas)),
        methods: route.match.methods,
        conditions: lowerConditions(route.match.conditions, dfas),
        listeners: namesOf(route.listeners),
      },
      entry: lowerRoute(
        route,
        params[index]!,
        services,
        lowerAction(route.action, model, () => actionContext(index)),
      ),
      code: route.action.declaration.code,
      policies: chainOf(route, policies),
    }),
  );
  for (const route of model.policyRoutes) {
    const answers = policies.get(route.owner);
    // A policy without effect answers nothing.
    if (answers?.settings === undefined) continue;
    const { listeners, match, maxBody = 0 } = route;
    const { config, declaration } = route.action;
    const action = { settings: config as Json, summary: summaryOf(route.action), use: declaration.use };
    routes.push({
      match: {
        hosts: match.hosts,
        segments: match.segments.map((segment) => lowerSegment(segment, dfas)),
        methods: match.methods,
        conditions: NONE,
        listeners: namesOf(listeners),
      },
      entry: { ...lowerRoute(route, NO_PARAMS, services, action), maxBodyBytes: maxBody },
      policies: chainOf(route, policies),
      answers,
    });
  }
  return { routes, dfas: dfas.all, policies };
}

const summaryOf = ({ declaration, config }: ActionModel): string => declaration.describe(config);

/** Automata by source: equal sources have the same automaton. */
class DfaTable {
  readonly all: Dfa[] = [];
  readonly #bySource = new Map<string, number>();

  index(dfa: Dfa): number {
    const known = this.#bySource.get(dfa.source);
    if (known !== undefined) return known;
    this.#bySource.set(dfa.source, this.all.length);
    return this.all.push(dfa) - 1;
  }
}

/** Returns the segment of the model itself if it needs no change, as most do. */
function lowerSegment(segment: SegmentModel, dfas: DfaTable): SegmentIR {
  if (segment.kind === 'typed') return { kind: 'typed', name: segment.name, dfa: dfas.index(segment.dfa) };
  if (segment.kind !== 'literal') return segment;
  const text = normalizeLiteral(segment.text);
  return text === segment.text ? segment : { kind: 'literal', text };
}

const NONE: readonly ConditionIR[] = [];

const lowerConditions = (conditions: readonly ConditionModel[], dfas: DfaTable): readonly ConditionIR[] =>
  conditions.length === 0 ? NONE : conditions.map((condition) => lowerCondition(condition, dfas));

function lowerCondition({ on, name, test }: ConditionModel, dfas: DfaTable): ConditionIR {
  return { on, name, test: test.op === 'matches' ? { op: 'matches', dfa: dfas.index(test.dfa) } : test };
}

// Keys sorted by code units: see index.ts.
function lowerRoute(
  route: RouteModel,
  params: readonly string[],
  services: ReadonlyMap<ServiceModel, number>,
  action: ActionEntry,
): RouteEntry {
  const entry: RouteEntry = {
    action,
    match: route.match.text,
    name: route.name,
    params,
    policies: NO_POLICIES,
    service: route.service === undefined ? -1 : (services.get(route.service) ?? -1),
    source: sourceOfRoute(route),
    timeout: route.timeout,
  };
  const { listeners, maxBody, rewrite, stream, streamIdleTimeout, stripPrefix, tags, webSocket, without } = route;
  // Most routes have none of these, and an object of one shape is much cheaper than spreading parts.
  const bound = listeners.length + tags.length + without.length > 0;
  const path = rewrite ?? stripPrefix;
  const lasting = stream ?? streamIdleTimeout ?? webSocket;
  if (!bound && maxBody === undefined && path === undefined && lasting === undefined) return entry;
  const target = rewrite === undefined ? undefined : splitRewrite(rewrite);
  return {
    ...entry,
    ...given('listeners', namesOf(listeners)),
    ...given('maxBodyBytes', maxBody),
    ...given('rewrite', target?.path),
    ...given('rewriteQuery', target?.query),
    ...given('stream', stream),
    ...given('streamIdleTimeout', streamIdleTimeout),
    ...given('stripPrefix', stripPrefix === undefined ? undefined : normalizePrefix(stripPrefix)),
    ...(tags.length === 0 ? {} : { tags }),
    ...given('webSocket', webSocket && lowerWebSocket(webSocket)),
    ...given('without', namesOf(without)),
  };
}

function lowerWebSocket({ idle_timeout, max_message, max_rate, max_reply_message }: WebSocketConfig): WebSocketEntry {
  const rate = max_rate && { capacity: max_rate.capacity, periodMs: max_rate.periodMs };
  return {
    ...given('idleTimeout', idle_timeout),
    ...given('maxMessage', max_message),
    ...given('maxReplyMessage', max_reply_message),
    ...given('rate', rate),
  };
}

function lowerAction(action: ActionModel, { calls }: Model, context: () => PolicyContext): ActionEntry {
  const { declaration, config } = action;
  const known = context();
  return {
    ...given(
      'calls',
      calls.get(action)?.map(({ name }) => name),
    ),
    ...given('code', declaration.code?.sha256),
    ...given('details', declaration.details?.(config, new Set(known.routes[0]?.params))),
    settings: declaration.compile(config, known) ?? null,
    summary: summaryOf(action),
    use: declaration.use,
  };
}

/** Names sorted by code units; undefined if there are none. */
const namesOf = (entities: readonly { readonly name: string }[]): readonly string[] | undefined =>
  entities.length === 0 ? undefined : entities.map(({ name }) => name).sort();

const NO_POLICIES: readonly number[] = [];

const NO_PARAMS: readonly string[] = [];

function paramsOf({ match: { segments } }: RouteModel): readonly string[] {
  let params: string[] | undefined;
  for (const segment of segments) {
    if (segment.kind === 'literal') continue;
    if (params === undefined) params = [segment.name];
    else params.push(segment.name);
  }
  return params ?? NO_PARAMS;
}

function sourceOfRoute(route: RouteModel): SourceRef {
  const { from } = route.at.originOf();
  return refOf(from === 'default' ? 'spec' : from, route.span);
}

/** Normalises a prefix, because it is removed from normalised paths. */
const normalizePrefix = (prefix: string): string => prefix.split('/').map(normalizeLiteral).join('/');

const placeOf = ({ first, phase }: PolicyIR): number => PHASES.indexOf(phase) - (first ? 0.5 : 0);

/**
 * Policies in chain order: by phase, within a phase as written, outermost group first, but for those that come first in it. Each policy
 * runs once.
 */
function chainOf(route: RouteModel, policies: ReadonlyMap<PolicyModel, PolicyIR>): readonly PolicyIR[] {
  if (route.policies.length === 0) return [];
  const chain = new Set<PolicyIR>();
  for (const use of route.policies) {
    const policy = policies.get(use.policy);
    if (policy !== undefined) chain.add(policy);
  }
  return [...chain].sort((a, b) => placeOf(a) - placeOf(b));
}

type RouteContext = PolicyContext['routes'][number];

const routeContextOf = (model: Model, route: RouteModel, params: readonly string[]): RouteContext => ({
  name: route.name,
  params,
  methods: route.match.methods,
  path: route.match.text.slice(route.match.text.indexOf('/')),
  schemes: schemesTaken(model, route),
  hosts: route.match.hosts,
  listeners: listenersOf(model, route),
  ...(route.service === undefined ? {} : { service: route.service.name }),
  ...given('pathKey', pathKeyOf(route)),
});

const consumersOf = (model: Model): PolicyContext['consumers'] =>
  model.consumers.map(({ name, config, credentials, plan }) => ({
    name,
    ...(plan === undefined ? {} : { plan: plan.name }),
    groups: config.groups,
    credentials: credentials.map(({ entry }) => entry.kind),
  }));

/** Compiles each policy once, independent of the number of routes that use it. */
function compilePolicies(
  model: Model,
  params: readonly (readonly string[])[],
  known: Pick<PolicyContext, 'consumers' | 'plans'>,
): Map<PolicyModel, PolicyIR> {
  const carriers = new Map<PolicyModel, RouteContext[]>();
  const carry = (policy: PolicyModel, carrier: RouteContext): void => {
    // Members run on the routes of the policies that compose them, and are compiled before those.
    for (const member of model.members.get(policy) ?? []) carry(member, carrier);
    const known = carriers.get(policy);
    if (known === undefined) carriers.set(policy, [carrier]);
    else if (known.at(-1) !== carrier) known.push(carrier);
  };
  for (const [index, route] of model.routes.entries()) {
    if (route.policies.length === 0) continue;
    const carrier = routeContextOf(model, route, params[index]!);
    for (const { policy } of route.policies) carry(policy, carrier);
  }
  const servedBy = servicesByPolicy(model);
  for (const policy of servedBy.keys()) if (!carriers.has(policy)) carriers.set(policy, []);
  const compiled = new Map<PolicyModel, PolicyIR>();
  for (const [policy, routes] of carriers) {
    const { name } = policy;
    const services = servedBy.get(policy);
    const context = { name, routes, ...given('services', services), ...known, readFile: model.policyFiles.read };
    compiled.set(policy, lowerPolicy(policy, model, compiled, context));
  }
  return compiled;
}

/** The bodies that a policy collects: its own, and those of requests that its members read to authenticate. */
function bodyOf({ declaration, config }: PolicyModel, members: readonly PolicyModel[]): PolicyBody | undefined {
  const own = declaration.body?.(config);
  const bounds = members.flatMap((each) => each.declaration.body?.(each.config)?.request ?? []);
  if (bounds.length === 0) return own;
  if (own?.request !== undefined) bounds.push(own.request);
  const max = Math.max(...bounds.map((bound) => bound.max));
  return { ...own, request: { max, mandatory: bounds.some(({ mandatory }) => mandatory) } };
}

function lowerPolicy(
  policy: PolicyModel,
  { calls, members }: Model,
  compiled: ReadonlyMap<PolicyModel, PolicyIR>,
  context: PolicyContext,
): PolicyIR {
  const { declaration, expressions, when } = policy;
  const constant = when?.expression.constant;
  return {
    body: bodyOf(policy, members.get(policy) ?? []),
    calls: (calls.get(policy) ?? []).map(({ name }) => name),
    code: declaration.code,
    config: plainTable({
      ...withSources(asTable(policy.config), expressions),
      ...(when === undefined ? {} : { when: sourceText(when) }),
    }),
    duty: declaration.duty?.(policy.config),
    first: declaration.first === true,
    members: (members.get(policy) ?? []).map((member) => compiled.get(member)!),
    // A policy that answers paths is named by their routes.
    mergeable: policy.inPlace && !declaration.stateful && (declaration.paths?.(policy.config) ?? []).length === 0,
    name: policy.name,
    origins: () => policyOrigins(policy.at),
    phase: policy.phase,
    replyPhase: declaration.replyPhase,
    settings: constant === false ? undefined : declaration.compile(policy.config, context),
    stateKey: declaration.stateKey?.(policy.config),
    use: declaration.use,
    when: constant === undefined ? when?.expression.entry : undefined,
  };
}

const asTable = (config: unknown): object => (typeof config === 'object' && config !== null ? config : {});
const sourceText = ({ expression }: WhenModel): string => expression.entry.source;

/** The config with the text of each expression, as it is written, in place of its code. */
function withSources(config: object, expressions: readonly ExpressionModel[]): object {
  if (expressions.length === 0) return config;
  const copy = structuredClone(config);
  for (const expression of expressions) {
    const table = expression.path.slice(0, -1).reduce<unknown>((at, step) => Reflect.get(asTable(at), step), copy);
    Reflect.set(asTable(table), expression.path.at(-1)!, sourceText(expression));
  }
  return copy;
}

/** A decoded config as JSON, without undefined values and with sorted keys. */
function plainTable(config: unknown): { readonly [key: string]: Json } {
  const plain = toJson(config);
  return typeof plain === 'object' && plain !== null && !isList(plain) ? plain : {};
}

function toJson(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object') return String(value);
  const entries: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) if (item !== undefined) entries.push([key, toJson(item)]);
  if (entries.length > 1) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
