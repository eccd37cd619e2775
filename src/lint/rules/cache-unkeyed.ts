import { PHASES } from '../../bundle/types.js';
import { factOfRead } from '../../expression/request-facts.js';
import type { Span } from '../../schema/diagnostic.js';
import { type FactName, factOfVariable, fieldFact } from '../../schema/request-facts.js';
import { parseTemplate } from '../../schema/template.js';
import type { Model, PolicyModel, PolicyUse, RouteModel } from '../../spec/model.js';
import { spanWithin } from '../edits.js';
import { conditionsOf, inPhaseOrder, modelIndexOf, policyEntity, routeEntity, traitsOf } from '../model-index.js';
import type { Finding, Rule } from '../rule.js';

type CacheKey = NonNullable<ReturnType<typeof traitsOf>['cacheKey']>;

/** A fact that is read inside of a cache. */
interface Read {
  readonly fact: FactName;
  /** Why it is read, as the end of a sentence. Empty: the kind does not say what it reads. */
  readonly why: string;
  readonly span: Span;
}

/** Something that runs inside of a cache. */
interface Step {
  /** Its model: each is reported once for a cache. */
  readonly of: object;
  /** For messages, with a capital. */
  readonly subject: string;
  readonly entity: string;
  /** Whether it is in front of the cache, and writes into the request for the target. */
  readonly outer?: true;
  /** Whether the order of the spec can put it in front of the cache. */
  readonly movable: boolean;
  readonly reads: readonly Read[];
}

const rule: Rule = {
  code: 'cache/unkeyed',
  severity: 'error',
  summary: 'A step inside a cache reads a fact of requests that is not part of the key',
  // A part that could not be read can only bring more steps.
  partial: true,
  check(model, report) {
    /** By cache: the steps that were checked, for it is used on many routes. */
    const checked = new Map<PolicyModel, Set<object>>();
    for (const route of model.routes) {
      const chain = inPhaseOrder(route.policies);
      for (const [index, cache] of chain.entries()) {
        const { cacheKey } = traitsOf(cache.policy);
        if (cacheKey === undefined) continue;
        const known = checked.get(cache.policy) ?? new Set();
        checked.set(cache.policy, known);
        const apart = cacheKey.route || modelIndexOf(model).routesByPolicy.get(cache.policy)?.length === 1;
        const steps = [
          ...outerSteps(model, chain.slice(0, index)),
          ...stepsOf(model, route, chain.slice(index + 1), apart),
        ];
        for (const step of steps) {
          if (known.has(step.of)) continue;
          known.add(step.of);
          for (const finding of findingsOf(step, cache, route, cacheKey)) report(finding);
        }
      }
    }
  },
};
export default rule;

function* findingsOf(step: Step, cache: PolicyUse, route: RouteModel, key: CacheKey): Generator<Finding> {
  const { policy } = cache;
  const reported = new Set<string>();
  for (const { fact, why, span } of step.reads) {
    if (isCovered(fact, key)) continue;
    const what = readText(fact, why);
    // A condition may read a fact several times.
    if (reported.has(what)) continue;
    reported.add(what);
    yield {
      span,
      entity: step.entity,
      message: `${step.subject} is ${step.outer === true ? 'in front of' : 'inside'} the cache of policy \`${policy.name}\` on route \`${route.name}\` and ${what}. ${consequence(fact, key)}`,
      related: [
        { span: cache.span, message: step.outer === true ? 'the cache' : 'the cache is in front of it here' },
        { span: policy.at.spanOf(...key.at), message: 'the key of the cache' },
      ],
      help: why === '' ? declareHelp(policy) : helpOf(fact, policy, key, step),
    };
  }
}

function isCovered({ kind, name }: FactName, key: CacheKey): boolean {
  switch (kind) {
    // Host, scheme and path are part of every key.
    case 'host':
    case 'scheme':
    case 'param':
      return true;
    case 'consumer':
      return key.consumer;
    case 'caller':
      // The key has all claims but those of one token, or the field itself.
      return (key.consumer && key.claims !== undefined && 'except' in key.claims) || hasField(key, name);
    case 'client':
      return key.client === true;
    case 'field':
      return hasField(key, name);
    case 'cookie':
      return key.fields.includes('cookie') || (name !== undefined && key.cookies.includes(name));
    case 'claims':
      return coversClaim(key.claims, name);
    case 'query':
      return coversQuery(key, name);
    default:
      return false;
  }
}

const hasField = ({ fields }: CacheKey, name: string | undefined): boolean =>
  name !== undefined && fields.includes(name);

function coversClaim(claims: CacheKey['claims'], name: string | undefined): boolean {
  if (claims === undefined || name === undefined) return false;
  // A claim and its members: `address`, `address.country`.
  const isOf = (one: string): boolean => name === one || name.startsWith(`${one}.`);
  return 'except' in claims ? !claims.except.some(isOf) : claims.some(isOf);
}

