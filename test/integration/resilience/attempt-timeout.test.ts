/** Attempts whose time is bounded: `attempt_timeout`. */
import * as assert from 'uvu/assert';
import type { Exchange, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { Counter } from '../../../src/telemetry/stats/layout.js';
import { never, whole } from '../../support/fault-target.js';
import { H2Target } from '../../support/h2-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { type Fault, FaultTarget, ok, type RawReply, say, specOf, until } from '../engine-kit.js';
import { loadFresh, type StoppedWorld, stoppedSuite } from './stopped-world.js';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const CANCEL = 8;

type World = StoppedWorld;
const test = stoppedSuite('attempt_timeout');

async function use(world: World, retry: string, more: { service?: string; route?: string } = {}) {
  const { first, second } = world;
  const service = `eject_after = 0\n${more.service ?? ''}\n[service.it.retry]\nbackoff = "0s"\n${retry}`;
  await loadFresh(world, [first.url, second.url], { service, ...(more.route ? { route: more.route } : {}) });
}

/** The first `count` requests get no reply, the others a good one. */
function hangFirst({ first, second }: World, count: number, then: Fault = ok('well')): void {
  let left = count;
  for (const target of [first, second])
    target.respond = (request, socket) => (left-- > 0 ? never : then)(request, socket);
}

const arrived = ({ first, second }: World): number => first.arrived.length + second.arrived.length;

/** Asks, and lets the time of an attempt pass once `count` requests have arrived. */
async function late(world: World, text: string, count = arrived(world) + 1): Promise<RawReply> {
  const client = world.plane.client();
  try {
    client.send(text);
    await until(() => arrived(world) === count, 'the request');
    world.time.pass(100);
    return await client.reply();
  } finally {
    client.destroy();
  }
}

const openIn = ({ first, second }: World): number => first.open + second.open;

test('a late attempt ends, and its connection closes; another target answers', async (world) => {
  await use(world, 'attempt_timeout = "40ms"');
  hangFirst(world, 1);
  const reply = await late(world, get('/late'));
  assert.is(reply.body.toString(), 'well');
  assert.equal([world.first.arrived.length, world.second.arrived.length], [1, 1]);
  await until(() => openIn(world) === 1, 'the end of the late connection');
  const record = await world.plane.record(({ url }) => url === '/late');
  assert.is(record.attempts?.length, 1);
  assert.is(record.attempts![0]!.why, 'attempt timeout (40 ms)');
  assert.ok(record.attempts![0]!.durationMs >= 40);
});

test('without another attempt it is a 504; the target is to blame', async (world) => {
  await use(world, 'attempt_timeout = "40ms"\nattempts = 0');
  hangFirst(world, 9);
  assert.is((await late(world, get('/last'))).status, 504);
  const record = await world.plane.record(({ url }) => url === '/last');
  assert.equal([record.error, record.cause], ['upstream/timeout', 'attempt timeout (40 ms)']);
  assert.is(record.attempts, undefined);
});

test('POST is not repeated; `on` without `timeout` repeats nothing that was sent', async (world) => {
  await use(world, 'attempt_timeout = "40ms"');
  hangFirst(world, 9);
  const post = 'POST /post HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx';
  assert.is((await late(world, post)).status, 504);
  assert.is(arrived(world), 1);
  await use(world, 'attempt_timeout = "40ms"\non = ["connect", "reset"]');
  hangFirst(world, 9);
  assert.is((await late(world, get('/'))).status, 504);
  assert.is(arrived(world), 1);
});

test('a reply that has begun may take longer', async (world) => {
  await use(world, 'attempt_timeout = "40ms"\nattempts = 0');
  for (const target of [world.first, world.second])
    target.respond = (request, socket) =>
      (request.url === '/hangs' ? never : say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'))(request, socket);
  const client = world.plane.client();
  client.send(get('/'));
  await until(() => client.pending.includes('200 OK'), 'the head');
  const { socket } = [...world.first.arrived, ...world.second.arrived][0]!;
  // Alarms ring in order: if this one has, so has that of the first request.
  assert.is((await late(world, get('/hangs'))).status, 504);
  socket.write('ok');
  assert.is((await client.reply()).body.toString(), 'ok');
  client.destroy();
});

test('a body counts from its last byte, and is sent again', async (world) => {
  await use(world, 'attempt_timeout = "40ms"');
  const bodies: string[] = [];
  let count = 0;
  for (const target of [world.first, world.second])
    target.respond = (request, socket) =>
      request.url === '/hangs'
        ? undefined
        : whole((bytes) => bodies.push(bytes.toString()), count++ === 0 ? never : ok('well'))(request, socket);
  const client = world.plane.client();
  client.send('PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nab');
  await until(() => world.plane.connections > 0, 'the client');
  // Then the client may wait for a reply to the first part.
  const look = setInterval(() => world.time.pass(60), 20);
  await until(() => arrived(world) === 1, 'the head at a target');
  clearInterval(look);
  const hangs = 'POST /hangs HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n';
  assert.is((await late(world, hangs)).status, 504);
  client.send('cd');
  await until(() => bodies.length === 1, 'the whole body');
  world.time.pass(100);
  assert.is((await client.reply()).body.toString(), 'well');
  assert.equal(bodies, ['abcd', 'abcd']);
  client.destroy();
});

test('an attempt that waits for a connection goes elsewhere, and leaves the queue', async (world) => {
  const { first, second, plane, time } = world;
  await use(world, 'attempt_timeout = "40ms"', { service: 'max_connections = 1' });
  first.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  second.respond = ok('well');
  const before = first.open;
  const clients = Array.from({ length: 6 }, () => plane.client());
  for (const client of clients.slice(0, 2)) client.send(get('/held'));
  await until(() => first.arrived.length === 1 && second.arrived.length === 1, 'a request that holds a connection');
  for (const client of clients.slice(2)) client.send(get('/queued'));
  await until(() => second.arrived.length === 3 && plane.targetSum(Counter.InFlight) === 3, 'two that wait');
  time.pass(100);
  const replies = await Promise.all(clients.slice(2).map((client) => client.reply()));
  assert.equal(
    replies.map(({ body }) => body.toString()),
    Array.from({ length: 4 }, () => 'well'),
  );
  // The connection is free again, and not for those that have left the queue.
  first.arrived[0]!.socket.write('12345');
  await until(() => plane.targetSum(Counter.InFlight) === 0, 'the end of the first request');
  first.respond = ok('first');
  second.respond = ok('second');
  const bodies = [await plane.ask(get('/')), await plane.ask(get('/'))].map(({ body }) => body.toString());
  assert.equal(bodies.sort(), ['first', 'second']);
  assert.is(first.connections, before + 1);
  for (const client of clients) client.destroy();
});

test('the time of the route comes first: no attempt follows', async (world) => {
  await use(world, 'attempt_timeout = "80ms"\nattempts = 5', { route: 'timeout = "200ms"' });
  hangFirst(world, 9);
  const client = world.plane.client();
  client.send(get('/'));
  for (const count of [1, 2]) {
    await until(() => arrived(world) === count, 'an attempt');
    world.time.pass(100);
  }
  assert.is((await client.reply()).status, 504);
  assert.ok(arrived(world) <= 3, `${arrived(world)} attempts`);
  client.destroy();
});

test('over HTTP/2 the stream is reset, and the connection stays', async ({ plane, time }) => {
  const targets = [await H2Target.start(), await H2Target.start()];
  let count = 0;
  let code: number | undefined;
  for (const target of targets)
    target.respond = (stream) => {
      if (count++ > 0) {
        stream.respond({ ':status': 200 });
        stream.end('well');
      } else
        stream.on('close', () => {
          code = stream.rstCode;
        });
    };
  const service = 'protocol = "h2"\n[service.it.retry]\nbackoff = "0s"\nattempt_timeout = "40ms"';
  await plane.load(
    specOf(
      targets.map(({ url }) => url),
      { service },
    ),
  );
  const client = plane.client();
  client.send(get('/'));
  await until(() => count === 1, 'the first attempt');
  time.pass(100);
  assert.is((await client.reply()).body.toString(), 'well');
  client.destroy();
  await until(() => code !== undefined, 'the reset');
  assert.is(code, CANCEL);
  assert.equal(
    targets.map(({ open }) => open),
    [1, 1],
  );
  for (const target of targets) await target.close();
});

test('calls of policies follow the same rule', async (world) => {
  const { plane, first, second, time } = world;
  const calls = withPolicies([
    {
      calls: ['it'],
      run: (host) => ({
        before: async (exchange: Exchange): Promise<Reply> => {
          const { body } = await host.call('it', { method: 'GET', path: '/call', exchange });
          return new BytesReply(200, { body });
        },
      }),
    },
  ]);
  for (const target of [first, second]) target.forget();
  const service = 'eject_after = 0\n[service.it.retry]\nbackoff = "0s"\nattempt_timeout = "40ms"';
  await plane.load(specOf([first.url, second.url], { service }), calls);
  hangFirst(world, 1);
  const client = plane.client();
  client.send(get('/'));
  await until(() => arrived(world) === 1, 'the call');
  time.pass(100);
  assert.is((await client.reply()).body.toString(), 'well');
  assert.equal([first.arrived.length, second.arrived.length], [1, 1]);
  client.destroy();
});

test('a handshake that does not end in time is repeated for every method', async (world) => {
  await use(world, '');
  const deaf = await FaultTarget.start(never, { deaf: true });
  world.second.respond = ok('second');
  const service = 'eject_after = 0\n[service.it.retry]\nbackoff = "0s"\nattempt_timeout = "40ms"';
  const urls = [deaf.url.replace('http', 'https'), world.second.url];
  const spec = specOf(urls, { service });
  await world.plane.load(
    spec.replace(/targets = .*/, `targets = ["${urls[0]}", { url = "${urls[1]}", priority = 1 }]`),
  );
  const client = world.plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx');
  await until(() => deaf.connections === 1, 'the connection');
  world.time.pass(100);
  const reply = await client.reply();
  assert.equal([reply.status, reply.body.toString()], [200, 'second']);
  client.destroy();
  await deaf.close();
});

test.run();
