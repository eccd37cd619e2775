/** Snapshots and records as from a gateway: a shop with keys, limits, managed services. */

import type {
  ConcurrencySnapshot,
  LimitSnapshot,
  ReloadSnapshot,
  RequestRecord,
  RouteSnapshot,
  Snapshot,
  TargetSnapshot,
} from '../../src/telemetry/snapshot.js';
import { seeded } from '../support/random.js';

const SHOP: readonly (readonly [name: string, match: string, service: string, policies: readonly string[]])[] = [
  ['list-products', 'GET /products', 'products', ['headers']],
  ['get-product', 'GET /products/{id:int}', 'products', ['headers']],
  ['search', 'GET /products/search', 'products', ['polite']],
  ['me', 'GET /users/me', 'users', ['keys']],
  ['get-user', 'GET /users/{id:uuid}', 'users', ['keys']],
  ['list-orders', 'GET /orders', 'orders', ['keys', 'polite']],
  ['get-order', 'GET /orders/{id:int}', 'orders', ['keys', 'polite']],
  ['place-order', 'POST /orders', 'orders', ['keys', 'polite', 'headers']],
  ['pay', 'POST /orders/{id:int}/payments', 'payments', ['keys', 'strict']],
  ['webhooks', 'POST /webhooks/{provider:[a-z]+}/{rest...}', 'payments', []],
];

export function route(name: string, more: Partial<RouteSnapshot> = {}): RouteSnapshot {
  return {
    name,
    match: `GET /${name}`,
    action: 'forwards to products',
    service: 'products',
    policies: [],
    requests: 0,
    requestsPerSecond: 0,
    status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
    inFlight: 0,
    bytesIn: 0,
    bytesOut: 0,
    latency: { p50: null, p95: null, p99: null },
    ...more,
  };
}

/** The routes of the shop, filled up with generated ones to `count`; all with traffic. */
export function routes(count: number, random: () => number): RouteSnapshot[] {
  const made = SHOP.slice(0, count).map(([name, match, service, policies]) => ({ name, match, service, policies }));
  for (let index = made.length; index < count; index++) {
    const name = `route-${index}`;
    made.push({
      name,
      match: `GET /api/v${index % 4}/things-${index}/{id:int}`,
      service: 'products',
      policies: ['keys'],
    });
  }
  return made.map((base, index) => {
    const rate = index < 10 ? random() * 80 : random() * 2;
    const requests = Math.floor(rate * 3600);
    const bad = Math.floor(requests * random() * 0.004);
    const refused = Math.floor(requests * random() * 0.05);
    const p50 = 0.4 + random() * 6;
    return route(base.name, {
      ...base,
      requests,
      requestsPerSecond: rate,
      status: { '1xx': 0, '2xx': requests - bad - refused, '3xx': 0, '4xx': refused, '5xx': bad },
      inFlight: Math.floor(rate * 0.03),
      bytesIn: requests * 210,
      bytesOut: requests * 1840,
      latency: { p50, p95: p50 * 3.1, p99: p50 * 9.7 },
    });
  });
}

/** A limit of requests in progress for each client address. */
export function concurrency(): ConcurrencySnapshot[] {
  const keys = [
    { key: 'globex', taken: 4, capacity: 4 },
    { key: 'acme', taken: 1, capacity: 4 },
  ];
  return [
    {
      policy: 'few',
      max: 4,
      by: 'consumer',
      enforced: true,
      routes: ['pay'],
      inProgress: 5,
      keysInUse: 2,
      refused: 12,
      refusedPerSecond: 0.4,
      keys,
    },
  ];
}

export function limits(): LimitSnapshot[] {
  const key = (name: string, used: number, capacity: number, refused: number): LimitSnapshot['keys'][number] => ({
    key: name,
    capacity,
    periodMs: 60_000,
    used,
    remaining: capacity - used,
    resetMs: (used / capacity) * 60_000,
    nextFreeMs: used >= capacity ? 480 : 0,
    allowed: used * 41,
    refused,
  });
  return [
    {
      policy: 'polite',
      limit: '100/min',
      by: 'consumer',
      routes: ['search', 'list-orders', 'get-order', 'place-order'],
      allowed: 12_430,
      refused: 311,
      refusedPerSecond: 2.4,
      evicted: 0,
      keys: [key('acme', 100, 100, 311), key('globex', 83, 100, 0), key('initech', 12, 100, 0)],
    },
    {
      policy: 'strict',
      limit: '5/s',
      by: 'ip',
      routes: ['pay'],
      allowed: 0,
      refused: 0,
      refusedPerSecond: 0,
      evicted: 0,
      keys: [],
    },
  ];
}

