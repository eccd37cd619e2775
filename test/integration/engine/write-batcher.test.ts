/** Writes are delayed within a turn; they must keep their order, with nothing in between. */
import * as assert from 'uvu/assert';
import { ok, Plane, type RawClient, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('write batcher');

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n`;

async function bodyOf(client: RawClient): Promise<string> {
  return (await client.reply()).body.toString();
}

for (const [what, ask] of [
  ['GET', get],
  ['POST', post],
] as const) {
  test(`an unsolicited reply that arrives before the ${what} is written is not its reply`, async ({
    target,
    plane,
  }) => {
    target.respond = ok('right');
    const client = plane.client();
    client.send(ask('/first'));
    assert.is(await bodyOf(client), 'right');
    // Both are readable in one turn of gw's event loop, the request first.
    client.send(ask('/second'));
    target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong');
    assert.is(await bodyOf(client), 'right');
    assert.equal([target.connections, target.arrived.length], [2, 2], 'written once, on another connection');
    client.destroy();
  });

  test(`an idle connection that closes before the ${what} is written: the request uses another one`, async ({
    target,
    plane,
  }) => {
    target.respond = ok('right');
    const client = plane.client();
    client.send(ask('/first'));
    assert.is(await bodyOf(client), 'right');
    client.send(ask('/second'));
    target.sockets[0]!.end();
    assert.is(await bodyOf(client), 'right');
    assert.equal([target.connections, target.arrived.length], [2, 2]);
    client.destroy();
  });
}

test('a client that disconnects before its request is written does not affect others', async (context) => {
  const { target, plane } = context;
  target.respond = ok('right');
  const [leaving, staying] = [plane.client(), plane.client()];
  leaving.send(get('/first'));
  assert.is(await bodyOf(leaving), 'right');
  leaving.send(get('/left'));
  leaving.socket.resetAndDestroy();
  staying.send(get('/stayed'));
  assert.is(await bodyOf(staying), 'right');
  assert.ok(target.arrived.some(({ url }) => url === '/stayed'));
  staying.destroy();
});

const OWN = `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
match = "GET /small"
reply = { body = "small" }
[[route]]
match = "GET /large"
reply = { body = "${'x'.repeat(20_000)}" }
`;

test('replies of all sizes stay in order, with an error reply at the end', async () => {
  const plane = await Plane.start(OWN);
  try {
    const client = plane.client();
    client.send(`${get('/small') + get('/large') + get('/none') + get('/small')}no request\r\n\r\n`);
    const seen: (number | string)[] = [];
    for (let i = 0; i < 5; i++) {
      const { status, body } = await client.reply();
      seen.push(status === 200 ? body.length : status);
    }
    assert.equal(seen, [5, 20_000, 404, 5, 400]);
    await client.end();
  } finally {
    await plane.close();
  }
});

test('the last of several replies is sent before the connection closes', async ({ target, plane }) => {
  target.respond = (request, socket) => ok(request.url)(request, socket);
  const client = plane.client();
  const last = 'GET /last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
  client.send(get('/one') + get('/two') + last);
  for (const body of ['/one', '/two', '/last']) assert.is(await bodyOf(client), body);
  await client.end();
  assert.is(client.pending, '');
});

test('each of many requests gets its own reply, batched or not', async ({ target, plane }) => {
  target.respond = (request, socket) => ok(request.url)(request, socket);
  const clients = Array.from({ length: 40 }, () => plane.client());
  for (let round = 0; round < 10; round++) {
    for (const [at, client] of clients.entries()) client.send(get(`/${at}-${round}`));
    for (const [at, client] of clients.entries()) assert.is(await bodyOf(client), `/${at}-${round}`);
    for (let i = 0; i < 10; i++) {
      clients[0]!.send(get(`/alone-${i}`));
      assert.is(await bodyOf(clients[0]!), `/alone-${i}`);
    }
  }
  for (const client of clients) client.destroy();
  await until(() => plane.connections === 0);
});

test.run();
