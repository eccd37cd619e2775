/** Deadlines and resets of gRPC calls, in both directions. */
import { type ClientHttp2Stream, constants, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GrpcClient } from '../../support/grpc/client.js';
import { H2Target } from '../../support/h2-target.js';
import { ask, sessionTo } from '../../support/http2/session.js';
import { Plane, specOf, TestTime, until } from '../engine-kit.js';

interface World {
  target: H2Target;
  plane: Plane;
  client: GrpcClient;
  time: TestTime;
}

const test = suite<World>('gRPC deadlines');

test.before(async (world) => {
  world.target = await H2Target.start();
  world.time = new TestTime();
  world.plane = await Plane.start(
    specOf(world.target.url, {
      service: 'protocol = "h2"\nretries = 0\neject_after = 0',
      more: '[[route]]\nname = "short"\nmatch = "/short/{rest...}"\nto = "it"\ntimeout = "1s"\nstream = false',
    }),
    { monotonic: world.time.now },
  );
  world.client = new GrpcClient(world.plane.port);
});
test.before.each(({ target, plane, time }) => {
  time.go();
  target.requests.length = 0;
  plane.records.length = 0;
});
test.after(async ({ plane, target, client }) => {
  client.close();
  await plane.close();
  await target.close();
});

const MESSAGE = Buffer.from('\0\0\0\0\x02{}', 'latin1');

/** The target sends its head and one message, and then `next`. */
function begins(target: H2Target, next: (stream: ServerHttp2Stream) => void): void {
  target.respond = (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.write(MESSAGE, () => next(stream));
  };
}

/** A call by a client that does not watch its own deadline. */
const call = (port: number, timeout: string, path = '/a/b') => {
  const session = sessionTo(port);
  const fields = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': timeout,
  };
  return { session, reply: ask(session, fields, MESSAGE) };
};

/** The code with which gw has reset the stream at the target. */
async function resetOf({ target }: World): Promise<number | undefined> {
  await until(() => target.requests[0]?.stream.closed === true, 'the end at the target');
  return target.requests[0]!.stream.rstCode;
}

test('a call ends at its deadline, and is cancelled at the target', async (world) => {
  world.target.respond = () => undefined;
  const { session, reply } = call(world.plane.port, '20m');
  const { headers } = await reply;
  assert.equal([headers['grpc-status'], headers[':status']], [String(status.DEADLINE_EXCEEDED), 200]);
  assert.is(await resetOf(world), constants.NGHTTP2_CANCEL);
  const record = await world.plane.record(({ error }) => error === 'exchange/timeout');
  assert.is(record.cause, 'deadline of the client (grpc-timeout, 20 ms)');
  session.destroy();
});

test('a stream that has begun ends at its deadline with a status in trailers', async (world) => {
  begins(world.target, () => undefined);
  const { session, reply } = call(world.plane.port, '500m');
  const { body, trailers, headers } = await reply;
  assert.is(body.length, MESSAGE.length);
  assert.is(headers['grpc-status'], undefined);
  assert.equal(
    [trailers['grpc-status'], trailers['grpc-message']],
    [String(status.DEADLINE_EXCEEDED), 'Request timed out'],
  );
  assert.is(await resetOf(world), constants.NGHTTP2_CANCEL);
  session.destroy();
});

test('the target is told how much time is left, of the route where that is less', async (world) => {
  begins(world.target, (stream) => {
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end();
  });
  for (const [path, timeout, most] of [
    ['/a/b', '5S', 5000],
    ['/a/b', '2H', 7_200_000],
    ['/short/b', '5S', 1000],
    ['/short/b', '500m', 500],
  ] as const) {
    world.target.requests.length = 0;
    const { session, reply } = call(world.plane.port, timeout, path);
    assert.is((await reply).trailers['grpc-status'], '0');
    session.destroy();
    const [, count, unit] = /^(\d{1,8})([um])$/.exec(String(world.target.requests[0]!.headers['grpc-timeout']))!;
    const left = Number(count) / (unit === 'u' ? 1000 : 1);
    assert.ok(left <= most && left > most / 4, `${left} of ${most}`);
  }
});

test('without grpc-timeout, the timeout of a route with stream = false applies, and no other', async (world) => {
  world.target.respond = () => undefined;
  const session = sessionTo(world.plane.port);
  const fields = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const lasting = ask(session, { ...fields, ':path': '/a/b' }, MESSAGE);
  const short = ask(session, { ...fields, ':path': '/short/b' }, MESSAGE);
  await until(() => world.target.requests.length === 2, 'the requests');
  world.time.stop();
  world.time.pass(70_000);
  assert.is((await short).headers['grpc-status'], String(status.DEADLINE_EXCEEDED));
  const one = world.target.requests.find(({ headers }) => headers[':path'] === '/a/b')!;
  one.stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
  assert.is((await lasting).headers['grpc-status'], '0');
  const sent = world.target.requests.find(({ headers }) => headers[':path'] === '/short/b')!.headers['grpc-timeout'];
  assert.match(String(sent), /^\d+u$/);
  assert.is(one.headers['grpc-timeout'], undefined);
  session.destroy();
});

test('the time limits of the route hold for a client of HTTP/1.1, also those of a stream that has begun', async (world) => {
  begins(world.target, () => undefined);
  const client = world.plane.client();
  client.send(
    `POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nGrpc-Timeout: 2H\r\nContent-Length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`,
  );
  await until(() => client.pending.endsWith(`${MESSAGE}\r\n`), 'the first message');
  assert.match(String(world.target.requests[0]!.headers['grpc-timeout']), /^\d+u$/);
  world.time.stop();
  world.time.pass(70_000);
  assert.is(await resetOf(world), constants.NGHTTP2_CANCEL);
  assert.is((await world.plane.record(({ error }) => error !== null)).error, 'exchange/timeout');
  client.destroy();
});

for (const [name, code, expected] of [
  ['CANCEL', constants.NGHTTP2_CANCEL, status.CANCELLED],
  ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR, status.INTERNAL],
  ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM, status.RESOURCE_EXHAUSTED],
  ['NO_ERROR', constants.NGHTTP2_NO_ERROR, status.INTERNAL],
] as const) {
  test(`a target that resets with ${name}, before its reply and within it`, async ({ target, client }) => {
    target.respond = (stream) => stream.close(code);
    assert.is((await client.unary({})).code, expected);
    begins(target, (stream) => stream.close(code));
    const chat = client.chat();
    assert.is((await chat.end).code, expected);
    assert.is(chat.messages.length, 1);
  });
}

test('a connection that ends within a reply, and before it', async ({ target, client }) => {
  begins(target, (stream) => stream.session!.destroy());
  const chat = client.chat();
  assert.is((await chat.end).code, status.UNAVAILABLE);
  target.respond = (stream) => stream.session!.destroy();
  assert.is((await client.unary({})).code, status.UNAVAILABLE);
});

test('a client that cancels resets the stream at the target with CANCEL', async (world) => {
  begins(world.target, () => undefined);
  const session = sessionTo(world.plane.port);
  const stream: ClientHttp2Stream = session.request({
    ':method': 'POST',
    ':path': '/a/b',
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('data', resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  assert.is(await resetOf(world), constants.NGHTTP2_CANCEL);
  session.destroy();
});

test.run();