function coversQuery({ query, removesQuery }: CacheKey, name: string | undefined): boolean {
  if (query === 'all') return true;
  // What is left of the query is part of the key.
  if (name === undefined) return removesQuery === true;
  return 'allow' in query ? query.allow.includes(name) : !query.deny.includes(name);
}

function readText(fact: FactName, why: string): string {
  if (fact.kind === 'caller') return `tells the target who calls, by the header field \`${fact.name}\``;
  return why === '' ? 'does not declare which facts of the request it reads' : `reads ${factText(fact)} ${why}`;
}

function factText({ kind, name }: FactName): string {
  switch (kind) {
    case 'consumer':
      return 'the consumer';
    case 'claims':
      return name === undefined ? 'claims' : `the claim \`${name}\``;
    case 'client':
      return 'facts of the client';
    case 'certificate':
      return 'the client certificate';
    case 'field':
      return name === undefined ? 'header fields' : `the header field \`${name}\``;
    case 'cookie':
      return name === undefined ? 'cookies' : `the cookie \`${name}\``;
    case 'query':
      return name === undefined ? 'the whole query' : `the query parameter \`${name}\``;
    case 'anything':
      return 'the whole request';
    default:
      return 'the id of the request';
  }
}

function consequence({ kind }: FactName, { removesQuery }: CacheKey): string {
  if (kind === 'id') return 'It differs for each request, so a stored reply would show the id of another one.';
  if (kind === 'anything')
    return 'So the reply for one request could answer another one that must get a different reply.';
  if (kind === 'caller')
    return 'The key does not tell all callers apart, so the reply for one of them would answer others.';
  if (kind === 'query' && removesQuery === true)
    return 'The key does not have it, so the cache removes it from the request, and it is always empty there.';
  return 'The key does not have it, so the reply for one request would answer others that differ in it.';
}

const declareHelp = ({ name }: PolicyModel): string =>
  `Declare what the code reads with \`requestFacts\`, give it a phase before \`cache\` if it is a policy, or take policy \`${name}\` from the route.`;

function helpOf(fact: FactName, policy: PolicyModel, key: CacheKey, { movable }: Step): string {
  const { kind } = fact;
  const { name } = policy;
  const away = `take policy \`${name}\` from the route`;
  const outside = movable ? `name it before \`${name}\` in \`policies\`, or ${away}` : `or ${away}`;
  if (kind === 'id') return `Do not use the id there, ${outside}.`;
  if (kind === 'anything') return `Read single facts there, such as a header field that the key has, ${outside}.`;
  if (kind === 'caller')
    return `Add the field to the key of policy \`${name}\`, or let the key have the consumer and all claims, ${outside}.`;
  if (kind === 'certificate') return `Do not read it there, ${outside}.`;
  return `${keyHelp(fact, policy, key)}, do not read it there, ${outside}.`;
}

/** What to write so that the key has it. */
function keyHelp({ kind, name: fact }: FactName, { declaration, name }: PolicyModel, key: CacheKey): string {
  // The settings of other kinds are their own.
  const list = declaration.use === 'cache' ? listOf(kind, key) : undefined;
  if (list === 'consumer' || list === 'client') return `Set \`key.${list} = true\` in policy \`${name}\``;
  if (list === undefined || fact === undefined) return `Add it to the key of policy \`${name}\``;
  if (list === 'query_except') return `Remove \`${fact}\` from \`key.query_except\` of policy \`${name}\``;
  return `Add \`${fact}\` to \`key.${list}\` of policy \`${name}\``;
}

/** The setting of `key` of the `cache` policy that a fact belongs to. */
function listOf(kind: FactName['kind'], { claims, query }: CacheKey): string | undefined {
  switch (kind) {
    case 'field':
      return 'fields';
    case 'cookie':
      return 'cookies';
    case 'query':
      return query !== 'all' && 'deny' in query ? 'query_except' : 'query';
    case 'claims':
      return claims === undefined ? 'consumer' : 'claims';
    case 'consumer':
    case 'client':
      return kind;
    default:
      return undefined;
  }
}

// ---------------------------------------------------------------- what runs inside

/**
 * What runs inside of a cache on a route: `inner` are the policies after it. `apart`: replies of other routes are not in the same
 * places, so it does not matter how the route was chosen.
 */
function* stepsOf(model: Model, route: RouteModel, inner: readonly PolicyUse[], apart: boolean): Generator<Step> {
  for (const { policy } of inner) {
    if (isOutside(policy)) continue;
    yield policyStep(model, policy);
    yield* calledSteps(model, policy);
  }
  yield* calledSteps(model, route.action);
  yield routeStep(model, route);
  if (!apart) yield matchStep(route);
}

