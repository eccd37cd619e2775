/** Retries with real targets: one test for each kind of failure. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counter } from '../../../src/telemetry/stats/layout.js';
import { refusingPort, sayAndClose, whole } from '../../support/fault-target.js';
import { type Fault, FaultTarget, ok, Plane, say, specOf, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const status = (code: number, fields = ''): Fault => say(`HTTP/1.1 ${code} No\r\n${fields}Content-Length: 0\r\n\r\n`);
const withBody = (method: string, body: string): string =>
  `${method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

interface World {
  first: FaultTarget;
  second: FaultTarget;
  plane: Plane;
}

const test = suite<World>('retries');

test.before(async (world) => {
  world.first = await FaultTarget.start();
  world.second = await FaultTarget.start();
  world.plane = await Plane.start(specOf(world.first.url));
  world.plane.plane.watch('decisions');
});

test.after(async ({ plane, first, second }) => {
  await plane.close();
  await first.close();
  await second.close();
});

/** Both targets of a new service; `retry`: lines of its table. Each test has a budget of its own. */
let services = 0;
async function use({ plane, first, second }: World, retry: string, service = 'eject_after = 0'): Promise<void> {
  const name = `s${++services}`;
  first.forget();
  second.forget();
  first.respond = ok('first');
  second.respond = ok('second');
  const spec = specOf([first.url, second.url], { service: `${service}\n[service.it.retry]\nbackoff = "0s"\n${retry}` });
  await plane.load(spec.replaceAll('service.it', `service.${name}`).replace('to = "it"', `to = "${name}"`));
  plane.records.length = 0;
}

/** Both targets answer the first `count` requests by `fault`, then well. */
function failFirst({ first, second }: World, count: number, fault: Fault): void {
  let left = count;
  for (const target of [first, second])
    target.respond = (request, socket) => (left-- > 0 ? fault : ok('well'))(request, socket);
}

const arrived = ({ first, second }: World): number => first.arrived.length + second.arrived.length;

test('a status in `statuses` leads to an attempt at the other target', async (world) => {
  await use(world, 'statuses = [503]');
  failFirst(world, 1, status(503));
  const reply = await world.plane.ask(GET);
  assert.equal([reply.status, reply.body.toString()], [200, 'well']);
  assert.equal([world.first.arrived.length, world.second.arrived.length], [1, 1]);
  const record = await world.plane.record(({ attempts }) => attempts !== undefined);
  assert.is(record.attempts?.length, 1);
  assert.equal([record.attempts![0]!.why, record.target === record.attempts![0]!.target], ['status 503', false]);
  assert.ok(record.decisions?.some(({ step, why }) => step === 'retry' && why === 'attempt 1 failed: status 503'));
});

test('other statuses, and the last reply, are passed on', async (world) => {
  await use(world, 'statuses = [503]\nattempts = 2');
  failFirst(world, 9, status(500));
  assert.is((await world.plane.ask(GET)).status, 500);
  assert.is(arrived(world), 1);
  failFirst(world, 9, status(503));
  assert.is((await world.plane.ask(GET)).status, 503);
  assert.is(arrived(world), 4);
});

test('a connection that closes before the reply is repeated only for idempotent methods', async (world) => {
  await use(world, '');
  failFirst(world, 1, sayAndClose());
  assert.is((await world.plane.ask(GET)).status, 200);
  failFirst(world, 1, sayAndClose());
  const reply = await world.plane.ask(withBody('POST', 'x'));
  assert.equal([reply.status, arrived(world)], [502, 3]);
});

test('a target that refuses connections: any method goes to the other one', async (world) => {
  await use(world, '');
  const port = await refusingPort();
  await world.plane.load(
    specOf([`http://127.0.0.1:${port}`, world.second.url], { service: 'eject_after = 0\nretries = 1' }),
  );
  for (let at = 0; at < 4; at++) {
    const reply = await world.plane.ask(withBody('POST', 'x'));
    assert.equal([reply.status, reply.body.toString()], [200, 'second']);
  }
});

