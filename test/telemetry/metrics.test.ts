import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiskMemory, type DiskStats } from '../../src/state/content/disk/memory.js';
import { Metrics, type MetricsInput } from '../../src/telemetry/metrics.js';
import { Counter } from '../../src/telemetry/stats/layout.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { StatsWriter } from '../../src/telemetry/stats/writer.js';
import { routePlan } from '../support/programs.js';

const ODD = 'GET /a "b"\\c\nd';

function diskStats(): DiskStats {
  const memory = new DiskMemory(DiskMemory.allocate());
  memory.count('hits', 17);
  for (const [gauge, value] of Object.entries({ entries: 21, open: 1, bytes: 100, fileBytes: 200, limitBytes: 300 }))
    memory.set(gauge as keyof DiskStats, value);
  return memory.stats();
}

function setUp() {
  const stats = new StatsRegistry({ workers: 1, now: 0 });
  const slots = stats.assign({ routes: [routePlan(ODD), routePlan('idle')], services: [], listeners: [] }, 0);
  const facts: { current: MetricsInput } = {
    current: {
      workers: [
        { worker: 0, restarts: 0 },
        { worker: 1, restarts: 3 },
      ],
      version: '1.2.3',
      generation: 4,
      services: [
        {
          name: 'orders',
          panic: 1,
          inFlight: 7,
          waiting: 4,
          targets: 1,
          desired: 2,
          instances: {
            min: 0,
            max: 4,
            states: { starting: 1, ready: 1, backoff: 0, draining: 0 },
            restarts: 6,
          },
          guard: { breaker: 'half-open', inFlight: 2, openings: 3, refusedOpen: 4, refusedFull: 5 },
        },
        { name: 'plain', panic: 0, inFlight: 0, waiting: 0, targets: 0, guard: null },
      ],
      reloads: { live: 3, rejected: 1 },
      concurrency: [{ policy: 'few', max: 4, taken: 5, inUse: 2, fullest: 4, refused: 7 }],
      contents: {
        bytes: 1000,
        freeBytes: 600,
        policies: [
          {
            policy: 'store',
            entries: 1,
            bytes: 2,
            pinnedBytes: 3,
            hits: 4,
            misses: 5,
            stored: 6,
            evicted: 7,
            expired: 8,
            purged: 9,
            refused: { admission: 10, size: 11, room: 12 },
          },
        ],
        disk: diskStats(),
      },
      uncounted: 3,
      refusals: [{ policy: 'keys', code: 'auth/invalid', count: 6 }],
      limits: [{ policy: 'polite', allowed: 10, refused: 2, evicted: 5 }],
      targets: [{ service: 's', url: 'http://t', slot: slots.unmatched, healthy: false }],
      listeners: [{ name: 'main', slot: slots.unmatched }],
      duties: [
        {
          policy: 'tokens',
          use: 'jwt',
          active: false,
          runs: 7,
          failures: 2,
          lastSuccess: 5500,
          nextRun: null,
          lastError: null,
          failing: false,
        },
      ],
    },
  };
  const writer = new StatsWriter(stats.chunks(0));
  return { stats, slots, facts, writer, metrics: new Metrics(stats, () => facts.current) };
}

const lines = (text: string, start: string): string[] => text.split('\n').filter((line) => line.startsWith(start));

