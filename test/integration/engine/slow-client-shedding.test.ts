/** Slow clients keep target connections only while no other client waits; no address can hold all of them. */
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { type Arrived, type Plane, type RawClient, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const KIB = 1024;
const GIB = 1024 ** 3;
const test = engineSuite('shedding of slow clients', { service: 'retries = 0\nmax_connections = 8' });
const LONG_POST = `POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(1500 * KIB)}`;
const SLOW_GET = 'GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Sends an endless reply to GET /slow, reads the bodies of POST /slow, and replies at once otherwise. */
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
  ['stalled request bodies', LONG_POST, 'request/shed'],
  ['unread replies', SLOW_GET, 'downstream/shed'],
] as const) {
  test(`${what} do not block other clients from the target`, async ({ plane, target }) => {
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
    await until(() => target.open <= 2, 'target connections to be closed');
  });
}

test('a shed client gets 408 during its body, and an aborted reply otherwise', async ({ plane, target }) => {
  target.respond = respond;
  const clients = idle(plane, 30, LONG_POST);
  for (const client of clients) client.socket.resume();
  await until(() => plane.records.some(({ error }) => error === 'request/shed'), 'a client to be shed');
  const reply = await Promise.any(clients.map((client) => client.reply()));
  assert.is(reply.status, 408);
  assert.match(reply.body.toString(), /urn:gw:problem:request\/shed/);
  for (const client of clients) client.destroy();
});

test('slow clients are not shed while no other client waits', async ({ plane, target, time }) => {
  target.respond = respond;
  const clients = [...idle(plane, 3, SLOW_GET), ...idle(plane, 3, LONG_POST)];
  await until(() => target.open >= 6, 'connections to be held');
  time.pass(4000);
  for (let asked = 0; asked < 10; asked++) assert.is((await plane.ask(GET)).body.toString(), 'quick');
  assert.not.ok(plane.records.some(({ error }) => error !== null));
  for (const client of clients) client.destroy();
});

test('clients of a slow target are not shed', async ({ plane, target }) => {
  const held: Arrived[] = [];
  target.respond = (request, socket) => {
    held.push(request);
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  };
  // The maximum number for one address.
  const clients = idle(plane, 7, GET);
  for (const client of clients) client.socket.resume();
  await until(() => held.length === 7, 'all of them to be in use');
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
