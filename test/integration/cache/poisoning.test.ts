/** What must not reach other clients: values outside of the key, other paths, other hosts, wrong replies of the origin. */
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

const test = cacheSuite('cache poisoning');

const isHit = (reply: { header(name: string): string | undefined }): boolean =>
  reply.header('cache-status')?.includes('hit') === true;

/** The origin reflects what it gets, and says that it may be stored. */
const REFLECTED = ['host', 'x-forwarded-host', 'x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-host'];

test('fields that override the URL or the host do not reach the target', async ({ bed }) => {
  bed.origin = (request) => ({
    fields: { 'cache-control': 'max-age=60' },
    body: REFLECTED.map((name) => `${name}=${request.header(name)}`).join(),
  });
  const evil = Object.fromEntries(REFLECTED.slice(1).map((name) => [name, 'evil.example']));
  const first = await bed.ask('/a', evil);
  assert.not.match(first.body.toString(), /evil/);
  assert.ok(isHit(await bed.ask('/a')));
});

test('a field of the key may override them: then it is part of the key', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nkey = { fields = ["x-original-url"] }\n');
  bed.origin = (request) => ({
    fields: { 'cache-control': 'max-age=60' },
    body: request.header('x-original-url') ?? '',
  });
  assert.is((await bed.ask('/a', { 'x-original-url': '/b' })).body.toString(), '/b');
  assert.is((await bed.ask('/a')).body.toString(), '');
});

test('each host and port has replies of its own', async ({ bed }) => {
  bed.origin = (request) => ({ fields: { 'cache-control': 'max-age=60' }, body: request.header('host') ?? '' });
  for (const host of ['a.example', 'b.example', 'a.example:8443']) {
    const text = `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    assert.is((await bed.plane.ask(text)).body.toString(), (await bed.plane.ask(text)).body.toString());
  }
  assert.is(bed.asked, 3);
  // The name of a host has no case.
  assert.ok(isHit(await bed.plane.ask('GET /a HTTP/1.1\r\nHost: A.Example\r\n\r\n')));
});

test('the path of the key is the one that the target gets', async ({ bed }) => {
  bed.origin = (request) => ({ fields: { 'cache-control': 'max-age=60' }, body: request.url });
  const paths = [
    '/account',
    '/account/x.css',
    '/account;x.css',
    '/account%2Fx.css',
    '/account%3Fx.css',
    '/account/%2e%2e/b',
  ];
  for (const path of paths) {
    const first = await bed.ask(path);
    // Paths that targets read in different ways are refused.
    if (first.status === 400) continue;
    assert.is(first.body.toString(), bed.target.arrived.at(-1)!.url);
    assert.is((await bed.ask(path)).body.toString(), first.body.toString());
  }
  const other = await bed.ask('/b');
  assert.is(other.body.toString(), '/b');
});

test('a GET with a body is neither stored nor answered from the store', async ({ bed }) => {
  const fat = `GET /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nevil`;
  await bed.plane.ask(fat);
  assert.not(isHit(await bed.ask('/a')));
  assert.is((await bed.plane.ask(fat)).header('cache-status'), 'gw; fwd=bypass');
});

test('a 304 to a request without conditions is 502, and stored nowhere', async ({ bed }) => {
  bed.origin = () => ({ status: 304, fields: { 'cache-control': 'max-age=60', etag: '"v1"' } });
  const refused = await bed.ask('/a');
  assert.is(refused.status, 502);
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:cache/unusable');
  // A client that has a reply may learn that it has not changed.
  assert.is((await bed.ask('/a', { 'if-none-match': '"v1"' })).status, 304);
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60' }, body: 'real' });
  assert.is((await bed.ask('/a')).body.toString(), 'real');
});

test('a 304 about another reply than the stored one: the origin is asked again', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: 'one' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = (request) =>
    request.header('if-none-match') === undefined
      ? { fields: { 'cache-control': 'max-age=60', etag: '"v2"' }, body: 'two' }
      : { status: 304, fields: { etag: '"v2"' } };
  const reply = await bed.ask('/a');
  assert.is(reply.status, 200);
  assert.is(reply.body.toString(), 'two');
  assert.is(reply.header('cache-status'), 'gw; fwd=stale; stored');
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; hit; ttl=60');
});

test('a client cannot remove what is stored by asking for a validation of its own', async ({ bed }) => {
  bed.origin = (request) =>
    request.header('if-none-match') === '"v1"'
      ? { status: 304, fields: { etag: '"v1"', 'cache-control': 'max-age=60' } }
      : { fields: { etag: '"v1"', 'cache-control': 'max-age=60' }, body: 'kept' };
  await bed.ask('/a');
  await bed.ask('/a', { 'cache-control': 'no-cache, no-store' });
  await bed.ask('/a', { 'cache-control': 'no-cache', authorization: 'Bearer x' });
  assert.ok(isHit(await bed.ask('/a')));
  bed.origin = () => ({ fields: { etag: '"v1"', 'cache-control': 'max-age=60' }, body: 'kept' });
  await bed.ask('/a', { 'cache-control': 'no-cache, no-store' });
  await bed.ask('/a', { 'cache-control': 'no-cache', authorization: 'Bearer x' });
  assert.ok(isHit(await bed.ask('/a')));
});

test('an old reply does not come back after the origin has answered with a new one that is not stored', async ({
  bed,
}) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-if-error=1000' }, body: 'v1' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ fields: { 'cache-control': 'no-store' }, body: 'v2' });
  await bed.ask('/a');
  bed.origin = () => ({ status: 503 });
  assert.is((await bed.ask('/a')).status, 503);
});

test('a reply with a wrong length is not stored, whatever was announced', async ({ bed }) => {
  for (const [path, wire] of [
    ['/short', 'Content-Length: 10\r\n\r\nhalf'],
    ['/chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['/broken', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
  ] as const) {
    bed.target.respond = (_request, socket) => socket.end(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${wire}`);
    await bed.ask(path).catch(() => undefined);
    bed.target.respond = (_request, socket) =>
      socket.write('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nfull');
    assert.is((await bed.ask(path)).body.toString(), 'full');
  }
});

test('replies with Set-Cookie are not stored with a ttl', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nttl = "60s"\n');
  bed.origin = () => ({ fields: { 'set-cookie': 'session=1' } });
  await bed.ask('/a');
  await bed.ask('/a');
  assert.is(bed.asked, 2);
});

test('errors of gw itself are not stored', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nttl = "60s"\nnegative = { 502 = "60s" }\n');
  bed.target.respond = (_request, socket) => socket.destroy();
  assert.is((await bed.ask('/a')).status, 502);
  bed.target.respond = (_request, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await bed.ask('/a')).body.toString(), 'ok');
});

test('negative caching: errors of the origin are stored for as long as the spec says', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nnegative = { 404 = "10s" }\n');
  bed.origin = () => ({ status: 404, body: 'none' });
  await bed.ask('/a');
  bed.pass(9);
  assert.ok(isHit(await bed.ask('/a')));
  bed.pass(2);
  assert.not(isHit(await bed.ask('/a')));
});

test.run();
