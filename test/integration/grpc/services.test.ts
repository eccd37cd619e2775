/** Health and reflection services through gw, health checks by gw, keepalive, and gRPC at targets of HTTP/1.1. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { type MethodDefinition, type ServerDuplexStream, type ServerUnaryCall, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { checkRequest, servingStatus } from '../../../src/control/health/grpc-health.js';
import { probe } from '../../../src/control/health/probe.js';
import { grpcSuite } from './kit.js';

const test = grpcSuite('gRPC services', { service: 'retries = 0' });

const same = (bytes: Buffer): Buffer => bytes;
const method = (path: string, streams: boolean): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const CHECK = '/grpc.health.v1.Health/Check';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

/** What the server says of its health: a HealthCheckResponse. */
let serving = 1;

test.before(({ world }) => {
  world.target.server.addService(
    { check: method(CHECK, false) },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, done: (error: object | null, value?: Buffer) => void) =>
        call.request.toString().includes('unknown')
          ? done({ code: status.NOT_FOUND, details: 'unknown service' })
          : done(null, Buffer.from([8, serving])),
    },
  );
  world.target.server.addService(
    { info: method(REFLECTION, true) },
    {
      info: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (question: Buffer) => call.write(Buffer.concat([Buffer.from('re: '), question])));
        call.on('end', () => call.end());
      },
    },
  );
});

test('the health service passes', async ({ world }) => {
  const call = world.client.bytes(CHECK);
  call.call.write(checkRequest('shop.Orders').subarray(5));
  call.call.end();
  assert.is((await call.end).code, status.OK);
  assert.equal(call.messages, [Buffer.from([8, 1])]);
});

test('reflection passes', async ({ world }) => {
  const call = world.client.bytes(REFLECTION);
  for (const [at, question] of ['a', 'bc'].entries()) {
    call.call.write(Buffer.from(question));
    await call.count(at + 1);
  }
  call.call.end();
  assert.is((await call.end).code, status.OK);
  assert.equal(call.messages.map(String), ['re: a', 're: bc']);
});

test('gw checks the health of a server', async ({ world }) => {
  const check = async (service: string): Promise<string | undefined> =>
    await probe(
      {
        health: { kind: 'grpc', service, interval: 1000, jitter: 0, timeout: 5000, unhealthyAfter: 1, healthyAfter: 1 },
      } as Parameters<typeof probe>[0],
      { url: world.target.url },
      new AbortController().signal,
    );
  serving = 1;
  assert.is(await check(''), undefined);
  serving = 2;
  assert.is(await check('shop.Orders'), 'not serving');
  assert.is(await check('unknown'), 'grpc-status 5');
  assert.is(servingStatus(Buffer.from([0, 0, 0, 0, 2, 8, 1])), undefined);
});

test('keepalive pings are answered, with calls in progress and without', async ({ world }) => {
  const client = world.connect({
    'grpc.keepalive_time_ms': 20,
    'grpc.keepalive_timeout_ms': 5000,
    'grpc.keepalive_permit_without_calls': 1,
  });
  const chat = client.chat();
  chat.call.write({ sizes: [3] });
  await chat.count(1);
  const session = connect(`http://127.0.0.1:${world.plane.port}`);
  await once(session, 'connect');
  // As many as a client with the usual ten seconds sends in an hour.
  for (let times = 0; times < 360; times++)
    await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
  session.destroy();
  chat.call.write({ sizes: [3] });
  chat.call.end();
  assert.is((await chat.end).code, status.OK);
  assert.is(world.plane.records.filter(({ error }) => error === 'downstream/flood').length, 0);
});

test('a service of HTTP/1.1 answers UNAVAILABLE, and the log says why', async ({ world }) => {
  await world.plane.load(world.spec({ service: 'retries = 0' }).replace('protocol = "h2"', ''));
  const { code } = await world.client.unary({});
  assert.is(code, status.UNAVAILABLE);
  const record = await world.plane.record(({ grpc }) => grpc === 'UNAVAILABLE');
  assert.is(record.error, 'upstream/invalid');
  assert.is(record.cause, 'invalid reply: HTTP/2 in place of HTTP/1.1 (protocol of the service) at byte 0 of the head');
});

test('a WebSocket to a target that speaks only HTTP/2 gets 501, and the log says why', async ({ world }) => {
  await world.plane.load(world.spec({ service: 'retries = 0' }));
  const reply = await world.plane.ask(
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  assert.is(reply.status, 501);
  const record = await world.plane.record(({ url }) => url === '/ws');
  assert.is(
    record.cause,
    'upgrade at a target that speaks HTTP/2 only: invalid reply: HTTP/2 in place of HTTP/1.1, which upgrades need',
  );
});

test.run();
