/** Many connections that come at once: requests wait for a moment meanwhile, and nothing else changes for them. */
import * as assert from 'uvu/assert';
import { type Arrived, ok, type RawClient, until } from './engine-kit.js';
import { engineSuite } from './engine-suite.js';

const test = engineSuite('arrivals');
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const POST = 'POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';

test.before.each(({ target }) => {
  target.respond = (request: Arrived, socket) => ok(request.url)(request, socket);
});

const bodyOf = async (client: RawClient): Promise<string> => (await client.reply()).body.toString();

test('each of 400 that come at once gets its own replies, in order', async ({ plane, target }) => {
  const busy = plane.client();
  busy.send(get('/first'));
  assert.is(await bodyOf(busy), '/first');
  const clients = Array.from({ length: 400 }, () => plane.client());
  for (const [at, client] of clients.entries())
    client.send(at % 2 === 0 ? get(`/${at}`) : get(`/${at}`) + get(`/${at}b`));
  busy.send(get('/second'));
  assert.is(await bodyOf(busy), '/second');
  for (const [at, client] of clients.entries()) {
    assert.is(await bodyOf(client), `/${at}`);
    if (at % 2 === 1) assert.is(await bodyOf(client), `/${at}b`);
    client.send(get('/again'));
  }
  for (const client of clients) assert.is(await bodyOf(client), '/again');
  assert.is(target.arrived.length, 2 + 400 + 200 + 400);
  for (const client of clients) client.destroy();
});

test('who sends in pieces, ends its half, or leaves while its request waits', async ({ plane, target }) => {
  const crowd = Array.from({ length: 200 }, () => plane.client());
  const halves = plane.client();
  const ending = plane.client();
  const leaving = plane.client();
  const posting = plane.client();
  for (const client of crowd) client.send(get('/crowd'));
  halves.send(get('/halves').slice(0, 9));
  ending.send(get('/ending'));
  ending.socket.end();
  leaving.send(get('/leaving'));
  leaving.socket.resetAndDestroy();
  posting.send(POST);
  await new Promise((resolve) => setImmediate(resolve));
  halves.send(get('/halves').slice(9));
  posting.send('hello');
  assert.is(await bodyOf(halves), '/halves');
  assert.is(await bodyOf(ending), '/ending');
  assert.is(await bodyOf(posting), '/post');
  await until(() => target.arrived.find(({ url }) => url === '/post')?.rest.toString() === 'hello', 'the body');
  for (const client of crowd) assert.is(await bodyOf(client), '/crowd');
  for (const client of [...crowd, halves, ending, posting]) client.destroy();
  await until(() => plane.connections === 0, 'all to be gone');
});

test('a drain in the middle of a burst serves who came', async ({ plane }) => {
  const clients = Array.from({ length: 200 }, () => plane.client());
  for (const client of clients) client.send(get('/x'));
  await new Promise((resolve) => setImmediate(resolve));
  const drained = plane.plane.drain(5000);
  for (const client of clients) assert.is(await bodyOf(client), '/x');
  assert.is((await drained).cut, 0);
});

test.run();
