/** What gw makes of the statuses of gRPC: retries, ejections, breakers, records and counts. */
import type { ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { grpcCountsOf } from '../../../src/telemetry/grpc.js';
import { GrpcClient } from '../../support/grpc/client.js';
import { H2Target } from '../../support/h2-target.js';
import { Plane, specOf, until } from '../engine-kit.js';

interface World {
  targets: readonly [H2Target, H2Target];
  plane: Plane;
  client: GrpcClient;
}

const test = suite<World>('gRPC statuses');

test.before(async (world) => {
  world.targets = [await H2Target.start(), await H2Target.start()];
  world.plane = await Plane.start(specOf(world.targets[0].url));
  world.client = new GrpcClient(world.plane.port);
});
test.after(async ({ plane, targets, client }) => {
  client.close();
  await plane.close();
  for (const target of targets) await target.close();
});

const MESSAGE = Buffer.from('\0\0\0\0\x02{}', 'latin1');
type Answer = (stream: ServerHttp2Stream) => void;

/** A reply without messages. */
const only =
  (code: number, fields: { readonly [name: string]: string } = {}): Answer =>
  (stream) =>
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(code), ...fields },
      { endStream: true },
    );

/** One message, and then the status. */
const after =
  (code: number): Answer =>
  (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }));
    stream.end(MESSAGE);
  };

let services = 0;
/** A new service of the first `count` targets, which answer by turns. */
async function use({ plane, targets }: World, count: 1 | 2, service: string, ...answers: Answer[]): Promise<void> {
  let asked = 0;
  for (const target of targets) {
    target.requests.length = 0;
    target.respond = (stream) => (answers[asked++] ?? answers.at(-1)!)(stream);
  }
  const name = `s${++services}`;
  const spec = specOf(
    targets.slice(0, count).map(({ url }) => url),
    { service: `protocol = "h2"\n${service}` },
  );
  await plane.load(spec.replaceAll('service.it', `service.${name}`).replace('to = "it"', `to = "${name}"`));
  plane.records.length = 0;
}

const RETRY = '[service.it.retry]\nattempts = 2\ngrpc = ["unavailable"]\nmethods = ["POST"]\nbackoff = "0s"';
const requests = ({ targets }: World): number => targets[0].requests.length + targets[1].requests.length;

test('a status in `grpc` leads to an attempt at the other target, with the message again', async (world) => {
  await use(world, 2, RETRY, only(14), after(0));
  const { code, answer } = await world.client.unary({ payload: 'abc' });
  assert.equal([code, answer, requests(world)], [status.OK, {}, 2]);
  const record = await world.plane.record(({ attempts }) => attempts !== undefined);
  assert.is(record.attempts![0]!.why, 'status 200, grpc-status 14');
  assert.equal([record.status, record.grpc, record.error], [200, 'OK', null]);
});

test('other statuses do not, nor one that follows a message', async (world) => {
  for (const [answer, code] of [
    [only(13), status.INTERNAL],
    [after(14), status.UNAVAILABLE],
  ] as const) {
    await use(world, 2, RETRY, answer, after(0));
    assert.is((await world.client.unary({})).code, code);
    assert.is(requests(world), 1);
  }
});

test('grpc-retry-pushback-ms asks for a wait, or for none', async (world) => {
  await use(world, 2, `${RETRY}\nretry_after_max = "1s"`, only(14, { 'grpc-retry-pushback-ms': '30' }), after(0));
  const began = performance.now();
  assert.is((await world.client.unary({})).code, status.OK);
  assert.ok(performance.now() - began >= 29);
  for (const value of ['-1', '5000', 'soon']) {
    await use(world, 2, `${RETRY}\nretry_after_max = "1s"`, only(14, { 'grpc-retry-pushback-ms': value }), after(0));
    assert.is((await world.client.unary({})).code, status.UNAVAILABLE, value);
    assert.is(requests(world), 1);
  }
});

