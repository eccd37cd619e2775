/** Models built without spec text, equal to the result of reading a spec with these routes. */

import proxy from '../src/actions/proxy/index.js';
import { DEFAULT_CONTENT_BYTES, DEFAULT_DISK_BYTES } from '../src/bundle/types.js';
import type { Origin, Origins } from '../src/schema/decoder.js';
import type { Span } from '../src/schema/diagnostic.js';
import type { ActionModel, Model, RouteModel, SegmentModel, ServiceModel } from '../src/spec/model.js';
import { PolicyFiles } from '../src/spec/policy-files.js';
import { type ServiceConfig, service } from '../src/spec/service/index.js';
import type { BenchRoute } from './tables.js';

const START = { offset: 0, line: 1, column: 1 };
const SPAN: Span = { file: 'gateway.toml', start: START, end: START };
const ORIGIN: Origin = { from: 'spec', span: SPAN, keySpan: SPAN };
const AT: Origins = {
  spanOf: () => SPAN,
  keySpanOf: () => SPAN,
  originOf: () => ORIGIN,
  entries: () => new Map<[], Origin>().entries(),
};

/** A service without a key. */
const defaults = (): ServiceConfig =>
  Object.fromEntries(
    Object.entries(service.fields).map(([key, schema]) => [key, schema.absent()?.value]),
  ) as unknown as ServiceConfig;

const SERVICE: ServiceModel = {
  name: 'origin',
  nameSpan: SPAN,
  span: SPAN,
  at: AT,
  config: { ...defaults(), targets: [{ url: 'http://127.0.0.1:9000', weight: 1 }] },
};

const TO_SERVICE: ActionModel = { declaration: proxy, config: { service: SERVICE.name }, key: 'to' };

/** One service, and one model route per route of the table. */
export function modelOf(routes: readonly BenchRoute[]): Model {
  return {
    files: [{ path: 'gateway.toml', absolute: '/gateway.toml', text: '', sha256: '0'.repeat(64) }],
    root: '/',
    policyFiles: new PolicyFiles('/'),
    listeners: [],
    services: [SERVICE],
    consumers: [],
    consumerFiles: [],
    zone: undefined,
    stored: {
      size: 0,
      paths: [],
      entries: () => [],
      get: () => undefined,
      pathOf: () => undefined,
      placeOf: () => undefined,
      sourcesOf: () => [],
      change: { set: [], removed: [] },
      commit: () => {},
    },
    acme: undefined,
    plans: [],
    members: new Map(),
    servicePolicies: new Map(),
    policies: [],
    calls: new Map(),
    policyRoutes: [],
    routes: routes.map(routeModel),
    normalize: {
      encoded_slashes: 'refuse',
      double_slashes: 'merge',
      trailing_slash: 'strict',
      dot_segments: 'resolve',
    },
    admin: { address: undefined, token: undefined, hosts: [] },
    accessLog: { path: undefined, format: 'json' },
    authentication: { failures: undefined },
    vault: undefined,
    overload: { shed_above: 85, shrink_above: 92 },
    state: { content_memory: DEFAULT_CONTENT_BYTES, content_disk: DEFAULT_DISK_BYTES, path: undefined },
    drainTimeout: 10_000,
    drainDelay: 0,
    workers: 1,
    lint: { allow: [] },
    at: AT,
  };
}

function routeModel({ method, segments }: BenchRoute, index: number): RouteModel {
  const path = segments.map((segment, i) => segment ?? `{p${i}}`).join('/');
  return {
    name: `route-${index}`,
    nameSpan: SPAN,
    span: SPAN,
    match: {
      text: `${method} /${path}`,
      span: SPAN,
      hosts: [],
      segments: segments.map(
        (text, i): SegmentModel =>
          text === undefined ? { kind: 'param', name: `p${i}`, span: SPAN } : { kind: 'literal', text, span: SPAN },
      ),
      methods: [method],
      conditions: [],
    },
    service: SERVICE,
    expressions: [],
    action: TO_SERVICE,
    policies: [],
    without: [],
    listeners: [],
    rewrite: undefined,
    stripPrefix: undefined,
    timeout: 60_000,
    maxBody: undefined,
    at: AT,
    tags: [],
    groups: [],
  };
}