test('an upgrade that finds no connection goes to the other target, and the log says so', async (world) => {
  await use(world, '');
  const port = await refusingPort();
  await world.plane.load(specOf([`http://127.0.0.1:${port}`, world.second.url], { service: 'eject_after = 0' }));
  world.second.respond = say('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n');
  const upgrade = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n`;
  for (const path of ['/one', '/two']) assert.is((await world.plane.ask(upgrade(path))).status, 101);
  const record = await world.plane.record(({ attempts, url }) => url.length === 4 && attempts?.length === 1);
  assert.is(record.attempts![0]!.why, 'connection refused');
  assert.ok(world.plane.targetSum(Counter.Repeated) > 0);
});

test('a late reply is repeated with `timeout`', async (world) => {
  await use(world, 'on = ["timeout"]', 'eject_after = 0\nresponse_timeout = "100ms"');
  failFirst(world, 1, () => {});
  assert.is((await world.plane.ask(GET)).status, 200);
  await world.plane.record(({ attempts }) => attempts?.[0]?.why.startsWith('response head timeout') === true);
  await use(world, 'on = ["reset"]', 'eject_after = 0\nresponse_timeout = "100ms"');
  failFirst(world, 1, () => {});
  assert.is((await world.plane.ask(GET)).status, 504);
});

test('a body up to `max_body` is sent again from its start; a longer one is not', async (world) => {
  await use(world, 'statuses = [503]\nmethods = ["POST"]\nmax_body = "1KiB"');
  const bodies: string[] = [];
  failFirst(
    world,
    1,
    whole((bytes) => bodies.push(bytes.toString()), status(503)),
  );
  const then: Fault = whole((bytes) => bodies.push(bytes.toString()), ok('well'));
  let count = 0;
  for (const target of [world.first, world.second])
    target.respond = (request, socket) =>
      (count++ === 0 ? whole((bytes) => bodies.push(bytes.toString()), status(503)) : then)(request, socket);
  assert.is((await world.plane.ask(withBody('POST', 'x'.repeat(1024)))).status, 200);
  assert.equal(
    bodies.map((body) => body.length),
    [1024, 1024],
  );
  count = 0;
  assert.is((await world.plane.ask(withBody('POST', 'x'.repeat(1025)))).status, 503);
  assert.is(bodies.length, 3);
});

test('a chunked body that arrives in parts is sent again as a whole', async (world) => {
  await use(world, 'on = ["reset"]\nmax_body = "1KiB"');
  const bodies: string[] = [];
  let count = 0;
  for (const target of [world.first, world.second])
    target.respond = (request, socket) =>
      whole((bytes) => bodies.push(bytes.toString()), count++ === 0 ? sayAndClose() : ok('well'))(request, socket);
  const client = world.plane.client();
  client.send('PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await until(() => arrived(world) === 1, 'the head at the target');
  client.send('3\r\ndef\r\n0\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  client.destroy();
  assert.equal(bodies, ['abcdef', 'abcdef']);
});

test('Retry-After: a short one is waited for, with a longer one the reply is passed on', async (world) => {
  await use(world, 'statuses = [429]\nretry_after_max = "1s"');
  failFirst(world, 1, status(429, 'Retry-After: 2\r\n'));
  const passed = await world.plane.ask(GET);
  assert.equal([passed.status, passed.header('retry-after'), arrived(world)], [429, '2', 1]);
  failFirst(world, 1, status(429, 'Retry-After: 1\r\n'));
  const before = performance.now();
  assert.is((await world.plane.ask(GET)).status, 200);
  assert.ok(performance.now() - before >= 990);
});

test('the budget bounds repeats: the reply or error is passed on when it is used up', async (world) => {
  await use(world, 'statuses = [503]\nattempts = 1\nbudget_min = 1');
  failFirst(world, 1000, status(503));
  const began = performance.now();
  for (let at = 0; at < 40; at++) assert.is((await world.plane.ask(GET)).status, 503);
  // Ten in ten seconds, which are over on a machine that is very slow.
  const windows = Math.ceil((performance.now() - began) / 9000);
  const repeats = arrived(world) - 40;
  assert.ok(repeats >= 10 && repeats <= 10 * windows, `${repeats} of forty: one a second`);
});

test('no attempt begins that the time of the route does not allow', async (world) => {
  const { plane, first, second } = world;
  await use(world, 'statuses = [429]');
  const spec = specOf([first.url, second.url], {
    service: '[service.it.retry]\nstatuses = [429]\nretry_after_max = "10s"',
    route: 'timeout = "500ms"',
  });
  await plane.load(spec);
  failFirst(world, 1, status(429, 'Retry-After: 1\r\n'));
  assert.is((await plane.ask(GET)).status, 429);
});

test('a client that leaves while gw waits ends the exchange, and no attempt follows', async (world) => {
  await use(world, 'statuses = [429]\nretry_after_max = "10s"');
  failFirst(world, 1, status(429, 'Retry-After: 1\r\n'));
  const client = world.plane.client();
  client.send(GET);
  await until(() => arrived(world) === 1, 'the first attempt');
  await until(() => world.plane.registry !== undefined && world.first.open + world.second.open === 0, 'the wait');
  client.socket.resetAndDestroy();
  const record = await world.plane.record(({ error }) => error === 'downstream/aborted');
  assert.equal([record.status, record.attempts?.length, arrived(world)], [0, 1, 1]);
});

test('a reply of gRPC that consists of its status is repeated', async (world) => {
  await use(world, 'grpc = ["unavailable"]\nmethods = ["POST"]');
  const grpc = (code: number): Fault =>
    say(`HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: ${code}\r\nContent-Length: 0\r\n\r\n`);
  failFirst(world, 1, grpc(14));
  assert.is((await world.plane.ask(withBody('POST', 'x'))).body.toString(), 'well');
  failFirst(world, 1, grpc(5));
  assert.is((await world.plane.ask(withBody('POST', 'x'))).header('grpc-status'), '5');
});

test.run();
