/** Shared by policy tests: configs decoded like those of a spec, exchanges without sockets, a manual clock. */
import toml from 'toml';
import { languageWith } from '../../src/expression/check.js';
import type {
  AuthProblem,
  Claims,
  CollectBody,
  ConfigPath,
  ConsumerEntry,
  Decision,
  Exchange,
  Json,
  PlanEntry,
  PolicyContext,
  PolicyDeclaration,
  PolicyHost,
  PolicyInstance,
  PolicyProblem,
  Reply,
} from '../../src/policies/contract.js';
import { declarationOf } from '../../src/policies/registry.js';
import { authProblem, BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { policyHost } from '../../src/proxy/exchange/policy-host.js';
import { OfflineCalls } from '../../src/proxy/offline/calls.js';
import type { OfflineMocks } from '../../src/proxy/offline/mocks.js';
import { Decoder } from '../../src/schema/decoder.js';
import type { Span } from '../../src/schema/diagnostic.js';
import { INVALID } from '../../src/schema/schema.js';
import type { TableEntry, TomlNode } from '../../src/schema/tree.js';
import { LiveConsumers } from '../../src/state/consumers/live.js';
import { ConsumerSet } from '../../src/state/consumers/set.js';
import { LimitTable } from '../../src/state/limits/table.js';
import type { OutcomeSpace } from '../../src/state/outcomes/types.js';
import type { CacheSpace, ReplaySpace } from '../../src/state/types.js';
import { noExchanges } from '../support/calls.js';
import { stores } from '../support/stores.js';

const nowhere = { offset: 0, line: 1, column: 1 };
const span: Span = { file: 'test.toml', start: nowhere, end: nowhere };
const base = { span, from: 'spec' as const };

/** A value as a located tree. */
export function node(value: unknown): TomlNode {
  if (typeof value === 'string') return { ...base, kind: 'string', value };
  if (typeof value === 'boolean') return { ...base, kind: 'boolean', value };
  if (typeof value === 'number' || typeof value === 'bigint') return { ...base, kind: 'integer', value };
  if (Array.isArray(value)) return { ...base, kind: 'array', items: value.map(node) };
  const entries = new Map<string, TableEntry>();
  for (const [key, item] of Object.entries(value as object))
    entries.set(key, { key, keySpan: span, value: node(item) });
  return { ...base, kind: 'table', entries };
}

export function declaration(use: string): PolicyDeclaration {
  const found = declarationOf(use);
  if (!found) throw new Error(`no policy ${use}`);
  return found;
}

/** Decodes a policy's keys (TOML, without `use`). */
export function decode(use: string, text: string): { config: unknown; errors: string[] } {
  const tree = node(toml.parse(text));
  const decoder = new Decoder(
    tree,
    undefined,
    languageWith((place) => place),
  );
  const config = declaration(use).schema.decode(tree, decoder);
  const errors = decoder.diagnostics.map(({ message }) => message);
  return { config: config === INVALID ? undefined : config, errors };
}

export const context = (extra: Partial<PolicyContext> = {}): PolicyContext => ({
  name: 'p',
  routes: [{ name: 'r', params: ['id'], methods: ['GET'], path: '/r/{id}', schemes: ['http'] }],
  consumers: [{ name: 'acme', groups: [], credentials: ['key'] }],
  plans: ['gold'],
  readFile: (path) => ({ cause: `no file ${path}` }),
  ...extra,
});

/** The lint findings of a config, as `code at.path`. */
export function lint(use: string, text: string, extra: Partial<PolicyContext> = {}): string[] {
  const problems: PolicyProblem[] = [];
  const { config, errors } = decode(use, text);
  if (errors.length > 0) throw new Error(errors.join('\n'));
  declaration(use).lint?.(config, context(extra), (problem) => problems.push(problem));
  for (const { code, severity } of problems) {
    const known = declaration(use).codes?.find((entry) => entry.code === code);
    if (known?.severity !== severity) throw new Error(`${code} (${severity}) is not in the declaration's codes`);
  }
  return problems.map(({ code, at }) => [code, dotted(at)].filter(Boolean).join(' '));
}

const dotted = (at: ConfigPath): string => at.join('.');

export function compile(use: string, text: string, extra: Partial<PolicyContext> = {}): Json | undefined {
  const { config, errors } = decode(use, text);
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return declaration(use).compile(config, context(extra));
}

export interface World {
  /** Milliseconds of the monotonic clock. */
  now: number;
  /** The system's time, where it differs. */
  wall?: number;
  consumers: ConsumerEntry[];
  plans: PlanEntry[];
  limits: LimitTable;
  /** What services answer to calls. */
  mocks: OfflineMocks;
  /** Of all policies; their timers come due when a test calls `stores.time.step()`. */
  stores: Omit<ReturnType<typeof stores>, 'marks' | 'replays' | 'outcomes'> & {
    marks: CacheSpace;
    replays: ReplaySpace;
    outcomes: OutcomeSpace;
  };
}

/** `replays`: in place of those in memory. */
export const world = ({ replays }: { replays?: ReplaySpace } = {}): World => {
  const around: World = {
    now: 1_000_000,
    consumers: [],
    plans: [],
    limits: new LimitTable(LimitTable.allocate({ slots: 256 })),
    mocks: {},
    stores: stores({ now: () => around.wall ?? around.now, monotonic: () => around.now }),
  };
  if (replays !== undefined) around.stores = { ...around.stores, replays };
  return around;
};

function consumersOf(entries: readonly ConsumerEntry[]): LiveConsumers {
  return new LiveConsumers(ConsumerSet.of(entries).memory);
}

export function host(around: World, name = 'p', calls: readonly string[] = []): PolicyHost {
  const quiet = (): void => {};
  return policyHost(
    { name, identity: `identity of ${name}`, calls },
    { consumers: consumersOf(around.consumers), plans: around.plans },
    {
      clock: around.stores.time,
      random: () => 0.5,
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      limits: around.limits,
      calls: new OfflineCalls({ mocksOf: () => around.mocks, services: () => undefined, unknown: quiet }),
      exchanges: noExchanges,
      ...around.stores,
    },
  );
}

/** Names of the services that a config calls. */
const callsOf = (use: string, text: string): string[] =>
  (declaration(use).calls?.(decode(use, text).config) ?? []).map(
    ({ service, url = '' }) => service ?? new URL(url).origin,
  );

/** Creates a policy from its keys like from a spec, with JSON in between. */
export function create(use: string, text: string, around: World = world(), name = 'p'): PolicyInstance {
  const plan = compile(use, text, { name });
  if (plan === undefined) throw new Error(`${use} compiled to nothing`);
  return runHalves[use]!(JSON.parse(JSON.stringify(plan)) as Json, host(around, name, callsOf(use, text)));
}

export interface Given {
  method?: string;
  path?: string;
  query?: string;
  remoteAddress?: string;
  headers?: readonly (readonly [string, string])[];
  params?: { readonly [name: string]: string };
  consumer?: ConsumerEntry;
  claims?: Claims;
  absent?: readonly AuthProblem[];
  challenge?: string;
  decisions?: Decision[];
  /** State that policies keep per connection; separate unless exchanges share it. */
  connection?: Map<object, object>;
}

export function exchange(given: Given = {}): Exchange {
  const headers = new HeaderMap(given.headers);
  const notes = new Map<object, object>();
  const connection = given.connection ?? new Map<object, object>();
  return {
    known: false,
    earlierCallers: undefined,
    absent: given.absent,
    challenge: given.challenge,
    rule: undefined,
    note: (owner, value) => void notes.set(owner, value),
    noted: (owner) => notes.get(owner),
    remember: (owner, value) => void connection.set(owner, value),
    remembered: (owner) => connection.get(owner),
    sent: false,
    lasting: false,
    sendOnce: false,
    clientCertificate: undefined,
    id: 'req-1',
    method: given.method ?? 'GET',
    host: 'api.example.com',
    path: given.path ?? '/orders/1',
    query: given.query ?? '',
    targetPath: given.path ?? '/orders/1',
    setTargetPath(path) {
      const refused = /\/\.{1,2}(\/|$)/.test(path) || !path.startsWith('/');
      if (!refused) (this as { targetPath: string | undefined }).targetPath = path;
      return !refused;
    },
    target: 'http://127.0.0.1:4001',
    remoteAddress: given.remoteAddress ?? '192.0.2.1',
    scheme: 'http',
    listener: 'main',
    connection: { address: given.remoteAddress ?? '192.0.2.1', trusted: false, tls: undefined },
    hasBody: false,
    wantsUpgrade: false,
    claims: given.claims,
    startedAt: 0,
    route: {
      name: 'get-order',
      match: 'GET /orders/{id}',
      action: { use: 'proxy', summary: 'forwards to orders', settings: null },
      service: 0,
      policies: [],
      params: Object.keys(given.params ?? {}),
      timeout: 0,
      source: { from: 'spec' },
    },
    headers,
    header: (name) => headers.get(name),
    receivedTarget: `${given.path ?? '/orders/1'}${given.query ? `?${given.query}` : ''}`,
    received: (name) => new HeaderMap(given.headers).get(name),
    param: (name) => given.params?.[name],
    rawParam: (name) => (given.params?.[name] === undefined ? undefined : encodeURIComponent(given.params[name])),
    queryParam: () => undefined,
    consumer: given.consumer,
    decisions: given.decisions,
  };
}

/** The reply of before(); fails if it is a promise. */
export function before(policy: PolicyInstance, on: Exchange): Reply | undefined {
  const refused = authenticate(policy, on);
  if (refused !== undefined) return refused;
  const reply = policy.before?.(on);
  if (reply instanceof Promise) throw new Error('a promise where none was due');
  return reply;
}

/** For requests without a body. */
export const noBody: CollectBody = () => Promise.resolve(new Uint8Array(0));

/** Runs authenticate() as a chain does. Returns the reply if the request does not pass. */
export function authenticate(policy: PolicyInstance, on: Exchange): Reply | undefined {
  const found = policy.authenticate?.(on, noBody);
  if (found instanceof Promise) throw new Error('a promise where none was due');
  if (found === undefined) return undefined;
  const passes = found.outcome === 'identity' || (found.outcome === 'absent' && found.pass === true);
  policy.strip?.(on);
  on.decisions?.push({ step: 'p', use: 'p', outcome: passes ? 'pass' : 'answer', why: found.why });
  if (found.outcome === 'unavailable') return new BytesReply(503, { code: 'auth/unavailable' });
  if (found.outcome !== 'identity' && !passes) return authProblem(on, [found.problem]);
  if (found.outcome === 'identity') {
    if (found.consumer !== undefined) on.consumer = found.consumer;
    if (found.claims !== undefined) on.claims = found.claims;
  }
  return undefined;
}

export const bodyOf = (reply: Reply): { readonly [key: string]: Json } => {
  if (!(reply.body instanceof Uint8Array)) throw new Error('no bytes');
  return JSON.parse(Buffer.from(reply.body).toString()) as { readonly [key: string]: Json };
};

export const targetReply = (fields: readonly (readonly [string, string])[] = []): Reply =>
  new BytesReply(200, { headers: new HeaderMap(fields) });
