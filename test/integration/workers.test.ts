/** Several workers on one port: exact shared limits, intact log lines, and isolated failures. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test as always } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { StartError } from '../../src/control/gateway.js';
import { GatewayStats } from '../../src/control/gateway-stats.js';
import { whyNoSharing } from '../../src/control/ports/addresses.js';
import { WorkerSet } from '../../src/control/workers/set.js';
import { checkSpec } from '../../src/lint/index.js';
import { systemClock } from '../../src/state/clock.js';
import { ConnectionTable } from '../../src/state/connection-table.js';
import { LimitTable } from '../../src/state/limits/table.js';
import type { RequestRecord } from '../../src/telemetry/snapshot.js';
import { onlyWhere } from '../support/only-where.js';
import { freePort } from '../support/ports.js';
import { Busy } from './busy-client.js';
import {
  call,
  closeAll,
  KeptLog,
  Load,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  temporaryFolder,
  until,
} from './control-kit.js';
import { killServed, Served } from './serve-kit.js';

const why = whyNoSharing();
const test = onlyWhere(why === undefined, `workers cannot share ports here: ${why}`, always);

let set: WorkerSet | undefined;
always.after.each(async () => {
  await set?.close();
  set = undefined;
  killServed();
  await closeAll();
});
always.after(removeFolders);

const specOf = (target: string, { workers = 2, more = '', listener = '', port = 0 } = {}): string => `spec = 1
workers = ${workers}
${more}
[listener.main]
address = "127.0.0.1:${port}"
${listener}
[service.shop]
targets = ["${target}"]
[policy.few]
use = "rate-limit"
limit = "25/hour"
by = "route"
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
[[route]]
name = "few"
match = "GET /few"
reply = { body = "few" }
policies = ["few"]
`;

const plane = (id: string): string => id.split('-')[0] ?? '';
const fresh = { headers: { connection: 'close' } };

always('where workers cannot share ports, one serves, and the log says why', async () => {
  if (why === undefined) return;
  const spec = new SpecFile(specOf('http://127.0.0.1:9', { workers: 4 }));
  const { gateway, log, url } = await startGateway({ spec: spec.path });
  assert.is((await call(`${url}/hello`)).body, 'hello');
  assert.is(gateway.snapshot().gateway.workers, 1);
  const line = log.find(/^1 warning in the spec$/);
  assert.match(
    String(line?.fields['diagnostics']),
    /warning\[gateway\/workers\]: The spec asks for 4 workers, but one/,
  );
  assert.match(String(line?.fields['diagnostics']), 'Node 22.12');
});

always('inline, one serves, and the log says why', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9', { workers: 2 }));
  const { gateway, log } = await startGateway({ spec: spec.path, inline: true });
  assert.is(gateway.snapshot().gateway.workers, 1);
  const diagnostics = String(log.find(/^1 warning in the spec$/)?.fields['diagnostics']);
  assert.match(diagnostics, why === undefined ? /the data plane runs inline/ : /gateway\/workers/);
});

test('connections are distributed, request ids are unique, limits and counters are exact', async () => {
  const origin = await startOrigin();
  const access = join(temporaryFolder(), 'access.log');
  const { gateway, url } = await startGateway({
    spec: new SpecFile(specOf(origin.url, { workers: 3 })).path,
    accessLog: { path: access, format: 'json' },
  });
  const statuses: number[] = [];
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => call(`${url}/few`, fresh)));
    statuses.push(...answers.map(({ status }) => status));
  }
  assert.is(statuses.filter((status) => status === 200).length, 25, 'the limit is one for all workers');
  assert.is(statuses.filter((status) => status === 429).length, 175);
  const few = () => gateway.snapshot().routes.find(({ name }) => name === 'few');
  await until(() => few()?.requests === 200, 'all counts');
  assert.is(few()?.status['4xx'], 175);
  assert.is(gateway.snapshot().gateway.workers, 3);
  assert.is(gateway.snapshot().traffic.requests, 200);
  const metrics = await call('/metrics', { socketPath: gateway.adminSocket ?? '' });
  assert.match(metrics.body, /^gw_workers 3$/m);
  assert.match(metrics.body, /^gw_requests_total\{route="few",status="4xx"\} 175$/m);
  assert.match(metrics.body, /^gw_limit_allowed_total\{policy="few"\} 25$/m);
  assert.match(metrics.body, /^gw_worker_restarts_total\{worker="2"\} 0$/m);
  await gateway.drain();
  const ids = readFileSync(access, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as RequestRecord).id);
  assert.is(new Set(ids).size, 200);
  assert.is(new Set(ids.map(plane)).size, 3, 'every worker had some of them');
});

test('max_connections counts the connections of all workers', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, { workers: 2, listener: 'max_connections = 10' }));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const answers = await Promise.all(Array.from({ length: 30 }, () => call(`${url}/slow`, fresh)));
  assert.is(answers.filter(({ status }) => status === 200).length, 10);
  assert.is(answers.filter(({ status }) => status === 503).length, 20);
  await until(() => gateway.snapshot().listeners[0]?.connections === 0, 'all connections to be closed');
});

test('reloads under load: no request fails, and a rejected reload is rejected by all workers', async () => {
  const origin = await startOrigin();
  const body = (text: string): string => specOf(origin.url).replace('body = "hello"', `body = "${text}"`);
  const spec = new SpecFile(body('text 0'));
  const { gateway, url, port } = await startGateway({ spec: spec.path });
  const load = new Load();
  load.start(6, `${url}/hello`, ({ status }) => (status === 200 ? undefined : `status ${status}`));
  for (let round = 1; round <= 20; round++) {
    spec.write(body(`text ${round}`));
    assert.is((await gateway.reload())?.outcome, 'live');
    const answers = await Promise.all(Array.from({ length: 8 }, () => call(`${url}/hello`, fresh)));
    assert.equal([...new Set(answers.map((answer) => answer.body))], [`text ${round}`], 'no worker is behind');
    if (round % 5 > 0) continue;
    // The port of the first listener under another name: it cannot be bound.
    spec.write(`${body('broken')}[listener.more]\naddress = "127.0.0.1:${port}"\n`);
    assert.is((await gateway.reload())?.outcome, 'rejected');
    assert.is((await call(`${url}/hello`, fresh)).body, `text ${round}`);
  }
  await load.stop();
  assert.equal(load.failures, []);
});

test('the number of workers can change under load', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const load = new Load();
  load.start(6, `${url}/x`, ({ status }) => (status === 200 ? undefined : `status ${status}`));
  for (const workers of [4, 1, 3, 2]) {
    spec.write(specOf(origin.url, { workers }));
    assert.is((await gateway.reload())?.outcome, 'live');
    assert.is(gateway.snapshot().gateway.workers, workers);
    assert.is((await call(`${url}/hello`)).body, 'hello');
  }
  await load.stop();
  assert.equal(load.failures, []);
});

test('a drain of several workers loses no request of clients that honor Connection: close', async () => {
  const origin = await startOrigin();
  const { gateway, port } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const clients = Array.from({ length: 30 }, (_, at) => new Busy(port, () => (at % 3) * 40));
  await until(() => clients.every(({ served }) => served > 2), 'all clients to send');
  const report = await gateway.drain(5000);
  await Promise.all(clients.map(({ done }) => done));
  assert.equal(
    clients.map(({ end }) => end).filter((end) => end !== 'told'),
    [],
  );
  assert.equal([report.cut, report.raced], [0, 0]);
});

test('a gateway that started with one worker keeps one, and logs it', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, { workers: 1 }));
  const { gateway, url } = await startGateway({ spec: spec.path });
  spec.write(specOf(origin.url, { workers: 2 }));
  const reload = await gateway.reload();
  assert.is(reload?.outcome, 'live');
  assert.match(reload?.diagnostics ?? '', /restart it to use several/);
  assert.is(gateway.snapshot().gateway.workers, 1);
  assert.is((await call(`${url}/hello`)).body, 'hello');
});

test('a port in use by another process is detected, even if that process shares it', async () => {
  const origin = await startOrigin();
  const first = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const taken = new SpecFile(specOf(origin.url, { port: first.port }));
  try {
    await startGateway({ spec: taken.path });
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof StartError);
    assert.match(
      error.diagnostics,
      /listener\/bind[\s\S]*The gateway cannot listen at 127\.0\.0\.1:\d+: address already in use\./,
    );
  }
  await first.gateway.drain();
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(first.port, '127.0.0.1', resolve));
  await new Promise((resolve) => free.close(resolve));
});

test('of gateways that start simultaneously on one port, one serves and the others report it as in use', async () => {
  const port = await freePort();
  const start = async () => {
    const spec = new SpecFile(
      `spec = 1\nworkers = 2\n[listener.main]\naddress = "127.0.0.1:${port}"\n[[route]]\nmatch = "GET /"\nreply = { body = "here" }\n`,
    );
    return startGateway({ spec: spec.path });
  };
  const started = await Promise.allSettled(Array.from({ length: 4 }, start));
  const failed = started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  assert.is(failed.length, 3);
  for (const error of failed) {
    assert.ok(error instanceof StartError);
    assert.match(error.diagnostics, /cannot listen at 127\.0\.0\.1:\d+: address already in use\./);
  }
  assert.is((await call(`http://127.0.0.1:${port}/`)).body, 'here');
});

test('a worker that dies under load: the others serve, its requests count as lost, and it is replaced', async () => {
  const origin = await startOrigin();
  const { value: model } = checkSpec({ path: '/spec/gateway.toml', text: specOf(origin.url) });
  if (!model) throw new Error('the spec is right');
  const { program, sha256, trie } = compile(model, { shared: true }).bundle;
  const stats = new GatewayStats(systemClock);
  const connections = ConnectionTable.allocate({ workers: 2 });
  const counts = new ConnectionTable(connections, 0);
  const flag = new SharedArrayBuffer(8);
  const options = { limits: LimitTable.allocate(), connections, accessLog: null, flag };
  const log = new KeptLog();
  const module = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
  const entry = pathToFileURL(join(temporaryFolder(), 'mortal.mjs'));
  writeFileSync(
    entry,
    `
    import { parentPort, workerData } from 'node:worker_threads';
    import { serveCalls } from '${module('control/workers/calls.js')}';
    import { DataPlane } from '${module('proxy/data-plane.js')}';
    const { options } = workerData;
    serveCalls(parentPort, (events) => new DataPlane(options, events));
    const flag = new Int32Array(options.flag);
    setInterval(() => {
      if (Atomics.exchange(flag, options.worker, 0) === 1) throw new Error('struck down');
    }, 5);
  `,
  );
  set = new WorkerSet({
    entry,
    options,
    events: { requests: () => {}, log: (level, message, fields) => log.write(level, message, fields) },
    chunks: (worker) => stats.chunks(worker),
    died: (worker) => {
      counts.forget(worker);
      return stats.forgetWorker(worker);
    },
  });
  if (!(trie instanceof SharedArrayBuffer)) throw new Error('the trie is shared');
  const [bound] = await set.load({ id: 1, sha256, program, trie, stats: stats.slotsFor(program) });
  const url = `http://${bound?.address}`;
  const inFlight = (): number => stats.registry.sums(stats.registry.slot('route', 'shop') ?? 0).inFlight;
  const slow = Array.from({ length: 12 }, () =>
    call(`${url}/slow`).then(
      () => 'answered',
      () => 'lost',
    ),
  );
  await until(() => inFlight() === 12, 'all requests to be in flight');
  Atomics.store(new Int32Array(flag), 1, 1);
  const line = await until(() => log.find(/worker 1 died/), 'the log line');
  const ends = await Promise.all(slow);
  const lost = ends.filter((end) => end === 'lost').length;
  assert.is(line.fields['lost'], lost);
  assert.ok(lost > 0 && lost < 12, `${lost} of 12 were on the one that died`);
  await until(() => log.find(/worker 1 serves again/), 'the replacement');
  await until(() => inFlight() === 0, 'the gauges');
  const listener = stats.registry.slot('listener', 'main') ?? 0;
  await until(() => stats.registry.sums(listener).connections === 0, 'no connections');
  for (let count = 0; count < 20; count++) assert.is((await call(`${url}/again`, fresh)).status, 200);
  assert.is(log.count(/worker 0 died/), 0);
});

test('access log lines of several workers on one pipe are intact, also long ones and with a slow reader', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9', { workers: 3, more: '[access_log]\npath = "-"' }));
  const served = new Served({ path: spec.path, log: 'json' });
  const url = await served.url();
  served.child.stdout?.pause();
  const load = new Load();
  const long = 'x'.repeat(6000);
  load.start(12, `${url}/hello?${long}`, ({ status }) => (status === 200 ? undefined : `status ${status}`));
  await until(() => load.sent > 600, 'many requests');
  served.child.kill('SIGHUP');
  served.child.stdout?.resume();
  await load.stop();
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 0);
  assert.equal(load.failures, []);
  const lines = served.stdout.trim().split('\n');
  const records = lines.map((line) => JSON.parse(line) as Partial<RequestRecord>).filter(({ id }) => id !== undefined);
  assert.is(records.length, load.sent);
  assert.ok(new Set(records.map(({ id }) => plane(id ?? ''))).size > 1, 'of several workers');
});

test('the event stream has the requests of all workers, in order', async () => {
  const origin = await startOrigin();
  const { gateway, url } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const socket = gateway.adminSocket ?? '';
  const reader = spawn('curl', ['-sN', '--unix-socket', socket, 'http://gw/events?requests=1']);
  let text = '';
  reader.stdout.on('data', (chunk: Buffer) => {
    text += String(chunk);
  });
  await until(() => text.includes('"snapshot"'), 'the stream');
  const records = (): RequestRecord[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { type: string; requests?: RequestRecord[] })
      .flatMap(({ requests }) => requests ?? []);
  for (let count = 0; count < 40; count++) await call(`${url}/n${count}`, fresh);
  await until(() => records().length === 40, 'all records');
  reader.kill();
  assert.is(new Set(records().map(({ id }) => plane(id))).size, 2);
  assert.ok(records().filter((record, at) => at === 0 || record.at >= (records()[at - 1]?.at ?? 0)).length >= 38);
});

always.run();
