import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../../../src/bundle/types.js';
import { percentiles } from '../../../src/telemetry/stats/histogram.js';
import {
  bucketBound,
  bucketOf,
  CHUNK_BYTES,
  Counter,
  HISTOGRAM_BUCKETS,
  SLOTS_PER_CHUNK,
} from '../../../src/telemetry/stats/layout.js';
import { StatsRegistry, targetName, UNMATCHED } from '../../../src/telemetry/stats/registry.js';
import { SecondsRing } from '../../../src/telemetry/stats/seconds-ring.js';
import { SlotNames } from '../../../src/telemetry/stats/slot-names.js';
import { StatsWriter } from '../../../src/telemetry/stats/writer.js';
import { listenerPlan, routePlan, servicePlan } from '../../support/programs.js';

type Shape = Pick<Program, 'routes' | 'services' | 'listeners'>;

function program(routes: readonly string[], targets: readonly string[] = [], listeners: readonly string[] = []): Shape {
  return {
    routes: routes.map((name) => routePlan(name)),
    services: [servicePlan('orders', { targets: targets.map((url) => ({ url, weight: 1 })) })],
    listeners: listeners.map((name) => listenerPlan(name)),
  };
}

const NOW = 1_000_000_000;
const start = (workers = 1): StatsRegistry => new StatsRegistry({ workers, now: NOW });

function serve(writer: StatsWriter, slot: number, count: number, ms: number, status = 200): void {
  for (let at = 0; at < count; at++) {
    writer.begin(slot);
    writer.end(slot, status, 1, 10, ms, false);
  }
}

test('buckets cover every latency in order, with matching bounds', () => {
  assert.is(bucketOf(0), 0);
  assert.is(bucketOf(-1), 0);
  assert.is(bucketOf(Number.NaN), 0);
  assert.is(bucketOf(1e9), HISTOGRAM_BUCKETS - 1);
  assert.is(bucketOf(Number.POSITIVE_INFINITY), HISTOGRAM_BUCKETS - 1);
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    const bound = bucketBound(bucket);
    assert.is(bucketOf(bound - bound * 1e-9), bucket);
    if (bucket < HISTOGRAM_BUCKETS - 1) assert.is(bucketOf(bound), bucket + 1);
  }
  assert.is(bucketBound(HISTOGRAM_BUCKETS - 1), 2 ** 16);
});

test('counts of workers are summed', () => {
  const stats = start(2);
  const assigned = stats.assign(program(['a', 'b'], ['http://t'], ['main']), NOW);
  const [a, b] = [assigned.routes[0]!, assigned.routes[1]!];
  const writers = [0, 1].map((worker) => new StatsWriter(stats.chunks(worker)));
  serve(writers[0]!, a, 3, 5);
  serve(writers[1]!, a, 2, 5, 404);
  serve(writers[1]!, b, 1, 5, 503);
  writers[1]!.begin(a);
  writers[0]!.begin(assigned.targets[0]![0]!);
  writers[0]!.end(assigned.targets[0]![0]!, 0, 0, 0, 1, true);
  writers[0]!.set(assigned.targets[0]![0]!, Counter.EjectedUntil, 77);
  writers[1]!.add(assigned.listeners[0]!, Counter.Connections, 2);
  writers[0]!.add(assigned.listeners[0]!, Counter.Connections, 1);
  stats.tick(NOW + 1000);
  assert.equal(stats.sums(a), {
    requests: 5,
    status: [0, 3, 0, 2, 0],
    inFlight: 1,
    bytesIn: 5,
    bytesOut: 50,
    failures: 0,
    ejectedUntil: 0,
    connections: 0,
    latencySumMs: 25,
  });
  const target = stats.sums(assigned.targets[0]![0]!);
  assert.equal([target.requests, target.failures, target.ejectedUntil, target.status], [1, 1, 77, [0, 0, 0, 0, 0]]);
  assert.is(stats.sums(assigned.listeners[0]!).connections, 3);
  const traffic = stats.traffic();
  assert.equal([traffic.requests, traffic.errors, traffic.inFlight], [6, 1, 1]);
  assert.is(writers[0]!.get(a, Counter.Requests), 3);
});

