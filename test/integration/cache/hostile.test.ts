/** What clients and origins may do to reach, keep or remove replies that are not theirs. */
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { until } from '../../support/until.js';
import { cacheSuite, dateAt, requestText, wire } from './kit.js';

const test = cacheSuite('hostile clients and origins');

const isHit = (reply: { header(name: string): string | undefined }): boolean =>
  reply.header('cache-status')?.includes('hit') === true;

test('a 304 to a request without conditions is 502, also if a stale reply without validators is stored', async ({
  bed,
}) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ status: 304, fields: { 'cache-control': 'max-age=60' } });
  assert.is((await bed.ask('/a')).status, 502);
});

test('a 304 with another Vary: the stored reply answers no requests with other fields', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: 'english' });
  await bed.ask('/a', { 'accept-language': 'en' });
  bed.pass(5);
  bed.origin = () => ({
    status: 304,
    fields: { 'cache-control': 'max-age=60', etag: '"v1"', vary: 'accept-language' },
  });
  assert.is((await bed.ask('/a', { 'accept-language': 'en' })).body.toString(), 'english');
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', vary: 'accept-language' }, body: 'french' });
  assert.is((await bed.ask('/a', { 'accept-language': 'fr' })).body.toString(), 'french');
});

test('a reply that was on its way when an unsafe method succeeded is neither stored nor shared with later requests', async ({
  bed,
}) => {
  const held: Socket[] = [];
  bed.target.respond = (request, socket) => {
    if (request.method === 'POST') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    else held.push(socket);
  };
  const first = bed.plane.client();
  first.send(requestText('/a'));
  await until(() => held.length === 1, 'the request at the origin');
  await bed.ask('/a', {}, 'POST');
  const second = bed.plane.client();
  second.send(requestText('/a'));
  held[0]!.write(wire({ fields: { 'cache-control': 'max-age=60' }, body: 'old' }));
  assert.is((await first.reply()).body.toString(), 'old');
  await until(() => held.length === 2, 'the second request at the origin');
  held[1]!.write(wire({ fields: { 'cache-control': 'max-age=60' }, body: 'new' }));
  assert.is((await second.reply()).body.toString(), 'new');
  assert.is((await bed.ask('/a')).body.toString(), 'new');
  first.destroy();
  second.destroy();
});

test('an unsafe method removes what is stored for the URL of the client, whatever the target gets', async ({ bed }) => {
  await bed.load(
    '[policy.c]\nuse = "cache"\n[policy.t]\nuse = "transform"\nrequest = { query = { set = { v = "1" } } }\n',
    'policies = ["c", "t"]\n',
  );
  await bed.ask('/a');
  assert.ok(isHit(await bed.ask('/a')));
  assert.is(bed.target.arrived.at(-1)!.url, '/a?v=1');
  await bed.ask('/a', {}, 'POST');
  assert.not(isHit(await bed.ask('/a')));
});

test('a path that ends with * removes only what is stored for that path', async ({ bed }) => {
  await bed.ask('/a');
  await bed.ask('/*', {}, 'POST');
  assert.ok(isHit(await bed.ask('/a')));
  await bed.ask('/*');
  assert.ok(isHit(await bed.ask('/*')));
  await bed.ask('/*', {}, 'POST');
  assert.not(isHit(await bed.ask('/*')));
});

test('a condition of a client does not make a stale reply fresh in the background', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = (request) =>
    request.header('if-modified-since') !== undefined || request.header('range') !== undefined
      ? { status: 304, fields: { 'cache-control': 'max-age=60' } }
      : { fields: { 'cache-control': 'max-age=60' }, body: 'new' };
  await bed.ask('/a', { 'if-modified-since': dateAt(bed.now, 1000), range: 'bytes=0-0' });
  await until(() => bed.asked === 2, 'the fetch in the background');
  await until(async () => (await bed.ask('/a')).body.toString() === 'new', 'the new reply');
});

test('cookies of the key are told apart as targets tell them apart', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nkey = { cookies = ["s"] }\n');
  for (const cookie of ['s=a:b', 's=a; s=b', 's=1', 's=1\u00a0', '\u00a0s=1'])
    assert.not(isHit(await bed.ask('/a', { cookie })), cookie);
  await bed.ask('/b');
  assert.not(isHit(await bed.ask('/b', { cookie: 's =1' })));
});

test('query parameters whose names are equal when decoded keep their order', async ({ bed }) => {
  await bed.ask('/a?%61=1&a=2');
  assert.not(isHit(await bed.ask('/a?a=2&%61=1')));
});

test('an unsafe method removes what is stored for a long URL, and for Location in another spelling', async ({
  bed,
}) => {
  const long = `/a?${'x'.repeat(9000)}`;
  await bed.ask(long);
  assert.ok(isHit(await bed.ask(long)));
  await bed.ask(long, {}, 'POST');
  assert.not(isHit(await bed.ask(long)));
  for (const [path, location] of [
    ['/~ann/b', '/%7Eann/b'],
    ['/g%7Ch', '/g|h'],
    ["/q?n='x'&a=1", "/q?a=1&n='x'"],
  ] as const) {
    bed.origin = ({ method }) => ({ fields: method === 'POST' ? { location } : { 'cache-control': 'max-age=60' } });
    await bed.ask(path);
    assert.ok(isHit(await bed.ask(path)));
    await bed.ask('/other', {}, 'POST');
    assert.not(isHit(await bed.ask(path)), location);
  }
});

