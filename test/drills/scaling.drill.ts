/**
 * Managed targets under a constant rate of requests: scaled from none to four and back, killed, and crashing in a loop. Each drill prints
 * its failed requests by cause.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import type { InstancesSnapshot } from '../../src/telemetry/service-snapshot.js';
import {
  call,
  closeAll,
  type Running,
  removeFolders,
  SpecFile,
  startGateway,
  until,
} from '../integration/control-kit.js';
import { atMost, PROTOCOLS, type Protocol } from './support/bed.js';
import { ConstantLoad, type Result } from './support/load.js';
import { between, causesOf, failuresOf, tell } from './support/report.js';

const test = suite('scaling of managed targets');
test.after.each(closeAll);
test.after(removeFolders);

const RATE = 100;
/** Milliseconds of a reply: so many requests are in flight that four processes are needed, or one. */
const HEAVY_MS = 200;
const LIGHT_MS = 5;
const PER_INSTANCE = 5;
const IDLE = '1s';

/** A process that replies after the milliseconds in the query. With LIVES it exits that many milliseconds after its start. */
const TARGET = `
const { createServer } = require(process.env.PROTOCOL === 'h2' ? 'node:http2' : 'node:http');
const server = createServer((request, response) => {
  response.setHeader('x-origin', String(process.pid));
  setTimeout(() => response.end('x'.repeat(4096)), Number(request.url.split('?')[1] ?? 0));
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT));
if (process.env.LIVES) setTimeout(() => process.exit(3), Number(process.env.LIVES));
`;

const specOf = (protocol: Protocol, run: string, more = '', workers = 2): string => `
spec = 1
workers = ${workers}
drain_timeout = "20s"
[listener.main]
address = "127.0.0.1:0"
[service.shop]
protocol = "${protocol}"
${more}
[service.shop.run]
command = "'${process.execPath}' shop.cjs"
env.PROTOCOL = "${protocol}"
${run}
[[route]]
name = "shop"
match = "GET /shop"
to = "shop"
`;

interface Bed extends Running {
  /** Milliseconds that the replies to further requests take. */
  replyMs: number;
  readonly file: SpecFile;
  load(): ConstantLoad;
  instances(): InstancesSnapshot;
}

async function bedOf(protocol: Protocol, run: string, more?: string): Promise<Bed> {
  return openBed(protocol, specOf(protocol, run, more), TARGET);
}

async function openBed(protocol: Protocol, spec: string, target: string): Promise<Bed> {
  const file = new SpecFile(spec);
  writeFileSync(join(file.folder, 'shop.cjs'), target);
  const running = await startGateway({ spec: file.path });
  const bed: Bed = {
    ...running,
    replyMs: LIGHT_MS,
    file,
    load: () => {
      const path = (): string => `/shop?${bed.replyMs}`;
      return ConstantLoad.start({ port: running.port, protocol, rate: RATE, path, patience: 30_000 });
    },
    instances: () => running.gateway.snapshot().services!.find(({ name }) => name === 'shop')!.instances!,
  };
  return bed;
}

/** Milliseconds until the longest wait for the first process was over. */
const coldStart = (results: readonly Result[]): string =>
  `cold start ${Math.round(Math.max(...results.slice(0, RATE / 2).map(({ took }) => took!)))} ms`;

for (const protocol of PROTOCOLS)
  test(`from none to four processes and back, ${protocol}`, async () => {
    const run = `instances = "0..4"\nscale_down_after = "1s"\nidle = "${IDLE}"`;
    const bed = await bedOf(protocol, run, `requests_per_target = ${PER_INSTANCE}`);
    assert.is(bed.instances().states.ready, 0);
    bed.replyMs = HEAVY_MS;
    const load = bed.load();
    await until(() => bed.instances().states.ready === 4, 'four processes', 60_000);
    await delay(1000);
    bed.replyMs = LIGHT_MS;
    await until(() => bed.gateway.snapshot().targets.length === 1, 'one process', 60_000);
    const results = await load.stop();
    const name = `scaled 0 to 4 to 0, ${protocol}`;
    tell(name, results, `${coldStart(results)}; ${atMost(results, 0, name)}`);

    await until(() => bed.gateway.snapshot().targets.length === 0, 'no process', 60_000);
    const again = bed.load();
    await until(() => again.results.some(({ took }) => took !== undefined), 'the first reply', 60_000);
    const second = await again.stop();
    tell(`scaled from 0 again, ${protocol}`, second, `${coldStart(second)}; ${atMost(second, 0, name)}`);
  });

/** Replies with a stream that ends when it is told to, and echoes on WebSockets. */
const LASTING = `
const { createServer } = require('node:http');
const { WebSocketServer } = require(process.env.WS);
const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write('data: tick\\n\\n'), 50);
  setTimeout(() => { clearInterval(timer); response.end('data: last\\n\\n'); }, 3000);
});
new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (text) => socket.send(process.pid + ' ' + text)));
server.listen(Number(process.env.PORT));
`;