test('a name keeps its slot across reloads and can be looked up', () => {
  const stats = start();
  const first = stats.assign(program(['a', 'b'], ['http://t']), NOW);
  const second = stats.assign(program(['c', 'b'], ['http://t', 'http://u']), NOW + 1000);
  assert.is(second.routes[1], first.routes[1]);
  assert.is.not(second.routes[0], first.routes[0]);
  assert.is(second.targets[0]![0], first.targets[0]![0]);
  assert.is(second.unmatched, first.unmatched);
  assert.is(stats.slot('route', 'b'), first.routes[1]);
  assert.is(stats.slot('route', UNMATCHED), first.unmatched);
  assert.is(stats.slot('target', targetName('orders', 'http://u')), second.targets[0]![1]);
  assert.is(stats.slot('route', 'never'), undefined);
  assert.equal([...stats.entries('route')].map(([name]) => name).sort(), ['-', 'a', 'b', 'c']);
  assert.is(targetName('s', { $ref: '${env:URL}' }), 's|${env:URL}');
});

test('chunks are added for more routes than one can hold, and writers adopt them', () => {
  const stats = start(2);
  stats.assign(program(['a']), NOW);
  const writer = new StatsWriter(stats.chunks(1));
  const names = Array.from({ length: SLOTS_PER_CHUNK * 3 }, (_, at) => `r${at}`);
  const assigned = stats.assign(program(names), NOW);
  assert.is(stats.chunks(0).length, 4);
  assert.is(stats.chunks(1)[3]!.byteLength, CHUNK_BYTES);
  writer.adopt(stats.chunks(1));
  const last = assigned.routes.at(-1)!;
  serve(writer, last, 7, 1);
  stats.tick(NOW + 1000);
  assert.is(stats.sums(last).requests, 7);
  assert.is(stats.traffic().requests, 7);
});

test('percentiles cover only the last minute', () => {
  const stats = start();
  const slot = stats.assign(program(['a']), NOW).routes[0]!;
  const writer = new StatsWriter(stats.chunks(0));
  assert.equal(stats.latency(slot), { p50: null, p95: null, p99: null });
  serve(writer, slot, 100, 1000);
  stats.tick(NOW + 500);
  const slow = stats.latency(slot);
  assert.ok(slow.p50! > 800 && slow.p50! < 1100, String(slow.p50));
  assert.equal(stats.traffic().latency, slow);
  let now = NOW + 500;
  for (let second = 0; second < 70; second++) {
    now += 1000;
    serve(writer, slot, 10, 2);
    stats.tick(now);
  }
  const quick = stats.latency(slot);
  assert.ok(quick.p99! < 3, String(quick.p99));
  for (let second = 1; second <= 70; second++) stats.tick(now + second * 1000);
  assert.equal(stats.latency(slot), { p50: null, p95: null, p99: null });
  assert.is(stats.traffic().latency.p50, null);
});

test('latency is available for sparse requests', () => {
  const stats = start();
  const slot = stats.assign(program(['a']), NOW).routes[0]!;
  const writer = new StatsWriter(stats.chunks(0));
  let now = NOW;
  for (let round = 0; round < 5; round++) {
    now += 90_000;
    stats.tick(now);
    assert.is(stats.latency(slot).p50, null);
    serve(writer, slot, 1, 10);
    stats.tick(now + 1000);
    const { p50 } = stats.latency(slot);
    assert.ok(p50 !== null && p50 > 9 && p50 < 12, String(p50));
  }
});

