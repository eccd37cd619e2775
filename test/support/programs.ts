/** Complete default entries of a program, for tests to override. */
import type { ListenerEntry, Program, RouteEntry, ServiceEntry } from '../../src/bundle/types.js';

/** An empty program, for tests to extend. */
export const programWith = (parts: Partial<Program> = {}): Program => ({
  normalize: { encodedSlashes: 'refuse', doubleSlashes: 'merge', trailingSlash: 'strict', dotSegments: 'resolve' },
  admin: {},
  accessLog: { format: 'json' },
  listeners: [],
  services: [],
  consumers: [],
  plans: [],
  policies: [],
  routes: [],
  overload: { shedAbove: 0.85, shrinkAbove: 0.92 },
  drainTimeout: 1000,
  drainDelay: 0,
  workers: 1,
  provenance: { files: [], origins: {} },
  ...parts,
});

export const listenerPlan = (name: string, more: Partial<ListenerEntry> = {}): ListenerEntry => ({
  name,
  address: '127.0.0.1:0',
  maxHeaderBytes: 32_768,
  maxBodyBytes: 1_048_576,
  maxHeaders: 100,
  maxTargetBytes: 16_384,
  maxRequestsPerConnection: 10_000,
  minBodyRate: 240,
  underscores: 'refuse-aliases',
  headerTimeout: 10_000,
  bodyTimeout: 30_000,
  idleTimeout: 75_000,
  maxConnections: 1000,
  trustedProxies: [],
  ...more,
});

export const servicePlan = (name: string, more: Partial<ServiceEntry> = {}): ServiceEntry => ({
  name,
  targets: [{ url: 'http://127.0.0.1:1', weight: 1 }],
  connectTimeout: 1,
  responseTimeout: 1,
  idleTimeout: 1,
  tunnelIdleTimeout: 1,
  retries: 1,
  maxConnections: 1,
  maxQueue: 1,
  maxSharePerAddress: 80,
  pipelining: 1,
  ejectAfter: 1,
  ejectFor: 1,
  host: 'preserve',
  ...more,
});

export const routePlan = (name: string, more: Partial<RouteEntry> = {}): RouteEntry => ({
  name,
  match: `GET /${name}`,
  action: { use: 'proxy', summary: 'forwards to a service', settings: null },
  service: 0,
  policies: [],
  params: [],
  timeout: 0,
  source: { from: 'spec', file: 'gateway.toml', line: 3 },
  ...more,
});
