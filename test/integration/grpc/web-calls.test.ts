/** Calls of gRPC-Web that the policy `grpc-web` makes calls of gRPC: deadlines, statuses and counts are the same. */
import { constants } from 'node:http2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { H2Target } from '../../support/h2-target.js';
import { Plane, type RawReply, specOf, until } from '../engine-kit.js';

interface World {
  target: H2Target;
  plane: Plane;
}

const test = suite<World>('gRPC-Web as gRPC');

const MESSAGE = '\0\0\0\0\x02{}';

test.before(async (world) => {
  world.target = await H2Target.start();
  world.plane = await Plane.start(
    specOf(world.target.url, {
      service: 'protocol = "h2"\nretries = 0\neject_after_5xx = 2',
      route: 'policies = ["web"]\ntimeout = "30s"',
      more: '[policy.web]\nuse = "grpc-web"',
    }),
  );
});
test.before.each(({ target, plane }) => {
  target.requests.length = 0;
  plane.records.length = 0;
});
test.after(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

const call = async ({ plane }: World, fields: string): Promise<RawReply> =>
  await plane.ask(
    `POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web+proto\r\n${fields}Content-Length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`,
  );

test('grpc-timeout is honored and forwarded', async (world) => {
  world.target.respond = () => undefined;
  const reply = await call(world, 'Grpc-Timeout: 50m\r\n');
  assert.equal([reply.status, reply.header('grpc-status')], [200, '4']);
  const { headers, stream } = world.target.requests[0]!;
  assert.match(String(headers['grpc-timeout']), /^\d{1,5}u$/);
  await until(() => stream.closed, 'the end at the target');
  assert.is(stream.rstCode, constants.NGHTTP2_CANCEL);
  const record = await world.plane.record(({ error }) => error === 'exchange/timeout');
  assert.equal([record.grpc, record.cause], ['DEADLINE_EXCEEDED', 'deadline of the client (grpc-timeout, 50 ms)']);
});

test('a malformed grpc-timeout is refused', async (world) => {
  const reply = await call(world, 'Grpc-Timeout: soon\r\n');
  assert.equal(
    [reply.status, reply.header('grpc-status'), reply.header('content-type')],
    [200, '13', 'application/grpc-web+proto'],
  );
  assert.is(world.target.requests.length, 0);
});

test('the status in the trailers is in the record, and counts for the health of the target', async (world) => {
  let code = '0';
  world.target.respond = (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': code }));
    stream.end(Buffer.from(MESSAGE, 'latin1'));
  };
  const reply = await call(world, '');
  assert.match(reply.body.toString('latin1'), 'grpc-status: 0');
  await world.plane.record(({ grpc }) => grpc === 'OK');
  code = '14';
  for (let times = 0; times < 2; times++) await call(world, '');
  await world.plane.record(({ grpc }) => grpc === 'UNAVAILABLE');
  await until(
    () => world.plane.logs.some(({ message }) => message.includes('2 consecutive replies with 5xx')),
    'the ejection',
  );
});

test.run();
