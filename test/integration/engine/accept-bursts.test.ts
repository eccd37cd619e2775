/** Bursts of new connections delay requests for a moment and have no other effect. */
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { PREFACE } from '../../../src/proxy/downstream/connection/preface.js';
import { Frame, frame } from '../../support/h2-target.js';
import { turn } from '../../support/until.js';
import { type Arrived, ok, type RawClient, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('accept bursts');
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const POST = 'POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';

const CONSTANT = `
[[route]]
match = "GET /constant"
reply = { body = "constant" }
`;

test.before.each(({ target }) => {
  target.respond = (request: Arrived, socket) => ok(request.url)(request, socket);
});

const bodyOf = async (client: RawClient): Promise<string> => (await client.reply()).body.toString();

test('each of 400 simultaneous connections gets its own replies in order', async ({ plane, target }) => {
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

for (const service of ['max_connections = 2', 'max_connections = 2\npipelining = 4'])
  test(`requests queued for few target connections are served during a burst (${service.split('\n').at(-1)})`, async ({
    plane,
    target,
  }) => {
    await plane.load(specOf(target.url, { service }));
    const clients: RawClient[] = [];
    for (let wave = 0; wave < 3; wave++) {
      const fresh = Array.from({ length: 150 }, () => plane.client());
      clients.push(...fresh);
      for (const [at, client] of clients.entries()) client.send(get(`/${wave}-${at}`));
      await once(fresh[0]!.socket, 'connect');
    }
    for (const [at, client] of clients.entries())
      for (let wave = Math.floor(at / 150); wave < 3; wave++) assert.is(await bodyOf(client), `/${wave}-${at}`);
    for (const client of clients) client.destroy();
  });

test('HTTP/2 clients that send more while they wait for their turn in a burst are read on', async ({ plane }) => {
  const clients = Array.from({ length: 60 }, () => plane.client());
  const ping = (value: string): Buffer => frame(Frame.Ping, 0, 0, value);
  for (const client of clients) client.send(Buffer.concat([Buffer.from(PREFACE), frame(Frame.Settings, 0, 0)]));
  // A byte in each turn, so that some come after a connection is accepted and before the burst is over.
  for (const byte of Buffer.concat(['ping one', 'ping two', 'ping 3 !', 'ping 4 !'].map(ping))) {
    for (const client of clients) client.send(Buffer.of(byte));
    await turn();
  }
  for (const client of clients) client.send(ping('the last'));
  await until(() => clients.every(({ pending }) => pending.includes('the last')), 'all answers');
  for (const client of clients) client.destroy();
});

test('during a burst, split heads, half-closes and disconnects are handled', async ({ plane, target }) => {
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
  await until(() => plane.connections === 0, 'all connections to be closed');
});

test('a connection with waiting requests is not idle', async ({ target, plane, time }) => {
  await plane.load(specOf(target.url, { more: CONSTANT }));
  const clients = Array.from({ length: 12 }, () => plane.client());
  for (const client of clients) client.send(get('/constant').repeat(1500));
  // The work takes some hundred milliseconds, so a deadline check happens during it.
  const passing = setInterval(() => time.pass(3_600_000), 40);
  try {
    for (const client of clients)
      for (let i = 0; i < 1500; i++) assert.is((await client.reply()).body.toString(), 'constant');
  } finally {
    clearInterval(passing);
    for (const client of clients) client.destroy();
  }
});

test('the rest of a head that arrives with a body during a burst is parsed', async ({ plane }) => {
  for (let round = 0; round < 10; round++) {
    const posting = plane.client();
    posting.send(POST.slice(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const crowd = Array.from({ length: 60 }, () => plane.client());
    await once(crowd[0]!.socket, 'connect');
    for (let turns = 0; turns < 4 + round; turns++) await turn();
    posting.send(POST.slice(20));
    await turn();
    await turn();
    posting.send('hello');
    assert.is(await bodyOf(posting), '/post');
    for (const client of [posting, ...crowd]) client.destroy();
  }
});

test('a drain during a burst serves the accepted clients', async ({ plane }) => {
  const clients = Array.from({ length: 200 }, () => plane.client());
  for (const client of clients) client.send(get('/x'));
  await new Promise((resolve) => setImmediate(resolve));
  const drained = plane.plane.drain(5000);
  for (const client of clients) assert.is(await bodyOf(client), '/x');
  assert.is((await drained).cut, 0);
});

test.run();