test('after hours without a tick no old data remains', () => {
  const stats = start();
  const slot = stats.assign(program(['a']), NOW).routes[0]!;
  const writer = new StatsWriter(stats.chunks(0));
  serve(writer, slot, 5, 10);
  stats.tick(NOW + 1000);
  stats.tick(NOW + 10 * 3_600_000);
  assert.is(stats.latency(slot).p50, null);
  assert.is(stats.rate(slot), 0);
  assert.is(
    stats.traffic().requestsPerSecond.every((count) => count === 0),
    true,
  );
});

test('percentiles interpolate linearly within buckets', () => {
  const counts = new Float64Array(HISTOGRAM_BUCKETS);
  counts[bucketOf(10)] = 100;
  const { p50 } = percentiles(counts);
  const bucket = bucketOf(10);
  assert.is(p50, (bucketBound(bucket - 1) + bucketBound(bucket)) / 2);
  counts.fill(0);
  counts[0] = 1;
  assert.ok(percentiles(counts).p99! <= bucketBound(0));
  counts.fill(0);
  counts[HISTOGRAM_BUCKETS - 1] = 3;
  assert.ok(percentiles(counts).p99! <= bucketBound(HISTOGRAM_BUCKETS - 1));
});

test('rates are the mean of ten whole seconds, and each second of the last two minutes is kept', () => {
  const stats = start();
  const slot = stats.assign(program(['a']), NOW).routes[0]!;
  const writer = new StatsWriter(stats.chunks(0));
  for (let second = 1; second <= 12; second++) {
    serve(writer, slot, 20, 1, second > 10 ? 500 : 200);
    stats.tick(NOW + second * 1000);
  }
  assert.is(stats.rate(slot), 20);
  const { requestsPerSecond, errorsPerSecond } = stats.traffic();
  assert.is(requestsPerSecond.length, 120);
  assert.equal(requestsPerSecond.slice(-13), [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]);
  assert.equal(errorsPerSecond.slice(-3), [0, 20, 20]);
  for (let second = 13; second <= 30; second++) stats.tick(NOW + second * 1000);
  assert.is(stats.rate(slot), 0);
});

test('a late tick spreads its count over the seconds and loses nothing', () => {
  const ring = new SecondsRing(5);
  ring.add(10, 0, 500);
  ring.add(300, 500, 3500);
  assert.equal(ring.values(4000), [0, 60, 100, 100, 50]);
  ring.add(7, 4000, 4000);
  assert.equal(ring.values(5000), [60, 100, 100, 50, 7]);
  assert.is(ring.mean(5000), (60 + 100 + 100 + 50 + 7) / 5);
  ring.add(1000, 5000, 1_000_000);
  assert.is(ring.values(1_000_000).length, 5);
  ring.add(3, 1_000_000, 999_000);
  assert.ok(ring.values(999_000).every(Number.isFinite));
});

test('gauges of a dead worker are removed, its counters stay', () => {
  const stats = start(2);
  const assigned = stats.assign(program(['a'], [], ['main']), NOW);
  const slot = assigned.routes[0]!;
  const writers = [0, 1].map((worker) => new StatsWriter(stats.chunks(worker)));
  serve(writers[0]!, slot, 2, 1);
  writers[0]!.begin(slot);
  writers[1]!.begin(slot);
  writers[0]!.add(assigned.listeners[0]!, Counter.Connections, 3);
  for (const writer of writers) writer.set(assigned.unmatched, Counter.Shedding, 1);
  writers[0]!.set(assigned.unmatched, Counter.Shrinking, 1);
  assert.equal(stats.overloaded(), { shedding: 2, shrinking: 1 });
  stats.tick(NOW + 1000);
  assert.is(stats.traffic().inFlight, 2);
  stats.forgetWorker(0);
  stats.tick(NOW + 2000);
  assert.is(stats.traffic().inFlight, 1);
  assert.is(stats.sums(slot).requests, 2);
  assert.is(stats.sums(assigned.listeners[0]!).connections, 0);
  assert.equal(stats.overloaded(), { shedding: 1, shrinking: 0 });
});