test('counters are exact, labels are escaped, idle routes are omitted', async () => {
  const { slots, writer, metrics } = setUp();
  for (const [status, ms] of [
    [200, 0.5],
    [200, 3],
    [404, 100],
    [503, 200_000],
  ] as const) {
    writer.begin(slots.routes[0]!);
    writer.end(slots.routes[0]!, status, 5, 7, ms, status === 503);
  }
  const { text, contentType } = await metrics.text();
  assert.is(contentType, 'text/plain; version=0.0.4; charset=utf-8');
  const label = 'route="GET /a \\"b\\"\\\\c\\nd"';
  assert.equal(lines(text, 'gw_requests_total'), [
    `gw_requests_total{${label},status="2xx"} 2`,
    `gw_requests_total{${label},status="4xx"} 1`,
    `gw_requests_total{${label},status="5xx"} 1`,
  ]);
  assert.equal(lines(text, 'gw_requests_cut_total'), [`gw_requests_cut_total{${label}} 1`]);
  assert.equal(lines(text, 'gw_received_bytes_total'), [`gw_received_bytes_total{${label}} 20`]);
  assert.equal(lines(text, 'gw_sent_bytes_total'), [`gw_sent_bytes_total{${label}} 28`]);
  assert.not.match(text, 'idle');
  assert.match(text, 'process_resident_memory_bytes');
});

test('every value is a number in the exposition format; a missing one is NaN', async () => {
  const { metrics } = setUp();
  await metrics.text();
  // Between two immediate scrapes there is no event loop measurement.
  const { text } = await metrics.text();
  const values = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(
    values.filter((line) => !/ (NaN|[+-]Inf|-?\d+(\.\d+)?(e[+-]?\d+)?)$/.test(line)),
    [],
  );
  assert.match(text, /^nodejs_eventloop_lag_mean_seconds NaN$/m);
});

test('the histogram is cumulative, ends in +Inf, and agrees with its count and sum', async () => {
  const { slots, writer, metrics } = setUp();
  for (const ms of [0.01, 1.5, 1.5, 30_000, 1e7]) {
    writer.begin(slots.routes[0]!);
    writer.end(slots.routes[0]!, 200, 0, 0, ms, false);
  }
  const { text } = await metrics.text();
  const buckets = lines(text, 'gw_request_duration_seconds_bucket').map((line) => {
    const found = /le="([^"]+)".* (\d+)$/.exec(line)!;
    return [found[1]!, Number(found[2])] as const;
  });
  const at = (le: string): number => buckets.find(([bound]) => bound === le)![1];
  assert.is(at('0.000125'), 1);
  assert.is(at('0.001'), 1);
  assert.is(at('0.002'), 3);
  assert.is(at('32.768'), 4);
  assert.is(at('+Inf'), 5);
  assert.is(buckets.at(-1)![0], '+Inf');
  for (let index = 1; index < buckets.length; index++) {
    assert.ok(buckets[index]![1] >= buckets[index - 1]![1]);
    if (index < buckets.length - 1) assert.ok(Number(buckets[index]![0]) > Number(buckets[index - 1]![0]));
  }
  assert.match(lines(text, 'gw_request_duration_seconds_count')[0]!, / 5$/);
  assert.match(lines(text, 'gw_request_duration_seconds_sum')[0]!, /} 10030\.003/);
});

