/** Streaming calls of gRPC through gw: what passes when, and how long they may last. */
import { compressionAlgorithms, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { grpcSuite } from './kit.js';

const test = grpcSuite('gRPC streams', {
  listener: 'body_timeout = "1s"\nmin_body_rate = "100KB"',
  service: 'response_timeout = "1s"\nretries = 0',
  route: 'timeout = "2s"\nstream_idle_timeout = "60s"',
});

test('initial metadata comes before the first message', async ({ world }) => {
  world.target.greets = true;
  const chat = world.client.chat();
  assert.ok(await chat.initial);
  assert.is(chat.messages.length, 0);
  chat.call.end();
  assert.is((await chat.end).code, status.OK);
});

test('a silent client stream outlives min_body_rate, body_timeout, response_timeout and the timeout of the route', async ({
  world,
}) => {
  const chat = world.client.chat();
  chat.call.write({ sizes: [3] });
  await chat.count(1);
  const { call, end } = world.client.collecting();
  call.write({ payload: 'abc' });
  for (let times = 0; times < 3; times++) {
    await world.pass(50_000);
    chat.call.write({ sizes: [3] });
    call.write({ payload: 'abc' });
    await chat.count(times + 2);
  }
  call.end();
  chat.call.end();
  assert.equal([(await end).answer?.total, (await chat.end).code], [12, status.OK]);
});

test('silence in both directions ends a stream after stream_idle_timeout', async ({ world }) => {
  const chat = world.client.chat();
  chat.call.write({ sizes: [3] });
  await chat.count(1);
  await world.pass(61_000);
  assert.is.not((await chat.end).code, status.OK);
  const record = await world.plane.record(({ error }) => error === 'upstream/timeout');
  assert.match(record.cause ?? '', '60 s');
  await world.target.calls[0]!.untilCancelled;
});

test('a client that cancels cancels the call at the target', async ({ world }) => {
  const chat = world.client.chat();
  chat.call.write({ sizes: [3] });
  await chat.count(1);
  chat.call.cancel();
  await world.target.calls[0]!.untilCancelled;
  await world.plane.record(({ error }) => error === 'downstream/aborted');
});

test('a status ends a call whose client still sends', async ({ world }) => {
  const chat = world.client.chat();
  chat.call.write({ status: { code: status.NOT_FOUND, message: 'early' } });
  const { code, details } = await chat.end;
  assert.equal([code, details], [status.NOT_FOUND, 'early']);
  const record = await world.plane.record(({ grpc }) => grpc === 'NOT_FOUND');
  assert.is(record.error, null);
});

test('compressed messages pass', async ({ world }) => {
  const client = world.connect({ 'grpc.default_compression_algorithm': compressionAlgorithms.gzip });
  const { answer } = await client.unary({ payload: 'x'.repeat(100_000), sizes: [100_000] });
  assert.equal([answer?.total, answer?.payload?.length], [100_000, 100_000]);
  const record = await world.plane.record(({ grpc }) => grpc === 'OK');
  assert.ok(record.bytesIn < 10_000, `${record.bytesIn} bytes`);
});

test.run();
