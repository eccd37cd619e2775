/** A data-plane thread that dies under traffic is replaced on the same port, and its counters stay. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { GatewayStats } from '../../src/control/stats.js';
import { WorkerHost } from '../../src/control/worker-host.js';
import { checkSpec } from '../../src/lint/index.js';
import { LimitTable } from '../../src/state/limit-table.js';
import { call, closeAll, KeptLog, removeFolders, startOrigin, temporaryFolder, until } from './control-kit.js';

let host: WorkerHost | undefined;

test.after.each(async () => {
  await host?.close();
  await closeAll();
});
test.after(removeFolders);

const module = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
/** gw's own worker, with a way to kill it. */
const entry = pathToFileURL(join(temporaryFolder(), 'mortal.mjs'));
writeFileSync(
  entry,
  `
  import { parentPort, workerData } from 'node:worker_threads';
  import { serveCalls } from '${module('control/worker-calls.js')}';
  import { DataPlane } from '${module('proxy/data-plane.js')}';
  serveCalls(parentPort, (events) => new DataPlane(workerData.options, events));
  const flag = new Int32Array(workerData.options.flag);
  setInterval(() => {
    if (Atomics.exchange(flag, 0, 0) === 1) throw new Error('struck down');
  }, 5);
`,
);

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

test('the next worker serves the same generation on the same port; what was lost is counted', async () => {
  const origin = await startOrigin();
  const { value: model } = checkSpec({ path: '/spec/gateway.toml', text: SPEC(origin.url) });
  if (!model) throw new Error('the spec is right');
  const { bundle } = compile(model, { shared: true });
  const trie = bundle.trie instanceof SharedArrayBuffer ? bundle.trie : new SharedArrayBuffer(0);
  const stats = new GatewayStats({ now: Date.now });
  const flag = new SharedArrayBuffer(4);
  const log = new KeptLog();
  const options = { limits: LimitTable.allocate(), accessLog: null, flag };
  host = new WorkerHost({
    entry,
    options,
    died: () => stats.forgetWorker(0),
    events: { requests: () => {}, log: (level, message, fields) => log.write(level, message, fields) },
  });
  const { program, sha256 } = bundle;
  const [bound] = await host.prepare({ id: 1, sha256, program, trie, stats: stats.slotsFor(program) });
  host.commit();
  const url = `http://${bound?.address}`;
  assert.is((await call(`${url}/few`)).status, 200);
  assert.is((await call(`${url}/few`)).status, 200);
  const slow = call(`${url}/slow`).then(
    () => 'answered',
    () => 'lost',
  );
  const inFlight = (): number => stats.registry.sums(stats.registry.slot('route', 'shop') ?? 0).inFlight;
  await until('the slow request', () => inFlight() === 1);
  Atomics.store(new Int32Array(flag), 0, 1);
  const line = await until('the death', () => log.find(/worker 0 died/));
  assert.is(line.fields['lost'], 1);
  assert.match(String(line.fields['cause']), 'struck down');
  assert.is(await slow, 'lost');
  await until('the next worker', () => log.find(/worker 0 is back/));
  assert.is((await call(`${url}/again`)).body, 'origin GET /again');
  await until('the counters', () => inFlight() === 0);
  assert.is((await call(`${url}/few`)).status, 200);
  assert.is((await call(`${url}/few`)).status, 429, 'the limit remembers');
  const few = (): number => stats.registry.sums(stats.registry.slot('route', 'few') ?? 0).requests;
  await until('the counts of both workers', () => few() === 4);
  assert.is((await host.drain(1000)).cut, 0);
});

test.run();