export function targets(): TargetSnapshot[] {
  const base = {
    weight: 1,
    health: 'healthy',
    ejectedForMs: 0,
    requests: 48_210,
    failures: 0,
    inFlight: 3,
    connections: 12,
    latency: { p50: 0.9, p95: 3.4, p99: 11.2 },
    lastFailure: null,
    failingSince: null,
  } as const;
  const managed = (name: string, pid: number): NonNullable<TargetSnapshot['process']> => ({
    state: 'ready',
    pid,
    restarts: 0,
    command: `node fixtures/demo/${name}.js`,
  });
  return [
    { ...base, service: 'orders', url: 'http://127.0.0.1:4003' },
    {
      ...base,
      service: 'orders',
      url: 'http://127.0.0.1:4004',
      weight: 2,
      health: 'ejected',
      ejectedForMs: 12_000,
      failures: 37,
      lastFailure: { at: 1_790_000_000_000, error: 'upstream/unreachable', cause: 'connection refused' },
      failingSince: 1_789_999_958_000,
      inFlight: 0,
      connections: 0,
    },
    { ...base, service: 'products', url: 'http://127.0.0.1:40311', process: managed('products', 48_113) },
    {
      ...base,
      service: 'payments',
      url: 'http://127.0.0.1:40317',
      requests: 120,
      process: { ...managed('payments', 48_120), state: 'backoff', pid: null, restarts: 4 },
    },
    { ...base, service: 'users', url: 'https://users.internal.example.com:8443' },
  ];
}

const DIAGNOSTICS = `error[policy/unknown]: route 'get-order' uses policy 'polit', which is not defined
  --> gateway.toml:41:21
   |
41 | policies = ["keys", "polit"]
   |                     ^^^^^^^ no policy has this name
   |
   = help: did you mean 'polite'?

warning[service/unused]: service 'legacy' is defined and no route leads to it
  --> gateway.toml:12:10
   |
12 | [service.legacy]
   |          ^^^^^^
`;

export function reloads(now: number): ReloadSnapshot[] {
  const base = { outcome: 'live', diagnostics: '', errors: 0, warnings: 0 } as const;
  return [
    {
      ...base,
      at: now - 41_000,
      outcome: 'rejected',
      generation: null,
      summary: '',
      tookMs: 8.4,
      diagnostics: DIAGNOSTICS,
      errors: 1,
      warnings: 1,
    },
    {
      ...base,
      at: now - 95_000,
      generation: 12,
      summary: '+1 route, ~2 routes, -0 routes',
      changes: [
        { change: 'added', kind: 'route', names: ['ping'], more: 0 },
        { change: 'changed', kind: 'route', names: ['list-orders', 'place-order'], more: 0 },
      ],
      tookMs: 14.2,
    },
    {
      ...base,
      at: now - 1_800_000,
      outcome: 'replaced',
      generation: 11,
      summary: '+0 routes, ~1 route, -3 routes',
      tookMs: 11.9,
    },
  ];
}

/** One duty that succeeds, and one that fails. */
export function duties(now: number): Snapshot['duties'] {
  const duty = { use: 'jwt', active: false, runs: 12, failures: 0, lastError: null, failing: false };
  const lastError = { at: now - 4000, cause: 'connection refused' };
  return [
    { ...duty, policy: 'tokens', lastSuccess: now - 95_000, nextRun: now + 205_000 },
    {
      ...duty,
      policy: 'partners',
      failures: 5,
      failing: true,
      lastSuccess: now - 3_700_000,
      nextRun: now + 16_000,
      lastError,
    },
  ];
}

