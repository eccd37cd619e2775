/**
 * Checks the shape of a decoded program. The types of bundle/types.ts are erased at run time, so a data plane must refuse
 * a bundle that does not match them.
 */

import { acmeShape } from './acme-entry.js';
import { BALANCE_KINDS, HASH_KEY_KINDS } from './service/balance.js';
import { runShape } from './service/run.js';
import {
  always,
  anything,
  type Check,
  expected,
  flag,
  index,
  isTable,
  list,
  map,
  number,
  optional,
  reference,
  table,
  text,
  word,
} from './shape.js';
import { CREDENTIAL_KINDS, type Dfa, PHASES, REPLY_PHASES } from './types.js';

const source = table({
  from: word('spec', 'default', 'group', 'overlay'),
  file: optional(text),
  line: optional(number(1)),
});

const tlsPolicy = {
  cert: optional(reference),
  key: optional(reference),
  minVersion: optional(word('1.2', '1.3')),
  ciphers: optional(list(text)),
  client: optional(
    table({
      certificate: word('optional', 'required'),
      ca: list(reference),
      crl: optional(list(reference)),
      forward: optional(always),
    }),
  ),
};

const listener = table({
  name: text,
  address: reference,
  tls: optional(table({ ...tlsPolicy, hosts: optional(list(table({ ...tlsPolicy, names: optional(list(text)) }))) })),
  proxyProtocol: optional(always),
  socketMode: optional(number(0, 0o777)),
  redirect: optional(number(1, 65_535)),
  protocols: optional(list(word('h2', 'http/1.1'))),
  forceHttp2: optional(flag),
  maxHeaderBytes: number(0),
  maxBodyBytes: number(0),
  maxHeaders: number(0),
  maxTargetBytes: number(0),
  headerTimeout: number(0),
  bodyTimeout: number(0),
  idleTimeout: number(0),
  maxConnections: number(0),
  maxConnectionsPerAddress: optional(number(1)),
  maxRequestsPerConnection: number(1),
  maxStreams: optional(number(1)),
  minBodyRate: number(0),
  underscores: word('refuse-aliases', 'refuse', 'drop', 'keep'),
  trustedProxies: list(text),
});

const service = table({
  name: text,
  proxyProtocol: optional(word('v1', 'v2')),
  implicit: optional(always),
  policies: optional(list(text)),
  balance: optional(
    table({
      kind: word(...BALANCE_KINDS),
      keys: optional(list(table({ from: word(...HASH_KEY_KINDS), name: text }))),
      maxLoad: optional(number(1)),
    }),
  ),
  slowStart: optional(number(0)),
  sticky: optional(
    table({
      cookie: text,
      domain: optional(text),
      key: reference,
      maxAge: optional(number(1)),
      path: text,
      sameSite: word('lax', 'strict', 'none'),
      secure: optional(flag),
    }),
  ),
  zone: optional(reference),
  targets: list(table({ url: reference, weight: number(0), zone: optional(text), priority: optional(index(0)) })),
  run: optional(runShape),
  tls: optional(
    table({
      cert: optional(reference),
      key: optional(reference),
      ca: optional(list(reference)),
      serverName: optional(text),
      verify: optional(flag),
      minVersion: optional(word('1.3')),
    }),
  ),
  http2: optional(table({ maxStreams: number(1) })),
  connectTimeout: number(0),
  responseTimeout: number(0),
  idleTimeout: number(0),
  tunnelIdleTimeout: number(0),
  retries: number(0),
  requestsPerTarget: optional(number(1)),
  waitForTargets: optional(number(0)),
  maxConnections: number(0),
  maxQueue: number(0),
  maxSharePerAddress: number(1),
  pipelining: number(1),
  ejectAfter: number(0),
  ejectFor: number(0),
  health: optional(
    table({
      kind: word('http', 'tcp', 'grpc'),
      interval: number(1),
      timeout: number(1),
      jitter: number(0, 100),
      healthyAfter: number(1),
      unhealthyAfter: number(1),
      waits: optional(always),
      port: optional(number(1, 65_535)),
      method: optional(text),
      path: optional(text),
      host: optional(text),
      statuses: optional(list(list(number(100)))),
      body: optional(text),
      service: optional(text),
    }),
  ),
  breaker: optional(
    table({
      errors: optional(number(1)),
      requests: number(1),
      consecutive: optional(number(1)),
      window: number(1),
      openFor: number(1),
      probes: number(1),
    }),
  ),
  maxRequests: optional(number(1)),
  onClientClose: optional(word('finish', 'cancel')),
  retry: optional(
    table({
      on: list(word('connect', 'reset', 'timeout')),
      statuses: optional(list(number(400))),
      grpc: optional(list(number(0))),
      methods: optional(list(text)),
      attemptTimeout: optional(number(1)),
      maxBody: optional(number(1)),
      backoff: number(0),
      backoffMax: number(0),
      budget: number(1),
      budgetMin: number(0),
      retryAfterMax: number(0),
      hedge: optional(table({ percentile: optional(number(1, 100)), after: number(1), attempts: number(1) })),
    }),
  ),
  eject: optional(
    table({
      after5xx: optional(number(1)),
      slowTimes: optional(number(2)),
      forMax: optional(number(0)),
      share: optional(number(1)),
      panicBelow: optional(number(0)),
    }),
  ),
  host: text,
});