test('metrics include limits, targets, listeners, reloads and build information', async () => {
  const { slots, writer, metrics } = setUp();
  writer.begin(slots.unmatched);
  writer.end(slots.unmatched, 200, 0, 0, 1, true);
  writer.begin(slots.unmatched);
  writer.add(slots.unmatched, Counter.Connections, 6);
  const { text } = await metrics.text();
  for (const line of [
    'gw_limit_allowed_total{policy="polite"} 10',
    'gw_limit_refused_total{policy="polite"} 2',
    'gw_concurrency_in_progress{policy="few"} 5',
    'gw_concurrency_max{policy="few"} 4',
    'gw_concurrency_keys{policy="few"} 2',
    'gw_concurrency_fullest_key{policy="few"} 4',
    'gw_concurrency_refused_total{policy="few"} 7',
    'gw_concurrency_uncounted_total 3',
    'gw_content_memory_bytes{state="free"} 600',
    'gw_content_memory_bytes{state="used"} 400',
    'gw_content_entries{policy="store"} 1',
    'gw_content_disk_bytes{kind="contents"} 100',
    'gw_content_disk_bytes{kind="file"} 200',
    'gw_content_disk_bytes{kind="limit"} 300',
    'gw_content_disk_entries 21',
    'gw_content_disk_open 1',
    'gw_content_disk_events_total{event="hits"} 17',
    'gw_content_disk_events_total{event="foreverRefused"} 0',
    'gw_content_bytes{policy="store"} 2',
    'gw_content_pinned_bytes{policy="store"} 3',
    'gw_content_hits_total{policy="store"} 4',
    'gw_content_misses_total{policy="store"} 5',
    'gw_content_stored_total{policy="store"} 6',
    'gw_content_evicted_total{policy="store"} 7',
    'gw_content_expired_total{policy="store"} 8',
    'gw_content_purged_total{policy="store"} 9',
    'gw_content_refused_total{policy="store",reason="admission"} 10',
    'gw_content_refused_total{policy="store",reason="size"} 11',
    'gw_content_refused_total{policy="store",reason="room"} 12',
    'gw_target_requests_total{service="s",target="http://t"} 1',
    'gw_target_failures_total{service="s",target="http://t"} 1',
    'gw_target_in_flight{service="s",target="http://t"} 1',
    'gw_target_connections{service="s",target="http://t"} 6',
    'gw_target_healthy{service="s",target="http://t"} 0',
    'gw_connections{listener="main"} 6',
    'gw_in_flight{route="-"} 1',
    'gw_reloads_total{outcome="live"} 3',
    'gw_reloads_total{outcome="rejected"} 1',
    'gw_generation 4',
    `gw_build_info{version="1.2.3",node="${process.version}"} 1`,
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
});

test('entities removed from the spec are absent from the next scrape; nothing is counted twice', async () => {
  const { facts, metrics, slots, writer } = setUp();
  writer.begin(slots.routes[0]!);
  writer.end(slots.routes[0]!, 200, 0, 0, 1, false);
  await metrics.text();
  facts.current = { ...facts.current, limits: [], concurrency: [], targets: [], listeners: [], generation: 5 };
  const { text } = await metrics.text();
  assert.equal(lines(text, 'gw_limit_allowed_total'), []);
  assert.equal(lines(text, 'gw_concurrency_max'), []);
  assert.equal(lines(text, 'gw_target_requests_total'), []);
  assert.match(lines(text, 'gw_requests_total')[0]!, / 1$/);
  assert.ok(text.includes('gw_generation 5'));
});

test('two gateways in one process do not share metrics', async () => {
  const one = setUp();
  const two = setUp();
  one.writer.begin(one.slots.routes[0]!);
  one.writer.end(one.slots.routes[0]!, 200, 0, 0, 1, false);
  assert.is(lines((await one.metrics.text()).text, 'gw_requests_total').length, 1);
  assert.is(lines((await two.metrics.text()).text, 'gw_requests_total').length, 0);
});

test('services: panic, and the state of a circuit breaker', async () => {
  const { metrics } = setUp();
  const { text } = await metrics.text();
  for (const line of [
    'gw_service_panic{service="orders"} 1',
    'gw_service_panic{service="plain"} 0',
    'gw_breaker_state{service="orders",state="half-open"} 1',
    'gw_breaker_state{service="orders",state="open"} 0',
    'gw_breaker_openings_total{service="orders"} 3',
    'gw_service_in_flight{service="orders"} 7',
    'gw_service_in_flight{service="plain"} 0',
    'gw_service_waiting{service="orders"} 4',
    'gw_service_targets{service="orders"} 1',
    'gw_service_desired_targets{service="orders"} 2',
    'gw_service_instance_restarts{service="orders"} 6',
    'gw_service_instances{service="orders",state="starting"} 1',
    'gw_service_refused_total{service="orders",reason="breaker"} 4',
    'gw_service_refused_total{service="orders",reason="max_requests"} 5',
  ])
    assert.ok(text.split('\n').includes(line), line);
  assert.not.match(text, /gw_breaker_state\{service="plain"/);
});

test.run();