/** Policies in front of a cache that write something into the request for the target. */
function* outerSteps(model: Model, outer: readonly PolicyUse[]): Generator<Step> {
  for (const { policy } of outer) {
    if (PHASES.indexOf(policy.phase) >= PHASES.indexOf('cache')) continue;
    for (const one of [policy, ...(model.members.get(policy) ?? [])]) {
      const { reads, ...step } = policyStep(model, one);
      // What decides about the request only is no matter of the reply.
      yield { ...step, outer: true, reads: reads.filter(({ fact }) => fact.kind === 'caller') };
    }
  }
}

/** The policies of the services that a policy or an action calls. */
function* calledSteps(model: Model, caller: object): Generator<Step> {
  for (const service of model.calls.get(caller) ?? [])
    for (const { policy } of model.servicePolicies.get(service) ?? []) yield policyStep(model, policy);
}

/** Whether it only handles replies, outermost, or takes no part. */
const isOutside = ({ config, declaration, when }: PolicyModel): boolean =>
  when?.expression.constant === false ||
  (declaration.replyPhase !== undefined && declaration.replyOnly?.(config) === true);

type Declared = NonNullable<ReturnType<NonNullable<PolicyModel['declaration']['requestFacts']>>>;

/** What a kind reads that does not say it. */
const ANYTHING: Declared = [{ kind: 'anything', at: [] }];

function policyStep(model: Model, policy: PolicyModel): Step {
  const { at, config, declaration, name, nameSpan } = policy;
  const declared = declaration.requestFacts?.(config) ?? ANYTHING;
  const reads = declared.map(
    (fact): Read => ({
      fact,
      why: whyOf(fact),
      span: fact.at.length === 0 ? nameSpan : at.spanOf(...fact.at),
    }),
  );
  return {
    of: policy,
    subject: `Policy \`${name}\` (\`${declaration.use}\`)`,
    entity: policyEntity(model, policy),
    movable: policy.phase === 'cache',
    reads: [...reads, ...conditionReads(policy)],
  };
}

const conditionReads = (policy: PolicyModel): Read[] =>
  conditionsOf(policy).flatMap((one) => readsOf([one], one === policy.when ? 'in `when`' : 'in a condition'));

const readsOf = (conditions: readonly ReturnType<typeof conditionsOf>[number][], why: string): Read[] =>
  conditions.flatMap(({ expression, spanOf }) =>
    expression.reads.flatMap((read) => {
      const fact = factOfRead(read);
      return fact === undefined ? [] : [{ fact, why, span: spanOf(read.start, read.end) }];
    }),
  );

function whyOf({ at, kind, why }: Declared[number]): string {
  if (why !== undefined) return why;
  return kind === 'anything' && at.length === 0 ? '' : placeText(at);
}

const placeText = (at: Declared[number]['at']): string =>
  at.length === 0 ? 'to do its work' : `in \`${at.filter((step) => typeof step === 'string').join('.')}\``;

/** The action of a route with what the route says to it. */
function routeStep(model: Model, route: RouteModel): Step {
  const { action, at } = route;
  const { config, declaration, key } = action;
  const declared = declaration.requestFacts?.(config) ?? ANYTHING;
  const reads = declared.map(
    (fact): Read => ({
      fact,
      why: whyOf(fact),
      span: fact.at.length === 0 ? at.keySpanOf(key) : at.spanOf(key, ...fact.at),
    }),
  );
  return {
    of: route,
    subject: `The action of the route (\`${key}\`)`,
    entity: routeEntity(route),
    movable: false,
    reads: [...reads, ...readsOf(route.expressions, 'in a condition'), ...rewriteReads(model, route)],
  };
}

function rewriteReads(model: Model, { at, rewrite }: RouteModel): Read[] {
  const parsed = rewrite === undefined ? undefined : parseTemplate(rewrite);
  if (rewrite === undefined || parsed === undefined || 'error' in parsed) return [];
  return parsed.variables.flatMap(({ name, offset }) => {
    const fact = factOfVariable(name);
    const part = rewrite.slice(offset, rewrite.indexOf('}', offset) + 1);
    return fact === undefined
      ? []
      : [{ fact, why: 'in `rewrite`', span: spanWithin(model, at.spanOf('rewrite'), part) }];
  });
}

/** The choice of the route by fields and parameters. */
const matchStep = (route: RouteModel): Step => ({
  of: route.match,
  subject: 'The match of the route',
  entity: routeEntity(route),
  movable: false,
  reads: route.match.conditions.flatMap(({ name, on, span }) => {
    const fact = on === 'header' ? fieldFact(name) : ({ kind: 'query', name } as const);
    return on === 'scheme' ? [] : [{ fact, why: 'to choose between routes with this cache', span }];
  }),
});
