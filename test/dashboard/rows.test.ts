import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  limitRows,
  ROUTE_SORTS,
  reloadRows,
  requestRows,
  routeRows,
  sortRoutes,
  targetRows,
} from '../../src/dashboard/rows.js';
import type { Snapshot } from '../../src/telemetry/snapshot.js';
import { seeded } from '../support/random.js';
import { concurrency, record, route, routes, snapshot } from './sample.js';

const names = (rows: readonly { readonly id: string }[]): string[] => rows.map((row) => row.id);
const status = (more: object): Parameters<typeof route>[1] => ({
  status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, ...more },
});

test('routes sort by every column in both directions', () => {
  const list = [
    route('b', {
      requestsPerSecond: 2,
      requests: 10,
      inFlight: 1,
      latency: { p50: 1, p95: null, p99: 3 },
      ...status({ '5xx': 1 }),
    }),
    route('a', {
      requestsPerSecond: 1,
      requests: 30,
      inFlight: 3,
      latency: { p50: 3, p95: 2, p99: 1 },
      ...status({ '5xx': 3 }),
    }),
    route('c', {
      requestsPerSecond: 3,
      requests: 20,
      inFlight: 2,
      latency: { p50: 2, p95: 1, p99: 2 },
      ...status({ '5xx': 2 }),
    }),
  ];
  const expected = {
    rate: 'cba',
    requests: 'acb',
    errors: 'acb',
    p50: 'acb',
    p95: 'acb',
    p99: 'bca',
    inFlight: 'acb',
    name: 'abc',
  };
  for (const sort of ROUTE_SORTS) {
    assert.is(names(sortRoutes(list, sort, false)).join(''), expected[sort], sort);
    assert.is(names(sortRoutes(list, sort, true)).join(''), [...expected[sort]].reverse().join(''), sort);
  }
});

test('routes with equal values are ordered by traffic, then by name', () => {
  const list = [route('z'), route('b', { requests: 5 }), route('a'), route('c', { requests: 5 })];
  assert.equal(names(sortRoutes(list, 'p99', false)), ['b', 'c', 'a', 'z']);
});

test('routes are filtered by text, service and policy', () => {
  const all = snapshot();
  assert.equal(names(routeRows(all, 'service:payments', 'name', false)), ['pay', 'webhooks']);
  assert.equal(names(routeRows(all, 'policy:strict', 'name', false)), ['pay']);
  assert.equal(names(routeRows(all, '/users/me', 'name', false)), ['me']);
  assert.equal(routeRows(undefined, '', 'name', false), []);
});

test('rows are computed once for the same snapshot and settings', () => {
  const all = snapshot();
  assert.is(routeRows(all, '', 'rate', false), routeRows(all, '', 'rate', false));
  assert.is.not(routeRows(all, '', 'rate', false), routeRows(all, '', 'rate', true));
});

test('10,000 routes are sorted and filtered within the time of a frame', () => {
  const all = snapshot({ routes: routes(10_000, seeded(1)) });
  const before = process.cpuUsage();
  const rows = routeRows(all, 'route-9', 'p99', false);
  const { user, system } = process.cpuUsage(before);
  // All numbers that start with 9, except route-9: a route of the shop replaces it.
  assert.is(rows.length, 1_110);
  assert.ok(user + system < 250_000, `took ${(user + system) / 1_000} ms of processor time`);
});

test('limits have a heading, then keys or a line for no keys', () => {
  const rows = limitRows(snapshot(), '', 'used', false);
  assert.equal(
    rows.map((row) => row.kind),
    ['limit', 'key', 'key', 'key', 'limit', 'empty', 'concurrency', 'hold', 'hold'],
  );
  assert.equal(
    limitRows(snapshot(), 'globex', 'used', false).map((row) => row.kind),
    ['limit', 'key', 'concurrency', 'hold'],
  );
  assert.equal(
    limitRows(snapshot(), 'policy:strict', 'used', false).map((row) => row.kind),
    ['limit', 'empty'],
  );
  const idle = snapshot({ concurrency: concurrency().map((limit) => ({ ...limit, keys: [] })) });
  assert.equal(
    limitRows(idle, 'policy:few', 'used', false).map((row) => row.kind),
    ['concurrency', 'idle'],
  );
  const holds = (sort: 'used' | 'name', reverse: boolean): string[] =>
    limitRows(snapshot(), 'policy:few', sort, reverse).flatMap((row) => (row.kind === 'hold' ? [row.key.key] : []));
  assert.equal(holds('used', false), ['globex', 'acme']);
  assert.equal(holds('used', true), ['acme', 'globex']);
  assert.equal(holds('name', false), ['acme', 'globex']);
  assert.equal(limitRows(snapshot(), 'nobody', 'used', false), []);
  assert.equal(limitRows(undefined, '', 'used', false), []);
});

test('targets are listed under their service', () => {
  const rows = targetRows(snapshot(), '');
  assert.is(rows.filter((row) => row.kind === 'service').length, 4);
  assert.is(rows[0]?.kind === 'service' && rows[0].targets.length, 2);
  assert.equal(
    targetRows(snapshot(), 'health:ejected').map((row) => row.kind),
    ['service', 'target'],
  );
  assert.is(targetRows(snapshot(), 'process:backoff').length, 2);
  assert.equal(targetRows(undefined, ''), []);
});

test('a service whose processes start on demand is listed without a target', () => {
  const states = { starting: 0, ready: 0, backoff: 0, draining: 0 };
  const instances = { min: 0, max: 4, states, restarts: 0 };
  const idle = { name: 'idle', panic: 0, inFlight: 2, waiting: 2, targets: 0, instances, guard: null };
  const with0: Snapshot = { ...snapshot(), services: [idle] };
  assert.equal(
    targetRows(with0, 'service:idle').map((row) => row.id),
    ['service idle'],
  );
  assert.equal(targetRows(with0, 'service:products').length, targetRows(snapshot(), 'service:products').length);
});

test('the tail is filtered by words and kind of reply', () => {
  const tail = Array.from({ length: 40 }, (_, index) => ({ seq: 40 - index, record: record(40 - index) }));
  assert.is(requestRows(tail, '', 'all').length, 40);
  assert.ok(requestRows(tail, '', '4xx').every(({ entry }) => entry.record.status === 429));
  assert.ok(requestRows(tail, '', '5xx').every(({ entry }) => entry.record.status === 502));
  assert.is(
    requestRows(tail, '', 'errors').length,
    requestRows(tail, '', '4xx').length + requestRows(tail, '', '5xx').length,
  );
  assert.ok(requestRows(tail, 'route:pay', 'all').every(({ entry }) => entry.record.route === 'pay'));
  assert.is(requestRows(tail, 'error:upstream', 'all').length, requestRows(tail, '5xx', 'all').length);
});

test('reloads are filtered by outcome and text', () => {
  assert.is(reloadRows(snapshot(), '').length, 3);
  assert.is(reloadRows(snapshot(), 'outcome:rejected').length, 1);
  assert.is(reloadRows(snapshot(), 'did you mean').length, 1);
  assert.equal(reloadRows(undefined, ''), []);
});

test.run();