test('a process that is not needed any more ends after its streams and WebSockets', async () => {
  const ws = JSON.stringify(createRequire(import.meta.url).resolve('ws'));
  // Each worker takes turns on its own.
  const specWith = (count: number): string => specOf('http/1.1', `instances = ${count}\nenv.WS = ${ws}`, '', 1);
  const bed = await openBed('http/1.1', specWith(2), LASTING);
  const sockets = [new WebSocket(`ws://127.0.0.1:${bed.port}/shop`), new WebSocket(`ws://127.0.0.1:${bed.port}/shop`)];
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const say = async (socket: WebSocket): Promise<string> => {
    socket.send('hello');
    return String((await once(socket, 'message'))[0]);
  };
  const before = await Promise.all(sockets.map(say));
  assert.is(new Set(before).size, 2, 'one at each process');
  const streams = [call(`${bed.url}/shop`), call(`${bed.url}/shop`)];
  await until(() => bed.gateway.snapshot().targets.every(({ inFlight }) => inFlight === 2), 'a stream at each process');
  bed.file.write(specWith(1));
  assert.is((await bed.gateway.reload())?.outcome, 'live');
  assert.equal(bed.instances().states, { starting: 0, ready: 1, backoff: 0, draining: 1 });
  assert.equal(await Promise.all(sockets.map(say)), before, 'both go on');
  for (const { status, body } of await Promise.all(streams))
    assert.ok(status === 200 && body.endsWith('data: last\n\n'));
  assert.is(bed.instances().states.draining, 1, 'its WebSocket is open');
  for (const socket of sockets) socket.close();
  await until(() => bed.gateway.snapshot().targets.length === 1, 'its end', 60_000);
});

test('a process is killed, others serve', async () => {
  const bed = await bedOf('http/1.1', 'instances = 3');
  bed.replyMs = 20;
  const load = bed.load();
  for (let killed = 0; killed < 5; killed++) {
    await until(() => bed.instances().states.ready === 3, 'three processes', 60_000);
    await delay(300);
    process.kill(bed.gateway.snapshot().targets[killed % 3]!.process!.pid!, 'SIGKILL');
    await until(() => bed.instances().states.ready < 3, 'the end of the process', 60_000);
  }
  const results = await load.stop();
  tell('a process of three killed five times', results, atMost(results, 0, 'killed'));
});

test('the only process is killed, requests wait for it', async () => {
  const bed = await bedOf('http/1.1', '', 'retry = { attempts = 2, budget = 100, backoff = "50ms" }');
  bed.replyMs = 20;
  const load = bed.load();
  await delay(1000);
  process.kill(bed.gateway.snapshot().targets[0]!.process!.pid!, 'SIGKILL');
  await until(() => bed.instances().restarts === 1 && bed.instances().states.ready === 1, 'a restart', 60_000);
  await delay(500);
  const results = await load.stop();
  tell('the only process killed', results, atMost(results, 0, 'killed'));
});

test('a process that never starts: requests fail with Retry-After, and succeed when it does', async () => {
  const bed = await bedOf('http/1.1', 'instances = "0..3"');
  writeFileSync(join(bed.file.folder, 'shop.cjs'), 'setTimeout(() => process.exit(4), 50)');
  const load = bed.load();
  await delay(5000);
  const { restarts, states } = bed.instances();
  assert.ok(restarts <= 6, `${restarts} starts in five seconds`);
  assert.ok(states.backoff + states.starting <= 3);
  writeFileSync(join(bed.file.folder, 'shop.cjs'), TARGET);
  await until(() => bed.instances().states.ready >= 1, 'the process to start', 60_000);
  const mendedAt = performance.now();
  await delay(1000);
  const results = await load.stop();
  tell('never starts, then mended', results, `${restarts} starts in five seconds`);
  for (const { cause, retryAfter } of failuresOf(results))
    assert.equal([cause, Number(retryAfter) >= 1], ['503 upstream/none', true]);
  assert.is(causesOf(between(results, mendedAt)), 'none');
});

test('processes that crash in a loop: no request hangs', async () => {
  const bed = await bedOf('http/1.1', 'instances = 2\nenv.LIVES = "400"\nready_timeout = "5s"');
  const load = bed.load();
  await delay(8000);
  const { restarts } = bed.instances();
  const results = await load.stop();
  tell('two processes that crash after 400 ms', results, `${restarts} restarts in eight seconds`);
  assert.ok(restarts <= 16, `${restarts} restarts`);
  for (const { cause, took } of results) {
    assert.ok(took! < 10_000, `a request took ${took} ms`);
    assert.ok(cause === undefined || /^50[23] upstream\//.test(cause), cause);
  }
});

test.run();