test('the default port of a scheme and the dot of the DNS root are no other host', async ({ bed }) => {
  for (const host of ['a.example.', 'a.example.:80']) {
    await bed.ask('/b');
    assert.ok(isHit(await bed.plane.ask(`GET /b HTTP/1.1\r\nHost: ${host}\r\n\r\n`)));
    await bed.plane.ask(`POST /b HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.not(isHit(await bed.ask('/b')));
  }
  await bed.plane.ask('GET /a HTTP/1.1\r\nHost: a.example:80\r\n\r\n');
  await bed.ask('/a', {}, 'POST');
  assert.not(isHit(await bed.plane.ask('GET /a HTTP/1.1\r\nHost: a.example:80\r\n\r\n')));
});

test('after a slow reply, requests do not wait for each other for a while', async ({ bed }) => {
  const held: Socket[] = [];
  bed.target.respond = (_request, socket) => void held.push(socket);
  const clients = [bed.plane.client(), bed.plane.client()];
  clients[0]!.send(requestText('/a'));
  await until(() => held.length === 1, 'the first');
  clients[1]!.send(requestText('/a'));
  await until(() => bed.plane.connections === 2, 'both');
  await bed.plane.client().send(requestText('/last'));
  await until(() => held.length === 2, 'the last');
  bed.time.pass(6000);
  await until(() => held.length === 3, 'the second');
  for (let count = 4; count < 7; count++) {
    clients.push(bed.plane.client());
    clients.at(-1)!.send(requestText('/a'));
    await until(() => held.length === count, 'a further request at the origin');
  }
  for (const client of clients) client.destroy();
});

test('a reply that varies by a field which gw itself writes is not stored', async ({ bed }) => {
  for (const vary of ['x-forwarded-for', 'X-Request-ID', 'forwarded']) {
    bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', vary }, body: 'for one client' });
    await bed.ask(`/${vary}`);
    assert.not(isHit(await bed.ask(`/${vary}`)));
  }
});

test('credentials of one client do not keep others from sharing', async ({ bed }) => {
  await bed.ask('/a', { authorization: 'Bearer x', 'cache-control': 'max-age=0' });
  const held: Socket[] = [];
  bed.target.respond = (_request, socket) => void held.push(socket);
  const clients = [bed.plane.client(), bed.plane.client(), bed.plane.client()];
  for (const client of clients.slice(0, 2)) client.send(requestText('/a'));
  await until(() => held.length >= 1, 'the first');
  clients[2]!.send(requestText('/last'));
  await until(() => bed.target.arrived.at(-1)!.url === '/last', 'the last');
  assert.is(held.length, 2);
  for (const client of clients) client.destroy();
});

test('upgrades neither wait for each other nor are answered from the store', async ({ bed }) => {
  bed.target.respond = (_request, socket) =>
    void socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    );
  const text =
    'GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const clients = [bed.plane.client(), bed.plane.client()];
  for (const client of clients) {
    client.send(text);
    await until(() => client.pending.includes('101'), 'switched');
  }
  for (const client of clients) client.destroy();
  bed.target.respond = (request, socket) =>
    void socket.write(wire({ fields: { 'cache-control': 'max-age=60' }, body: request.header('upgrade') ?? 'none' }));
  await bed.ask('/b');
  const b = bed.plane.client();
  b.send(text.replace('/a', '/b'));
  assert.not(isHit(await b.reply()));
  b.destroy();
});

test('an absolute target overrides Host, in keys and in what an unsafe method removes', async ({ bed }) => {
  await bed.plane.ask('GET http://b.example/a HTTP/1.1\r\nHost: b.example\r\n\r\n');
  await bed.plane.ask('GET http://b.example/a HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.not(isHit(await bed.ask('/a')));
  await bed.plane.ask('POST http://b.example/a HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.ok(isHit(await bed.ask('/a')));
  assert.not(isHit(await bed.plane.ask('GET /a HTTP/1.1\r\nHost: b.example\r\n\r\n')));
});

test('of more than 32 variants the newest ones are kept', async ({ bed }) => {
  bed.origin = (request) => ({
    fields: { 'cache-control': 'max-age=60', vary: 'x-a' },
    body: request.header('x-a') ?? '',
  });
  for (let i = 0; i < 40; i++) await bed.ask('/a', { 'x-a': String(i) });
  let hits = 0;
  for (let i = 39; i >= 8; i--) if (isHit(await bed.ask('/a', { 'x-a': String(i) }))) hits++;
  assert.is(hits, 32);
  assert.not(isHit(await bed.ask('/a', { 'x-a': '0' })));
});

test('variants of long fields are told apart, and are bounded too', async ({ bed }) => {
  bed.origin = ({ header }) => ({
    fields: { 'cache-control': 'max-age=60', vary: 'cookie' },
    body: header('cookie')?.slice(-2) ?? '',
  });
  const cookie = (at: number): string => `${'x'.repeat(4000)}${at + 10}`;
  for (let at = 0; at < 40; at++) await bed.ask('/a', { cookie: cookie(at) });
  for (let at = 39; at >= 8; at--) {
    const reply = await bed.ask('/a', { cookie: cookie(at) });
    assert.ok(isHit(reply));
    assert.is(reply.body.toString(), String(at + 10));
  }
  assert.not(isHit(await bed.ask('/a', { cookie: cookie(0) })));
});

test('variants that arrive at the same time are bounded too', async ({ bed }) => {
  const held: Socket[] = [];
  bed.target.respond = (_request, socket) => void held.push(socket);
  const say = (cc: string): Buffer => wire({ fields: { 'cache-control': cc, vary: 'x-v' }, body: 'x' });
  const clients = Array.from({ length: 60 }, () => bed.plane.client());
  for (const [at, client] of clients.entries()) client.send(requestText('/a', { 'x-v': String(at) }));
  await until(() => held.length >= 1, 'the first request at the origin');
  held[0]!.write(say('max-age=60'));
  await until(() => held.length === 60, 'all requests at the origin');
  for (const socket of held.slice(1)) socket.write(say('max-age=60'));
  for (const client of clients) {
    await client.reply();
    client.destroy();
  }
  bed.target.respond = (_request, socket) => socket.write(say('no-store'));
  let hits = 0;
  for (let at = 0; at < 60; at++) if (isHit(await bed.ask('/a', { 'x-v': String(at) }))) hits++;
  assert.is(hits, 32);
});

test('cookies of several lines count', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nkey = { cookies = ["s"] }\n');
  await bed.ask('/a');
  for (const value of ['1', '2']) {
    const reply = await bed.plane.ask(
      `GET /a HTTP/1.1\r\nHost: a.example\r\nCookie: a=1\r\nCookie: s=${value}\r\n\r\n`,
    );
    assert.not(isHit(reply), value);
  }
});

test('a reload within a request that others wait for', async ({ bed }) => {
  const held: Socket[] = [];
  bed.target.respond = (_request, socket) => void held.push(socket);
  const clients = [bed.plane.client(), bed.plane.client()];
  clients[0]!.send(requestText('/a'));
  await until(() => held.length === 1, 'the request at the origin');
  clients[1]!.send(requestText('/a'));
  await until(() => bed.plane.connections === 2, 'both clients');
  await bed.load('[policy.c]\nuse = "cache"\nstale_if_error = "1s"\n');
  clients.push(bed.plane.client());
  clients[2]!.send(requestText('/a'));
  await until(() => bed.plane.connections === 3, 'all clients');
  held[0]!.write(wire({ fields: { 'cache-control': 'max-age=60' }, body: 'once' }));
  for (const client of clients) assert.is((await client.reply()).body.toString(), 'once');
  assert.is(held.length, 1);
  for (const client of clients) client.destroy();
});

test('Vary of the origin changes between replies: each reply goes only to requests with its fields', async ({
  bed,
}) => {
  const say = (vary: string | undefined) => {
    bed.origin = (request) => ({
      fields: { 'cache-control': 'max-age=60', ...(vary === undefined ? {} : { vary }) },
      body: `${request.header('x-a')} ${request.header('x-b')} ${vary}`,
    });
  };
  say('x-a');
  await bed.ask('/a', { 'x-a': '1', 'x-b': '1' });
  say('x-b');
  await bed.ask('/a', { 'x-a': '2', 'x-b': '2' });
  say(undefined);
  // The newest Vary counts first; each of them is right for its replies.
  assert.is((await bed.ask('/a', { 'x-a': '1', 'x-b': '1' })).body.toString(), '1 1 x-a');
  assert.is((await bed.ask('/a', { 'x-a': '3', 'x-b': '2' })).body.toString(), '2 2 x-b');
  assert.is((await bed.ask('/a', { 'x-a': '3', 'x-b': '3' })).body.toString(), '3 3 undefined');
  assert.ok(isHit(await bed.ask('/a', { 'x-a': '9', 'x-b': '9' })));
});

test('a refusal of one client removes nothing that others use', async ({ bed }) => {
  await bed.ask('/a');
  for (const status of [401, 403, 429]) {
    bed.origin = () => ({ status, fields: { 'cache-control': 'no-store' } });
    assert.is((await bed.ask('/a', { 'cache-control': 'no-cache' })).status, status);
    assert.match((await bed.ask('/a')).header('cache-status')!, /hit/);
  }
});

test('HEAD does not fetch a stale reply anew', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  assert.match((await bed.ask('/a', {}, 'HEAD')).header('cache-status')!, /hit/);
  await bed.ask('/other');
  assert.is(bed.asked, 2);
});

test.run();
