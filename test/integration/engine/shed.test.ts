/** Slow clients hold connections to a target only as long as nobody else waits for them; and no address holds all. */
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { type Arrived, type Plane, type RawClient, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const KIB = 1024;
const GIB = 1024 ** 3;
const test = engineSuite('slow clients give way', { service: 'retries = 0\nmax_connections = 8' });
const LONG_POST = `POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(1500 * KIB)}`;
const SLOW_GET = 'GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Floods whoever asks for /slow, reads the bodies that come to it, and is quick otherwise. */
function respond(request: Arrived, socket: Arrived['socket']): void {
  if (request.url !== '/slow') faults.ok('quick')(request, socket);
  else if (request.method === 'GET') faults.flood(GIB)(request, socket);
}

function idle(plane: Plane, count: number, text: string): RawClient[] {
  return Array.from({ length: count }, () => {
    const client = plane.client();
    client.socket.pause();
    client.send(text);
    return client;
  });
}

for (const [what, text, error] of [
  ['bodies that stop in the middle', LONG_POST, 'request/shed'],
  ['replies that are not read', SLOW_GET, 'downstream/shed'],
] as const) {
  test(`${what} keep nobody from the target`, async ({ plane, target }) => {
    target.respond = respond;
    const clients = idle(plane, 16, text);
    await until(() => target.open >= 6, 'connections to be held');
    for (let asked = 0; asked < 10; asked++) {
      assert.is((await plane.ask(GET)).body.toString(), 'quick');
      await plane.ask(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi`);
    }
    assert.ok(target.open <= 8);
    assert.ok(plane.records.every(({ status, url }) => url === '/slow' || status === 200));
    if (text === SLOW_GET) {
      assert.match((await plane.record((record) => record.error === error)).cause ?? '', /^slow client \(/);
      const slot = plane.registry.slot('target', `it|${target.url}`);
      assert.ok(slot !== undefined && plane.registry.shed(slot) > 0);
    }
    for (const client of clients) client.destroy();
    await until(() => target.open <= 2, 'the target to be let go');
  });
}

test('who is shed is told so: 408 to a body, a cut to a reply', async ({ plane, target }) => {
  target.respond = respond;
  const clients = idle(plane, 30, LONG_POST);
  for (const client of clients) client.socket.resume();
  await until(() => plane.records.some(({ error }) => error === 'request/shed'), 'one to be shed');
  const told = await Promise.any(clients.map((client) => client.reply()));
  assert.is(told.status, 408);
  assert.match(told.body.toString(), /urn:gw:problem:request\/shed/);
  for (const client of clients) client.destroy();
});

test('slow clients are left alone as long as nobody waits', async ({ plane, target, time }) => {
  target.respond = respond;
  const clients = [...idle(plane, 3, SLOW_GET), ...idle(plane, 3, LONG_POST)];
  await until(() => target.open >= 6, 'connections to be held');
  time.pass(4000);
  for (let asked = 0; asked < 10; asked++) assert.is((await plane.ask(GET)).body.toString(), 'quick');
  assert.not.ok(plane.records.some(({ error }) => error !== null));
  for (const client of clients) client.destroy();
});

test('a target that is slow is not the fault of its clients: none gives way', async ({ plane, target }) => {
  const held: Arrived[] = [];
  target.respond = (request, socket) => {
    held.push(request);
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  };
  // As many as one address may have.
  const clients = idle(plane, 7, GET);
  for (const client of clients) client.socket.resume();
  await until(() => held.length === 7, 'them to be in use');
  const waiting = plane.client();
  waiting.send(GET);
  assert.is((await waiting.reply()).status, 503);
  assert.is(plane.records.length, 1);
  for (const { socket } of held) socket.write('0\r\n\r\n');
  for (const client of clients) {
    assert.is((await client.reply()).body.toString(), 'a');
    client.destroy();
  }
  waiting.destroy();
});

test.run();
