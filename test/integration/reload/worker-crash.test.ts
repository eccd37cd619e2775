/** A worker that crashes under traffic is replaced on the same port, and its counters are kept. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { WorkerSupervisor } from '../../../src/control/workers/supervisor.js';
import { call, closeAll, removeFolders, startOrigin, until } from '../control-kit.js';
import { buggyWorker, hostBuggyWorker } from '../worker-kit.js';

let host: WorkerSupervisor | undefined;

test.after.each(async () => {
  await host?.close();
  await closeAll();
});
test.after(removeFolders);

const SPEC = (target: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[policy.few]
use = "rate-limit"
limit = "3/hour"
by = "route"
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
[[route]]
name = "few"
match = "GET /few"
to = "shop"
policies = ["few"]
`;

test('the replacement serves the same generation on the same port; lost exchanges are counted', async () => {
  const origin = await startOrigin();
  const worker = await hostBuggyWorker(buggyWorker("[() => { throw new Error('crashed'); }]"), SPEC(origin.url));
  host = worker.host;
  const { log, stats, url } = worker;
  assert.is((await call(`${url}/few`)).status, 200);
  assert.is((await call(`${url}/few`)).status, 200);
  const slow = call(`${url}/slow`).then(
    () => 'answered',
    () => 'lost',
  );
  const inFlight = (): number => stats.registry.sums(stats.registry.slot('route', 'shop') ?? 0).inFlight;
  await until(() => inFlight() === 1, 'the slow request');
  worker.command(1);
  const line = await until(() => log.find(/worker 0 died/), 'the log line about the crash');
  assert.is(line.fields['lost'], 1);
  assert.match(String(line.fields['cause']), 'crashed');
  assert.is(await slow, 'lost');
  await until(() => log.find(/worker 0 serves again/), 'the replacement');
  assert.is((await call(`${url}/again`)).body, 'origin GET /again');
  await until(() => inFlight() === 0, 'the counters');
  assert.is((await call(`${url}/few`)).status, 200);
  assert.is((await call(`${url}/few`)).status, 429, 'the limit remembers');
  const few = (): number => stats.registry.sums(stats.registry.slot('route', 'few') ?? 0).requests;
  await until(() => few() === 4, 'the counts of both workers');
  assert.is((await host.drain(1000)).cut, 0);
});

test.run();
