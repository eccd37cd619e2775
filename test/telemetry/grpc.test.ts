import { Registry } from 'prom-client';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { grpcCountsOf, grpcMetrics } from '../../src/telemetry/grpc.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { StatsWriter } from '../../src/telemetry/stats/writer.js';
import { routePlan } from '../support/programs.js';

test('calls are counted by the name of their status, over all workers', async () => {
  const stats = new StatsRegistry({ workers: 2, now: 0 });
  const { routes } = stats.assign({ routes: [routePlan('a'), routePlan('b')], services: [], listeners: [] }, 0);
  const [a, b] = routes as [number, number];
  for (const worker of [0, 1]) {
    const writer = new StatsWriter(stats.chunks(worker));
    for (const code of [0, 0, 14, 17, 999]) writer.grpc(a, code);
  }
  assert.equal(grpcCountsOf(stats, a), { OK: 4, UNAVAILABLE: 2, other: 4 });
  assert.is(grpcCountsOf(stats, b), undefined);
  assert.is(
    stats.histogram(a).some((count) => count > 0),
    false,
  );
  const registry = new Registry();
  grpcMetrics(registry, stats);
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('gw_'));
  assert.equal(lines, [
    'gw_grpc_calls_total{route="a",status="OK"} 4',
    'gw_grpc_calls_total{route="a",status="UNAVAILABLE"} 2',
    'gw_grpc_calls_total{route="a",status="other"} 4',
  ]);
});

test.run();