const credential = table({
  kind: word(...CREDENTIAL_KINDS),
  name: text,
  id: reference,
  data: optional(anything),
  expires: optional(number(0)),
  disabled: optional(always),
  addresses: optional(list(text)),
});

const consumer = table({
  name: text,
  plan: optional(text),
  groups: list(text),
  tags: map(text),
  disabled: optional(always),
  keepStreams: optional(always),
  credentials: list(credential),
});

const duty = table({ wait: number(0), required: flag });

const dfa: Check = (value, at) => {
  const shape = table({
    source: text,
    classes: list(index(0)),
    classCount: index(1),
    next: list(index(0)),
    accepts: list(index(0)),
    dead: index(0),
  });
  return shape(value, at) ?? (isTotal(value as Dfa) ? undefined : expected(at, 'a total automaton'));
};

/** Whether every byte leads from every state to a state. */
function isTotal({ accepts, classCount, classes, dead, next }: Dfa): boolean {
  const states = accepts.length;
  if (states === 0 || dead >= states || classes.length !== 256 || next.length !== states * classCount) return false;
  return classes.every((one) => one < classCount) && next.every((state) => state < states);
}

const policy = table({
  use: text,
  name: text,
  phase: word(...PHASES),
  replyPhase: optional(word(...REPLY_PHASES)),
  identity: text,
  stateIdentity: optional(text),
  calls: optional(list(text)),
  when: optional(table({ source: text, code: anything, patterns: optional(list(dfa)) })),
  code: optional(text),
  duty: optional(duty),
  settings: anything,
  config: map(anything),
  origins: map(source),
});

const templatePart: Check = (value, at) =>
  typeof value === 'string' || (isTable(value) && typeof value['var'] === 'string')
    ? undefined
    : expected(at, 'a part of a template');

const span = optional(number(0));
const rate = table({ capacity: number(0), periodMs: number(0) });
const webSocket = table({ maxMessage: span, maxReplyMessage: span, rate: optional(rate), idleTimeout: span });

const route = table({
  name: text,
  match: text,
  action: table({ use: text, summary: text, code: optional(text), settings: anything }),
  answers: optional(index(0)),
  service: index(-1),
  policies: list(index(0)),
  params: list(text),
  rewrite: optional(list(templatePart)),
  rewriteQuery: optional(list(templatePart)),
  stripPrefix: optional(text),
  timeout: number(0),
  maxBodyBytes: optional(number(0)),
  stream: optional(flag),
  streamIdleTimeout: optional(number(0)),
  webSocket: optional(webSocket),
  listeners: optional(list(text)),
  tags: optional(list(text)),
  without: optional(list(text)),
  source,
});

const LOGINS: { readonly [method: string]: Check } = {
  token: table({ method: text, token: reference }),
  approle: table({ method: text, mount: text, roleId: reference, secretId: reference }),
  kubernetes: table({ method: text, mount: text, role: text, jwt: text }),
};

const login: Check = (value, at) =>
  (isTable(value) ? LOGINS[String(value['method'])]?.(value, at) : undefined) ??
  (isTable(value) && Object.hasOwn(LOGINS, String(value['method'])) ? undefined : expected(at, 'a login'));

const vault = table({
  address: reference,
  ca: optional(text),
  namespace: optional(text),
  mount: optional(text),
  login,
  refresh: number(1),
  timeout: number(1),
});