test('slots of long removed names are cleared and reused; busy ones are kept', () => {
  const stats = start();
  const first = stats.assign(program(['gone', 'busy', 'stays']), NOW);
  const writer = new StatsWriter(stats.chunks(0));
  for (const slot of first.routes) serve(writer, slot, 3, 1);
  writer.begin(first.routes[1]!);
  stats.tick(NOW + 1000);
  stats.assign(program(['stays']), NOW + 60_000);
  assert.is(stats.sums(stats.slot('route', 'gone')!).requests, 3);
  stats.assign(program(['stays']), NOW + 16 * 60_000);
  assert.is(stats.slot('route', 'gone'), undefined);
  assert.is(stats.slot('route', 'busy'), first.routes[1]);
  const later = stats.assign(program(['stays', 'fresh']), NOW + 17 * 60_000);
  assert.is(later.routes[1], first.routes[0]);
  assert.is(stats.sums(later.routes[1]!).requests, 0);
  serve(writer, later.routes[1]!, 1, 1);
  stats.tick(NOW + 17 * 60_000 + 1000);
  assert.is(stats.traffic().requests, 10);
  assert.ok(stats.latency(later.routes[1]!).p50 !== null);
});

test('removed names are bounded, the oldest are dropped first', () => {
  const names = new SlotNames();
  const all = Array.from({ length: 3000 }, (_, at) => `route:${at}`);
  for (let at = 0; at <= all.length; at++) names.assign('program', all.slice(at), at);
  assert.is(names.release(30_000, () => true).length, 0, 'a worker may not know yet that they are gone');
  assert.is(names.release(70_000, () => true).length, 3000 - 1024);
  assert.is(names.get('route:0'), undefined);
  assert.is(names.get('route:2999'), 2999);
  assert.is(names.nameOf(2999), 'route:2999');
  assert.is(names.nameOf(0), undefined);
  names.assign('program', ['route:new'], 70_001);
  assert.is(names.size, 3000);
});

test('with more busy slots than tracked, counts stay correct and idle slots are replaced', () => {
  const stats = start();
  const routes = Array.from({ length: 9000 }, (_, at) => `r${at}`);
  const assigned = stats.assign(program(routes), NOW);
  const writer = new StatsWriter(stats.chunks(0));
  for (let second = 1; second <= 3; second++) {
    for (const slot of assigned.routes) serve(writer, slot, 1, 4);
    stats.tick(NOW + second * 1000);
  }
  assert.is(stats.traffic().requests, 27_000);
  const [first, last] = [assigned.routes[0]!, assigned.routes[8999]!];
  for (const slot of [first, last]) {
    const { p50 } = stats.latency(slot);
    assert.ok(p50 !== null && p50 > 3 && p50 <= 5, String(p50));
  }
  assert.is(stats.rate(last), 0);
  stats.tick(NOW + 90_000);
  for (let second = 91; second <= 101; second++) {
    serve(writer, last, 5, 100);
    stats.tick(NOW + second * 1000);
  }
  assert.is(stats.rate(last), 5);
  const { p50 } = stats.latency(last);
  assert.ok(p50 !== null && p50 > 90 && p50 < 130, String(p50));
  serve(writer, first, 1, 100);
  stats.tick(NOW + 102_000);
  assert.ok(stats.latency(first).p50! > 90);
});

test('an unchanged chunk is not read again', () => {
  const stats = start();
  const slot = stats.assign(program(['a']), NOW).routes[0]!;
  const writer = new StatsWriter(stats.chunks(0));
  serve(writer, slot, 1, 1);
  stats.tick(NOW + 1000);
  // Bypasses the writer: without its activity mark the change is not read.
  new Float64Array(stats.chunks(0)[0]!)[slot * 96 + Counter.Requests] = 50;
  stats.tick(NOW + 2000);
  assert.is(stats.traffic().requests, 1);
  serve(writer, slot, 1, 1);
  stats.tick(NOW + 3000);
  assert.is(stats.traffic().requests, 51);
});

test.run();
