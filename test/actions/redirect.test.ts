import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../src/lint/index.js';
import { runner } from './kit.js';

const HEAD = `spec = 1
[listener.plain]
address = "127.0.0.1:8080"
trusted_proxies = ["10.0.0.0/8"]
[listener.secure]
address = "127.0.0.1:8443"
tls = { cert = "cert.pem", key = "key.pem" }
`;

test('HTTP goes to HTTPS with method, path and query', async () => {
  const run = runner(
    `${HEAD}[[route]]\nmatch = "/{rest...}"\nlisteners = ["plain"]\nredirect = { scheme = "https", status = 308 }\n`,
  );
  const reply = await run('POST /a/b%20c?x=1&y=%C3%A4', { host: 'shop.example:8080' });
  assert.is(reply.status, 308);
  assert.is(reply.headers.get('location'), 'https://shop.example/a/b%20c?x=1&y=%C3%A4');
  assert.is(reply.body, '');
});

test('behind a TLS terminator that gw trusts, a request over HTTPS is not redirected to itself', async () => {
  const run = runner(`${HEAD}[[route]]\nmatch = "/{rest...}"\nredirect = { scheme = "https" }\n`);
  const headers = { host: 'shop.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' };
  const looped = await run('GET /a?x=1', headers, { remoteAddress: '10.0.0.1' });
  assert.equal([looped.status, looped.error], [508, 'redirect/loop']);
  const untrusted = await run('GET /a?x=1', headers);
  assert.is(untrusted.headers.get('location'), 'https://shop.example/a?x=1');
});

test('with a condition on the scheme, only requests over http are redirected', async () => {
  const run = runner(
    `${HEAD}[[route]]\nmatch = { path = "/{rest...}", scheme = "http" }\nredirect = { scheme = "https" }\n[[route]]\nmatch = "/{rest...}"\nreply = { body = "here" }\n`,
  );
  const forwarded = { host: 'shop.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' };
  assert.is((await run('GET /a', forwarded, { remoteAddress: '10.0.0.1' })).body, 'here');
  assert.is((await run('GET /a', forwarded)).headers.get('location'), 'https://shop.example/a');
  assert.is((await run('GET /a', { host: 'shop.example' })).status, 302);
  assert.is((await run('GET https://shop.example/a')).body, 'here', 'an https URL is for the listener with TLS');
  assert.is((await run('GET http://shop.example/a')).headers.get('location'), 'https://shop.example/a');
});

test('a redirect to another scheme that takes requests with this scheme is a warning', () => {
  const found = (match: string, more = '', redirect = '{ scheme = "https" }') =>
    checkSpec({ path: 'gateway.toml', text: `${HEAD}[[route]]\nmatch = ${match}\nredirect = ${redirect}\n${more}` })
      .diagnostics.filter(({ code }) => code === 'redirect/loop')
      .map(({ message }) => message);
  assert.match(found('"/x"')[0] ?? '', 'also takes requests over https');
  assert.is(found('"/x"', 'listeners = ["plain"]\n').length, 1, 'its trusted proxies report https');
  assert.is(found('"/x"', 'listeners = ["secure"]\n').length, 1);
  assert.equal(found('{ path = "/x", scheme = "http" }'), []);
  assert.equal(found('"/x"', '', '{ scheme = "https", host = "b.example" }'), []);
  assert.equal(found('"/x"', '', '"https://b.example/"'), []);
  assert.is(found('"/x"', 'listeners = ["plain"]\n', '{ scheme = "http" }').length, 1);
  assert.equal(found('"/x"', 'listeners = ["secure"]\n', '{ scheme = "http" }'), []);
});

test('parts of the URL are changed one by one', async () => {
  const to = async (redirect: string, url = 'GET /old/7?q=1', host = 'a.example:8080') => {
    const run = runner(`${HEAD}[[route]]\nmatch = "/old/{id}"\nlisteners = ["plain"]\nredirect = ${redirect}\n`);
    return (await run(url, { host })).headers.get('location');
  };
  assert.is(await to('{ host = "b.example" }'), 'http://b.example/old/7?q=1');
  assert.is(await to('{ port = 9000 }'), 'http://a.example:9000/old/7?q=1');
  assert.is(await to('{ scheme = "https", port = 8443 }'), 'https://a.example:8443/old/7?q=1');
  assert.is(await to('{ path = "/new/{id}" }'), '/new/7?q=1');
  assert.is(await to('{ path = "/new/{id}", keep_query = false }'), '/new/7');
  assert.is(await to('"/new/{id}?a=b#top"'), '/new/7?a=b&q=1#top');
  assert.is(await to('"https://b.example/{id}"', 'GET /old/a%2Fb'), undefined, 'an encoded slash has no route');
  assert.is(await to('"https://b.example/{id}"', 'GET /old/%C3%A4%20'), 'https://b.example/%C3%A4%20');
});

test('a path cannot become a host', async () => {
  const run = runner(
    `${HEAD}[normalize]\ndouble_slashes = "keep"\n[[route]]\nmatch = "/go/{rest...}"\nredirect = "/{rest}"\n[[route]]\nmatch = "/{rest...}"\nredirect = { path = "{request.path}", keep_query = true, status = 301 }\n`,
  );
  assert.is((await run('GET /go//evil.example/x')).headers.get('location'), '/.//evil.example/x');
  const same = await run('GET /x');
  assert.is(same.error, 'redirect/loop');
});

test('a request without a host gets 400 where the location needs one', async () => {
  const run = runner(`${HEAD}[[route]]\nmatch = "/x"\nlisteners = ["plain"]\nredirect = { scheme = "https" }\n`);
  const reply = await run('GET /x', {}, { version: '1.0' });
  assert.equal([reply.status, reply.error], [400, 'redirect/host']);
});

const codesOf = (redirect: string): string[] =>
  checkSpec({
    path: 'gateway.toml',
    text: `${HEAD}[[route]]\nmatch = "/old/{id}/{rest...}"\nredirect = ${redirect}\n`,
  })
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code }) => code);

test('a location whose host the client could choose is an error', () => {
  for (const open of [
    '{id}',
    'https://{id}',
    'https://{id}/',
    '//{id}/x',
    'https://a.example{rest}',
    '{request.query}',
  ])
    assert.equal(codesOf(JSON.stringify(open)), ['redirect/open'], open);
  assert.equal(codesOf('"https://{request.header.x-host}/"'), ['redirect/open']);
  assert.equal(codesOf('"https://{id}.{rest}.example/"'), ['redirect/open']);
  for (const closed of [
    'https://{id}.example.com/',
    'https://a.example{request.path}',
    'https://{request.host}/x',
    '{request.scheme}://{request.host}/x',
    '/{rest}',
    '{request.path}/x',
    'https://a.example/?next={id}',
  ])
    assert.equal(codesOf(JSON.stringify(closed)), [], closed);
});

test('a redirect has one location, which is a URL or a path', () => {
  assert.equal(codesOf('{}'), ['redirect/location']);
  assert.equal(codesOf('{ location = "/x", host = "a.example" }'), ['redirect/location']);
  for (const bad of ['x', 'ftp://a.example/', 'javascript:alert(1)', '/a b', '/ä', 'https://'])
    assert.equal(codesOf(JSON.stringify(bad)), ['redirect/location'], bad);
  assert.equal(codesOf('{ path = "x" }'), ['redirect/location']);
  assert.equal(codesOf('"/{nope}"'), ['template/unknown-variable']);
  assert.equal(codesOf('"/{id"'), ['template/syntax']);
  assert.equal(codesOf('{ location = "/x", status = 304 }'), ['schema/value']);
});

test.run();