const program = table({
  normalize: table({
    encodedSlashes: word('refuse', 'keep'),
    doubleSlashes: word('merge', 'refuse', 'keep'),
    trailingSlash: word('strict', 'ignore'),
    dotSegments: word('resolve', 'refuse'),
  }),
  admin: table({ address: optional(reference), token: optional(reference), hosts: optional(list(text)) }),
  accessLog: table({ path: optional(text), format: word('json', 'pretty') }),
  authentication: optional(
    table({
      failures: (value, at) =>
        value === null ? undefined : table({ capacity: number(0), periodMs: number(1) })(value, at),
    }),
  ),
  listeners: list(listener),
  services: list(service),
  consumers: list(consumer),
  consumerFiles: optional(list(text)),
  plans: list(
    table({
      name: text,
      rates: optional(list(rate)),
      concurrency: optional(number(1)),
      routes: optional(list(text)),
      routeTags: optional(list(text)),
      limits: map(anything),
    }),
  ),
  policies: list(policy),
  routes: list(route),
  code: optional(list(table({ use: text, sha256: text, bytes: index(0) }))),
  vault: optional(vault),
  acme: optional(acmeShape),
  overload: table({ shedAbove: number(0, 1), shrinkAbove: number(0, 1) }),
  state: optional(table({ contentMemory: number(1), contentDisk: optional(number(1)), path: optional(text) })),
  drainTimeout: number(0),
  drainDelay: number(0),
  workers: number(1, 64),
  provenance: table({ files: list(table({ path: text, sha256: text })), origins: map(source) }),
});

interface Indices {
  readonly services: readonly { readonly name: string; readonly policies?: readonly string[] }[];
  readonly policies: readonly {
    readonly name: string;
    readonly calls?: readonly string[];
    readonly code?: string;
    readonly members?: readonly number[];
  }[];
  readonly routes: readonly {
    readonly service: number;
    readonly answers?: number;
    readonly action: { readonly calls?: readonly string[]; readonly code?: string };
    readonly policies: readonly number[];
  }[];
  readonly code?: readonly { readonly sha256: string }[];
}

/** Why `value` is not a Program, as a phrase without full stop; undefined if it is one. */
export function checkProgram(value: unknown): string | undefined {
  return program(value, '') ?? checkIndices(value as Indices);
}

function checkIndices({ services, policies, routes, code = [] }: Indices): string | undefined {
  const carried = new Set(code.map(({ sha256 }) => sha256));
  const named = [...policies, ...routes.map(({ action }) => action)];
  if (named.some(({ code: sha256 }) => sha256 !== undefined && !carried.has(sha256)))
    return 'a policy or an action has code that the bundle does not carry';
  const names = new Set(services.map(({ name }) => name));
  for (const [i, { calls = [] }] of policies.entries())
    if (calls.some((name) => !names.has(name))) return `policy ${i} calls a service that does not exist`;
  for (const [i, { action, answers = 0, service: leadsTo, policies: chain }] of routes.entries()) {
    if (action.calls?.some((name) => !names.has(name))) return `route ${i} calls a service that does not exist`;
    if (leadsTo >= services.length) return `route ${i} leads to a service that does not exist`;
    if (answers > 0 && answers >= policies.length) return `route ${i} is answered by a policy that does not exist`;
    if (chain.some((at) => at >= policies.length)) return `route ${i} has a policy that does not exist`;
  }
  return signingFault(services, policies);
}

/** The policies that sign calls exist, and none waits for itself: its own calls are signed too. */
function signingFault(services: Indices['services'], policies: Indices['policies']): string | undefined {
  const byName = new Map(policies.map((policy) => [policy.name, policy]));
  const signed = new Map<string, ReadonlySet<string>>();
  for (const { name, policies: signers = [] } of services) {
    if (signers.some((wanted) => !byName.has(wanted)))
      return `calls to service ${name} are signed by a policy that does not exist`;
    signed.set(name, new Set(signers.flatMap((wanted) => callsOf(byName.get(wanted)!, policies))));
  }
  for (const [name, first] of signed) {
    const reached = new Set(first);
    for (const next of reached) for (const further of signed.get(next) ?? []) reached.add(further);
    if (reached.has(name)) return `the policies that sign calls to service ${name} call it themselves`;
  }
  return undefined;
}

/** The services that a policy calls, itself or by its members, which have no members. */
const callsOf = ({ calls = [], members = [] }: Indices['policies'][number], all: Indices['policies']): string[] => [
  ...calls,
  ...members.flatMap((at) => all[at]?.calls ?? []),
];