/** Consumers as a shop has them, and callers with wrong keys. */
export function consumers(now: number): Snapshot['consumers'] {
  const idle = { requests: 0, requestsPerSecond: 0, refused: {}, lastSeen: null };
  const key = { kind: 'key', expires: null, disabled: false };
  const day = 86_400_000;
  return {
    declared: 4,
    shown: [
      {
        name: 'acme',
        plan: 'gold',
        groups: ['partners', 'eu'],
        disabled: false,
        requests: 81_204,
        requestsPerSecond: 212.4,
        refused: { 'limit/exceeded': 120, 'auth/forbidden': 2 },
        lastSeen: now - 400,
        credentials: [
          { ...key, name: 'ci', expires: now + 3 * day },
          { ...key, name: 'prod' },
        ],
      },
      {
        name: 'globex',
        plan: 'basic',
        groups: [],
        disabled: false,
        requests: 310,
        requestsPerSecond: 1.2,
        refused: { 'plan/route': 4 },
        lastSeen: now - 61_000,
        credentials: [{ ...key, name: 'old', expires: now - 2 * day }],
      },
      { ...idle, name: 'initech', plan: null, groups: [], disabled: true, credentials: [{ ...key, name: 'key-1' }] },
      { ...idle, name: 'umbrella', plan: 'basic', groups: ['labs'], disabled: false, credentials: [] },
    ],
    unknown: {
      requests: 47,
      requestsPerSecond: 0.6,
      refused: { 'auth/invalid': 30, 'auth/missing': 17 },
      lastSeen: now - 2100,
    },
  };
}

export function snapshot(
  more: Partial<Snapshot> = {},
  options: { routes?: number; now?: number; seed?: number } = {},
): Snapshot {
  const now = options.now ?? 1_790_000_000_000;
  const random = seeded(options.seed ?? 7);
  const wave = Array.from({ length: 120 }, (_, second) => {
    return Math.max(0, Math.round(260 + 140 * Math.sin(second / 9) + 60 * random() - (second === 70 ? 200 : 0)));
  });
  return {
    version: 1,
    gateway: {
      gw: '0.1.0',
      pid: process.pid,
      spec: '/srv/shop/gateway.toml',
      startedAt: now - 3_725_000,
      now,
      state: 'ready',
      workers: 1,
      overloaded: 0,
      rssBytes: 87 * 1024 * 1024,
    },
    generation: { id: 12, sha256: 'ab'.repeat(32), loadedAt: now - 95_000 },
    listeners: [{ name: 'main', address: '127.0.0.1:8080', tls: false, connections: 64 }],
    traffic: {
      requests: 1_284_310,
      errors: 412,
      inFlight: 9,
      requestsPerSecond: wave,
      errorsPerSecond: wave.map((_, second) => (second > 66 && second < 76 ? Math.round(random() * 9) : 0)),
      latency: { p50: 1.2, p95: 4.8, p99: 21.4 },
    },
    routes: routes(options.routes ?? 10, random),
    limits: limits(),
    concurrency: concurrency(),
    consumers: consumers(now),
    targets: targets(),
    duties: [],
    reloads: reloads(now),
    ...more,
  };
}

export function record(index: number, more: Partial<RequestRecord> = {}): RequestRecord {
  const refused = index % 9 === 4;
  const broken = index % 31 === 7;
  const place = SHOP[index % SHOP.length];
  return {
    at: 1_790_000_000_000 + index * 37,
    id: `req-${index}`,
    remote: '127.0.0.1',
    method: place?.[1].split(' ')[0] ?? 'GET',
    host: 'shop.example.com',
    url: (place?.[1].split(' ')[1] ?? '/').replace(/\{[^}]*\}/g, String(index)),
    status: broken ? 502 : refused ? 429 : 200,
    route: place?.[0] ?? null,
    service: place?.[2] ?? null,
    target: refused ? null : 'http://127.0.0.1:4003',
    consumer: 'acme',
    bytesIn: 0,
    bytesOut: 1840,
    durationMs: 0.4 + (index % 17),
    upstreamMs: refused ? null : 0.3 + (index % 17),
    error: broken ? 'upstream/unreachable' : refused ? 'limit/exceeded' : null,
    cause: broken ? 'connection refused' : null,
    decisions: [
      { step: 'route', use: 'match', outcome: place?.[0] ?? 'none', why: `${place?.[1]} is the most specific match` },
      { step: 'keys', use: 'api-key', outcome: 'authenticated', why: 'the key in x-api-key belongs to consumer acme' },
      {
        step: 'polite',
        use: 'rate-limit',
        outcome: refused ? 'refused' : 'allowed',
        why: refused ? '100 of 100 used by acme; the next slot is free in 480 ms' : '83 of 100 used by acme',
      },
    ],
    ...more,
  };
}
