/** Behavior towards clients when memory runs low. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../../support/gw-process.js';
import { call } from '../control-kit.js';
import { FaultTarget, ok, Plane, RawClient, specOf, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** Simulated memory of 1000 bytes; the test sets the use after a full garbage collection. */
class Memory {
  #used = 0;
  #then: () => void = () => {};

  readonly source = {
    read: () => ({ heap: this.#used, outside: 0, limit: 1000 }),
    onCollection: (then: () => void) => {
      this.#then = then;
      return () => {};
    },
  };

  set used(bytes: number) {
    this.#used = bytes;
    this.#then();
  }
}

interface Context {
  target: FaultTarget;
  plane: Plane;
  memory: Memory;
}

const test = suite<Context>('overload');

test.before.each(async (context) => {
  context.target = await FaultTarget.start(ok('hello'));
  context.memory = new Memory();
  context.plane = await Plane.start(specOf(context.target.url), { memory: context.memory.source });
});

test.after.each(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

test('above shed_above new connections get 503 with Retry-After, open connections are served', async ({
  plane,
  memory,
}) => {
  const client = plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  memory.used = 880;
  await until(() => plane.logs.length > 0, 'the log line');
  assert.equal(plane.logs, [
    {
      level: 'warn',
      message: 'memory low: new connections rejected',
      fields: { usedMiB: 0, limitMiB: 0 },
    },
  ]);
  const refused = plane.client();
  const reply = await refused.reply();
  assert.equal([reply.status, reply.header('retry-after'), reply.header('connection')], [503, '5', 'close']);
  assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:gateway/overloaded');
  await refused.end();
  await plane.record(({ error }) => error === 'gateway/overloaded');
  client.send(GET);
  assert.equal([(await client.reply()).status, client.ended], [200, false]);
  memory.used = 500;
  await until(() => plane.logs.length > 1, 'the second line');
  assert.is(plane.logs[1]?.message, 'memory recovered: new connections accepted');
  assert.is((await plane.ask(GET)).status, 200);
});

test('above shrink_above idle client and target connections close, busy ones stay open', async ({
  plane,
  target,
  memory,
}) => {
  target.respond = (request, socket) => setTimeout(() => ok('hello')(request, socket), 50);
  const idle = Array.from({ length: 5 }, () => plane.client());
  for (const client of idle) client.send(GET);
  for (const client of idle) await client.reply();
  assert.is(target.open, 5);
  let answer: Socket | undefined;
  target.respond = (_request, socket) => {
    answer = socket;
  };
  const busy = plane.client();
  busy.send(GET);
  await until(() => answer !== undefined, 'the request');
  memory.used = 950;
  await until(() => idle.every(({ ended }) => ended), 'the idle connections to be closed');
  await until(() => target.open === 1, 'the pool to be empty');
  answer?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await busy.reply()).status, 200);
});

test('an idle worker collects garbage after many connections have closed', async ({ target }) => {
  let collections = 0;
  const collect = (): number => {
    collections++;
    return 1;
  };
  const plane = await Plane.start(specOf(target.url), { collector: { busy: () => 0, collect } });
  const crowd = Array.from({ length: 300 }, () => plane.client());
  for (const client of crowd) client.send(GET);
  for (const client of crowd) assert.is((await client.reply()).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.is(collections, 0);
  for (const client of crowd) client.destroy();
  await until(() => collections > 0, 'a collection');
  assert.is((await plane.ask(GET)).status, 200);
  await plane.close();
});

/** The status that a new connection gets; 0 for none. */
function probe(port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0)));
    socket.write(GET);
  });
}

async function metricsOf({ runtimeDir }: ServedGateway): Promise<string> {
  const socket = readdirSync(runtimeDir).find((name) => name.endsWith('.sock'));
  return (await call('/metrics', { socketPath: join(runtimeDir, socket ?? '') })).body;
}

/** With 900 KB each: more than the heap limit plus the young generation that Node 24 adds, 224 MiB. */
const MAX_CLIENTS = 400;

/** Fills the memory of a worker until it sheds, frees it, and waits until the worker accepts connections again. */
async function shedAndRecover(gateway: ServedGateway): Promise<void> {
  const port = Number(new URL(gateway.url).port);
  const before = new RawClient(connect({ port, host: '127.0.0.1' }));
  before.send(GET);
  assert.is((await before.reply()).status, 200);
  const hoarders: Socket[] = [];
  const field = `X: ${'x'.repeat(900_000)}`;
  const deadline = Date.now() + 40_000;
  // A collection of garbage may end a first shedding: then the clients have to hold more.
  const sheds = async (): Promise<boolean> =>
    (await probe(port)) === 503 && /^gw_workers_overloaded\{state="shed"\} 1$/m.test(await metricsOf(gateway));
  while (!(await sheds())) {
    assert.ok(Date.now() < deadline, gateway.log);
    for (let at = 0; at < 4 && hoarders.length < MAX_CLIENTS; at++) {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${field}`);
      hoarders.push(socket);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until(() => /memory low: new connections rejected/.test(gateway.log), 'the log line');
  before.send(GET);
  assert.is((await before.reply()).status, 200);
  for (const socket of hoarders) socket.destroy();
  while ((await probe(port)) !== 200 && Date.now() < deadline + 20_000)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is(await probe(port), 200, gateway.log);
  await until(() => /memory recovered: new connections accepted/.test(gateway.log), 'the second line');
  assert.match(await metricsOf(gateway), /^gw_workers_overloaded\{state="shed"\} 0$/m);
  assert.not.match(gateway.log, /worker (died|ended)/i);
  before.destroy();
}

test('a worker with a small heap sheds under memory pressure, survives, and accepts connections again', async ({
  target,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-overload-'));
  const spec = join(folder, 'gateway.toml');
  // Unfinished heads hold memory; the clients control how much.
  writeFileSync(
    spec,
    `drain_timeout = "1s"\n${specOf(target.url, {
      listener: 'max_header = "1MiB"\nheader_timeout = "60s"',
      more: '[overload]\nshrink_above = 0',
    })}`,
  );
  // A report of coverage at the end would exceed the small heap.
  const env = { NODE_OPTIONS: '--max-old-space-size=32', NODE_V8_COVERAGE: '' };
  const gateway = await ServedGateway.start([spec], { env });
  try {
    await shedAndRecover(gateway);
  } finally {
    assert.is(await gateway.stop(), 0, gateway.log);
    rmSync(folder, { recursive: true });
  }
});

test.run();
