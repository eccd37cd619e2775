/** Circuit breakers and the bound of requests in flight, with real targets, on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateState } from '../../../src/state/memory.js';
import { Counter } from '../../../src/telemetry/stats/layout.js';
import { never, sayAndClose } from '../../support/fault-target.js';
import { FaultTarget, ok, Plane, type RawReply, say, specOf, TestTime, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n';
const ERROR = say('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');

interface World {
  target: FaultTarget;
  planes: Plane[];
  time: TestTime;
}

const test = suite<World>('circuit breakers');

let services = 0;
const breaker = (lines: string): string => `retries = 0\neject_after = 0\n[service.it.breaker]\n${lines}`;

/** A service of its own for each test: breakers survive loads. */
function specWith(world: World, service: string, route = ''): string {
  const spec = specOf(world.target.url, { service, route });
  return spec.replaceAll('service.it', `service.s${services}`).replace('to = "it"', `to = "s${services}"`);
}

async function use(world: World, service: string): Promise<void> {
  services++;
  world.target.forget();
  world.target.respond = ok('well');
  for (const plane of world.planes) await plane.load(specWith(world, service));
}

const statusOf = async (plane: Plane | undefined): Promise<number> => (await plane!.ask(GET)).status;

function isRefused(reply: RawReply, code: string, retryAfter: string): void {
  assert.equal([reply.status, reply.header('retry-after')], [503, retryAfter]);
  assert.is(JSON.parse(reply.body.toString()).type, `urn:gw:problem:${code}`);
}

test.before(async (world) => {
  world.target = await FaultTarget.start();
  world.time = new TestTime();
  // Two workers with the same shared memory.
  const state = allocateState({ workers: 2 });
  world.planes = await Promise.all(
    [0, 1].map((worker) => Plane.start(specOf(world.target.url), { state, worker, monotonic: world.time.now })),
  );
});

test.after(async ({ planes, target }) => {
  for (const plane of planes) await plane.close();
  await target.close();
});

test('failures that two workers see open it for both; after its time, probes close it', async (world) => {
  await use(world, breaker('consecutive = 4\nopen_for = "5s"\nprobes = 2'));
  const [first, second] = world.planes;
  world.target.respond = ERROR;
  for (const plane of [first, second, first, second]) assert.is(await statusOf(plane), 500);
  world.time.stop();
  for (const plane of [first, second]) isRefused(await plane!.ask(GET), 'upstream/open', '5');
  assert.is(world.target.arrived.length, 4);
  assert.ok(second!.logs.some(({ message }) => message === 'circuit breaker opened'));
  const record = await first!.record(({ error }) => error === 'upstream/open');
  assert.match(record.cause ?? '', /^circuit breaker open for another/);
  world.target.respond = ok('well');
  world.time.pass(5001);
  world.time.go();
  assert.equal([await statusOf(first), await statusOf(second)], [200, 200]);
  assert.ok(second!.logs.some(({ message }) => message === 'circuit breaker closed'));
});

test('the share of failures opens it; a probe that fails keeps it open', async (world) => {
  await use(world, breaker('errors = 50\nrequests = 10\nprobes = 1'));
  const [plane] = world.planes;
  for (let at = 0; at < 10; at++) {
    world.target.respond = at % 2 === 0 ? ok('well') : sayAndClose();
    assert.is(await statusOf(plane), at % 2 === 0 ? 200 : 502);
  }
  assert.is(await statusOf(plane), 503);
  world.time.pass(5001);
  world.target.respond = ERROR;
  assert.is(await statusOf(plane), 500);
  assert.is(await statusOf(plane), 503);
});

test('an unrelated reload keeps it open', async (world) => {
  await use(world, breaker('consecutive = 1'));
  const [plane] = world.planes;
  world.target.respond = ERROR;
  assert.is(await statusOf(plane), 500);
  await plane!.load(specWith(world, breaker('consecutive = 1'), 'timeout = "3s"'));
  assert.is(await statusOf(plane), 503);
});

