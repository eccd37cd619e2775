/** Attempts whose time is bounded: `attempt_timeout`. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { never, whole } from '../../support/fault-target.js';
import { H2Target } from '../../support/h2-target.js';
import { type Fault, FaultTarget, ok, Plane, say, specOf, until } from '../engine-kit.js';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const CANCEL = 8;

interface World {
  first: FaultTarget;
  second: FaultTarget;
  plane: Plane;
}

const test = suite<World>('attempt_timeout');

test.before(async (world) => {
  world.first = await FaultTarget.start();
  world.second = await FaultTarget.start();
  world.plane = await Plane.start(specOf(world.first.url));
});

test.after(async ({ plane, first, second }) => {
  await plane.close();
  await first.close();
  await second.close();
});

let services = 0;
async function use({ plane, first, second }: World, retry: string, more: { service?: string; route?: string } = {}) {
  const name = `s${++services}`;
  for (const target of [first, second]) target.forget();
  const service = `eject_after = 0\n${more.service ?? ''}\n[service.it.retry]\nbackoff = "0s"\n${retry}`;
  const spec = specOf([first.url, second.url], { service, ...(more.route ? { route: more.route } : {}) });
  await plane.load(spec.replaceAll('service.it', `service.${name}`).replace('to = "it"', `to = "${name}"`));
}

/** The first `count` requests get no reply, the others a good one. */
function hangFirst({ first, second }: World, count: number, then: Fault = ok('well')): void {
  let left = count;
  for (const target of [first, second])
    target.respond = (request, socket) => (left-- > 0 ? never : then)(request, socket);
}

const openIn = ({ first, second }: World): number => first.open + second.open;

test('a late attempt ends, and its connection closes; another target answers', async (world) => {
  await use(world, 'attempt_timeout = "40ms"');
  hangFirst(world, 1);
  const reply = await world.plane.ask(get('/late'));
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
  assert.is((await world.plane.ask(get('/last'))).status, 504);
  const record = await world.plane.record(({ url }) => url === '/last');
  assert.equal([record.error, record.cause], ['upstream/timeout', 'attempt timeout (40 ms)']);
  assert.is(record.attempts, undefined);
});

test('POST is not repeated; `on` without `timeout` repeats nothing that was sent', async (world) => {
  await use(world, 'attempt_timeout = "40ms"');
  hangFirst(world, 9);
  const post = 'POST /post HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx';
  assert.is((await world.plane.ask(post)).status, 504);
  assert.is(world.first.arrived.length + world.second.arrived.length, 1);
  await use(world, 'attempt_timeout = "40ms"\non = ["connect", "reset"]');
  hangFirst(world, 9);
  assert.is((await world.plane.ask(get('/'))).status, 504);
  assert.is(world.first.arrived.length + world.second.arrived.length, 1);
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
  assert.is((await world.plane.ask(get('/hangs'))).status, 504);
  socket.write('ok');
  assert.is((await client.reply()).body.toString(), 'ok');
  client.destroy();
});

test('a body counts from its last byte, and is sent again', async (world) => {
  await use(world, 'attempt_timeout = "60ms"');
  const bodies: string[] = [];
  let count = 0;
  for (const target of [world.first, world.second])
    target.respond = (request, socket) =>
      request.url === '/hangs'
        ? undefined
        : whole((bytes) => bodies.push(bytes.toString()), count++ === 0 ? never : ok('well'))(request, socket);
  const client = world.plane.client();
  client.send('PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nab');
  await until(() => count === 1, 'the head at a target');
  assert.is((await world.plane.ask(get('/hangs'))).status, 504);
  assert.is(count, 1);
  client.send('cd');
  assert.is((await client.reply()).body.toString(), 'well');
  assert.equal(bodies, ['abcd', 'abcd']);
  client.destroy();
});

test('an attempt that waits for a connection goes elsewhere, and leaves the queue', async (world) => {
  await use(world, 'attempt_timeout = "40ms"', { service: 'max_connections = 1' });
  hangFirst(world, 0);
  await world.plane.ask(get('/a'));
  // One request holds the only connection of each target; its own time is over later, as it has a longer one.
  await use(world, 'attempt_timeout = "40ms"\nattempts = 1', { service: 'max_connections = 1' });
  world.first.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  world.second.respond = ok('well');
  const holders = [world.plane.client(), world.plane.client()];
  for (const holder of holders) holder.send(get('/held'));
  await until(() => world.first.arrived.length >= 1, 'a request that holds a connection');
  const replies = await Promise.all(Array.from({ length: 4 }, () => world.plane.ask(get('/queued'))));
  assert.equal(
    replies.map(({ status, body }) => [status, body.toString()]),
    Array.from({ length: 4 }, () => [200, 'well']),
  );
  for (const { socket } of world.first.arrived) socket.write('12345');
  await until(() => holders.some(({ pending }) => pending.includes('12345')), 'the reply that held the connection');
  world.first.respond = ok('first');
  assert.is((await world.plane.ask(get('/after'))).status, 200);
  for (const holder of holders) holder.destroy();
});

test('the time of the route comes first: no attempt follows', async (world) => {
  await use(world, 'attempt_timeout = "80ms"\nattempts = 5', { route: 'timeout = "200ms"' });
  hangFirst(world, 9);
  const reply = await world.plane.ask(get('/'));
  assert.is(reply.status, 504);
  const arrived = world.first.arrived.length + world.second.arrived.length;
  assert.ok(arrived <= 3, `${arrived} attempts`);
});

test('over HTTP/2 the stream is reset, and the connection stays', async ({ plane }) => {
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
  assert.is((await plane.ask(get('/'))).body.toString(), 'well');
  await until(() => code !== undefined, 'the reset');
  assert.is(code, CANCEL);
  assert.equal(
    targets.map(({ open }) => open),
    [1, 1],
  );
  for (const target of targets) await target.close();
});

test('a handshake that does not end in time is repeated for every method', async (world) => {
  await use(world, '');
  const deaf = await FaultTarget.start(never, { deaf: true });
  world.second.respond = ok('second');
  const service = 'eject_after = 0\n[service.it.retry]\nbackoff = "0s"\nattempt_timeout = "40ms"';
  await world.plane.load(specOf([deaf.url.replace('http', 'https'), world.second.url], { service }));
  for (let at = 0; at < 2; at++) {
    const reply = await world.plane.ask('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx');
    assert.equal([reply.status, reply.body.toString()], [200, 'second']);
  }
  assert.ok(deaf.connections >= 1);
  await deaf.close();
});

test.run();