for (const [what, answer] of [
  ['without messages', only(14)],
  ['after a message', after(13)],
] as const) {
  test(`statuses of a failure ${what} eject a target like 5xx`, async (world) => {
    await use(world, 1, 'eject_after_5xx = 3\nretries = 0', answer);
    for (let times = 0; times < 3; times++) await world.client.unary({});
    const ejected = (): boolean =>
      world.plane.logs.some(({ message }) => message.includes('3 consecutive replies with 5xx'));
    await until(ejected, 'the ejection');
    world.plane.logs.length = 0;
  });

  test(`they open the breaker ${what}`, async (world) => {
    await use(world, 1, 'retries = 0\n[service.it.breaker]\nconsecutive = 3', answer);
    for (let times = 0; times < 3; times++) await world.client.unary({});
    await until(() => world.plane.logs.some(({ message }) => message === 'circuit breaker opened'), 'the breaker');
    assert.match(
      String(world.plane.logs.find(({ message }) => message === 'circuit breaker opened')!.fields?.['cause']),
      'grpc-status',
    );
    const { code, details } = await world.client.unary({});
    assert.equal([code, requests(world)], [status.UNAVAILABLE, 3]);
    assert.match(details, 'Service failing');
    world.plane.logs.length = 0;
  });
}

test('statuses that are the affair of the client do neither', async (world) => {
  const answers = [3, 4, 5, 8, 12, 16, 0].flatMap((code) => [only(code), after(code)]);
  await use(world, 1, 'eject_after_5xx = 1\nretries = 0\n[service.it.breaker]\nconsecutive = 1', ...answers);
  for (let times = 0; times < answers.length; times++) await world.client.unary({});
  assert.is(requests(world), answers.length);
  assert.equal(
    world.plane.logs.filter(({ level }) => level === 'warn'),
    [],
  );
});

test('a good call between failures begins the count anew', async (world) => {
  await use(
    world,
    1,
    'eject_after_5xx = 2\nretries = 0',
    after(13),
    after(0),
    after(13),
    after(0),
    after(13),
    after(13),
  );
  for (let times = 0; times < 5; times++) await world.client.unary({});
  assert.equal(
    world.plane.logs.filter(({ level }) => level === 'warn'),
    [],
  );
  await world.client.unary({});
  await until(() => world.plane.logs.some(({ message }) => message.includes('ejected')), 'the ejection');
});

test('records and counts have the status', async (world) => {
  const { plane, client } = world;
  await use(
    world,
    1,
    'retries = 0',
    after(0),
    only(5),
    after(77),
    (stream) => stream.close(8),
    (stream) => {
      stream.respond({ ':status': 429 });
      stream.end('slow down');
    },
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.end(MESSAGE);
    },
    () => undefined,
  );
  const before = grpcCountsOf(plane.registry, slotOf(plane)) ?? {};
  for (let times = 0; times < 6; times++) await client.unary({});
  const chat = client.chat();
  await until(() => world.targets[0].requests.length === 7, 'the call');
  chat.call.cancel();
  const records = () => plane.records.filter(({ service }) => service === `s${services}`);
  await until(() => records().length === 7, 'the records');
  assert.equal(
    records().map(({ grpc }) => grpc),
    ['OK', 'NOT_FOUND', '77', 'CANCELLED', 'UNAVAILABLE', 'UNKNOWN', 'CANCELLED'],
  );
  const now = grpcCountsOf(plane.registry, slotOf(plane))!;
  const added = Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  assert.equal(
    added.filter(([, count]) => count !== 0),
    [
      ['OK', 1],
      ['CANCELLED', 2],
      ['UNKNOWN', 1],
      ['NOT_FOUND', 1],
      ['UNAVAILABLE', 1],
      ['other', 1],
    ],
  );
});

const slotOf = ({ registry }: Plane): number => [...registry.entries('route')].find(([name]) => name === 'all')![1];

test.run();