test('bodies and upgrades are refused at once as well', async (world) => {
  await use(world, breaker('consecutive = 1'));
  const [plane] = world.planes;
  world.target.respond = ERROR;
  assert.is(await statusOf(plane), 500);
  isRefused(await plane!.ask(UPGRADE), 'upstream/open', '5');
  const client = plane!.client();
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n');
  isRefused(await client.reply(), 'upstream/open', '5');
  client.destroy();
  assert.is(world.target.arrived.length, 1);
});

test('replies that are cut count as failures, clients that leave do not', async (world) => {
  await use(world, breaker('consecutive = 2'));
  const [plane] = world.planes;
  world.target.respond = never;
  for (let at = 0; at < 3; at++) {
    const client = plane!.client();
    client.send(GET);
    await until(() => world.target.arrived.length === at + 1, 'the request');
    client.socket.resetAndDestroy();
    await until(() => world.target.open === 0, 'the end');
  }
  world.target.respond = sayAndClose('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
  for (let at = 0; at < 2; at++) await plane!.ask(GET).catch(() => undefined);
  assert.is(await statusOf(plane), 503);
});

test('max_requests: exact over workers, and free again when requests end', async (world) => {
  await use(world, 'max_requests = 2');
  const [first, second] = world.planes;
  world.target.respond = never;
  const clients = [first!.client(), second!.client()];
  for (const client of clients) client.send(GET);
  await until(() => world.target.arrived.length === 2, 'both requests');
  for (const plane of [first, second]) isRefused(await plane!.ask(GET), 'upstream/requests-full', '1');
  clients[0]!.socket.resetAndDestroy();
  await until(() => world.target.open === 1, 'the end of one');
  world.target.respond = ok('well');
  assert.is(await statusOf(second), 200);
  clients[1]!.destroy();
});

const SWITCHED = say('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n');

test('handshakes of tunnels open it, and close it as probes', async (world) => {
  await use(world, breaker('consecutive = 2\nprobes = 1'));
  const [plane] = world.planes;
  const client = plane!.client();
  world.target.respond = SWITCHED;
  client.send(UPGRADE);
  assert.is((await client.reply()).status, 101);
  world.target.respond = ERROR;
  assert.is((await plane!.ask(UPGRADE)).status, 500);
  world.target.respond = sayAndClose();
  assert.is((await plane!.ask(UPGRADE)).status, 502);
  isRefused(await plane!.ask(UPGRADE), 'upstream/open', '5');
  assert.is(await statusOf(plane), 503);
  // An open tunnel goes on, and its end says nothing.
  client.destroy();
  world.time.pass(5001);
  world.target.respond = SWITCHED;
  assert.is((await plane!.ask(UPGRADE)).status, 101);
  world.target.respond = ok('well');
  assert.is(await statusOf(plane), 200);
});

test('tunnels are requests in flight, until they end', async (world) => {
  await use(world, 'max_requests = 1');
  const [first, second] = world.planes;
  world.target.respond = SWITCHED;
  const client = first!.client();
  client.send(UPGRADE);
  assert.is((await client.reply()).status, 101);
  for (const text of [GET, UPGRADE]) isRefused(await second!.ask(text), 'upstream/requests-full', '1');
  client.destroy();
  await until(() => first!.targetSum(Counter.InFlight) === 0, 'the end of the tunnel');
  world.target.respond = ok('well');
  assert.is(await statusOf(second), 200);
});

test('handshakes in progress are bounded like requests that wait, and eject a target that fails them', async (world) => {
  await use(world, 'max_connections = 1\nmax_queue = 1\neject_after = 2\nretries = 0');
  const [plane] = world.planes;
  world.target.respond = never;
  const clients = [plane!.client(), plane!.client()];
  for (const client of clients) client.send(UPGRADE);
  await until(() => world.target.arrived.length === 2, 'both handshakes');
  const refused = await plane!.ask(UPGRADE);
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:upstream/queue-full');
  for (const { socket } of world.target.arrived) socket.destroy();
  for (const client of clients) assert.is((await client.reply()).status, 502);
  assert.ok(plane!.logs.some(({ message }) => message === 'target ejected after 2 consecutive failures'));
  for (const client of clients) client.destroy();
});

test.run();
