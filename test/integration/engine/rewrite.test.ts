import * as assert from 'uvu/assert';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('rewrites of path and query');

const H = 'Host: a\r\n';
const routes = (...lines: [match: string, setting: string][]): string =>
  lines.map(([match, setting]) => `[[route]]\nmatch = "${match}"\nto = "it"\n${setting}\n`).join('');

test('a rewrite sets query parameters first and removes client parameters of the same name', async (context) => {
  const { target, plane } = context;
  const more = routes(
    ['GET /orders/{id}', 'rewrite = "/search?id={id}&sort=asc"'],
    ['GET /bare/{id}', 'rewrite = "/bare?"'],
    ['GET /under/{rest...}', 'rewrite = "/all?path={rest}&from={request.path}"'],
    ['GET /whole', 'rewrite = "/whole?{request.query}&x=1"'],
    ['GET /kept', 'rewrite = "{request.path}/v2"'],
  );
  await plane.load(specOf(target.url, { more }));
  for (const [asked, sent] of [
    ['/orders/7', '/search?id=7&sort=asc'],
    ['/orders/7?page=2', '/search?id=7&sort=asc&page=2'],
    ['/orders/7?id=8&page=2&%69d=9&&sort', '/search?id=7&sort=asc&page=2'],
    // Characters that a path may contain unescaped would end the value in a query.
    ['/orders/a&b=c+d;e%26%3d%20%C3%A9', '/search?id=a%26b%3Dc%2Bd%3Be%26%3D%20%C3%A9&sort=asc'],
    ["/orders/it's(1)!*", '/search?id=it%27s%281%29%21%2A&sort=asc'],
    ['/orders/%FF', '/search?id=%FF&sort=asc'],
    ['/bare/1?x=1', '/bare'],
    ['/under/a/b?z', '/all?path=a%2Fb&from=%2Funder%2Fa%2Fb&z'],
    ['/under/', '/all?path=&from=%2Funder%2F'],
    ['/whole?a=1&b', '/whole?a=1&b&x=1'],
    ['/whole?x=2', '/whole?x=2&x=1'],
    ['/whole', '/whole?&x=1'],
    ['/kept?q', '/kept/v2?q'],
  ] as const) {
    assert.is((await plane.ask(`GET ${asked} HTTP/1.1\r\n${H}\r\n`)).status, 200, asked);
    assert.is(target.arrived.at(-1)!.url, sent, asked);
  }
});

test('an empty remaining path gives the base path of the target without a trailing slash', async (context) => {
  const { target, plane } = context;
  const more = routes(
    ['/api', 'strip_prefix = "/api"'],
    ['/api/{rest...}', 'strip_prefix = "/api"'],
    ['/root', 'rewrite = "/"'],
  );
  for (const base of ['/base', '/base/']) {
    await plane.load(specOf(target.url + base, { more }));
    for (const [asked, sent] of [
      ['/api', '/base'],
      ['/api?x', '/base?x'],
      ['/api/', '/base/'],
      ['/api/y?x', '/base/y?x'],
      ['/root', '/base/'],
    ] as const) {
      await plane.ask(`GET ${asked} HTTP/1.1\r\n${H}\r\n`);
      assert.is(target.arrived.at(-1)!.url, sent, asked);
    }
  }
  await plane.load(specOf(target.url, { more }));
  await plane.ask(`GET /api?x HTTP/1.1\r\n${H}\r\n`);
  assert.is(target.arrived.at(-1)!.url, '/?x');
});

test('an impossible rewrite: 400 for a value from the request, 500 for any other value', async (context) => {
  const { target, plane } = context;
  const more = routes(
    ['GET /by-header', 'rewrite = "/t/{request.header.x-tenant}/files"'],
    ['GET /by-consumer', 'rewrite = "/t/{consumer.name}/files"'],
    ['GET /both', 'rewrite = "/t/{consumer.name}/{request.header.x-tenant}/files"'],
  );
  await plane.load(specOf(target.url, { more }));
  const ask = async (path: string, tenant: string): Promise<[number, unknown]> => {
    const reply = await plane.ask(`GET ${path} HTTP/1.1\r\n${H}X-Tenant: ${tenant}\r\n\r\n`);
    return [reply.status, reply.status === 200 ? undefined : JSON.parse(reply.body.toString()).type];
  };
  assert.equal(await ask('/by-header', 'one'), [200, undefined]);
  assert.equal(await ask('/by-header', '..'), [400, 'urn:gw:problem:request/rewrite']);
  assert.equal(await ask('/by-header', 'a/b'), [400, 'urn:gw:problem:request/rewrite']);
  assert.equal(await ask('/by-consumer', 'one'), [500, 'urn:gw:problem:route/rewrite']);
  assert.equal(await ask('/both', 'one'), [500, 'urn:gw:problem:route/rewrite']);
  assert.is(target.arrived.length, 1);
});

test('non-ASCII bytes of a header value are percent-encoded once in a rewrite', async ({ target, plane }) => {
  const more = routes(['GET /t', 'rewrite = "/t/{request.header.x-tenant}?t={request.header.x-tenant}"']);
  await plane.load(specOf(target.url, { more }));
  await plane.ask(`GET /t HTTP/1.1\r\n${H}X-Tenant: ${Buffer.from('é').toString('latin1')}\r\n\r\n`);
  assert.is(target.arrived[0]!.url, '/t/%C3%A9?t=%C3%A9');
});

test('the first value of a repeated query parameter decides, independent of route order', async (context) => {
  const { target, plane } = context;
  const one = '[[route]]\nmatch = { path = "/q", query = { q = "1" } }\nreply = { status = 201 }\n';
  const two = '[[route]]\nmatch = { path = "/q", query = { q = "2" } }\nreply = { status = 202 }\n';
  for (const more of [one + two, two + one]) {
    await plane.load(specOf(target.url, { more }));
    const status = async (query: string): Promise<number> =>
      (await plane.ask(`GET /q?${query} HTTP/1.1\r\n${H}\r\n`)).status;
    assert.is(await status('q=1&q=2'), 201);
    assert.is(await status('q=2&q=1'), 202);
    assert.is(await status('x&%71=2&q=1'), 202);
    assert.is(await status('q=3&q=1'), 200);
    assert.is(await status('q&q=1'), 200);
  }
});

test('a non-ASCII header condition matches the UTF-8 bytes that clients send', async ({ target, plane }) => {
  const more =
    '[[route]]\nmatch = { path = "/h", headers = { x = "é" } }\nreply = { status = 201 }\n' +
    '[[route]]\nmatch = { path = "/h", headers = { x = { matches = "[ü-ÿ]+" } } }\nreply = { status = 202 }\n';
  await plane.load(specOf(target.url, { more }));
  const status = async (value: string): Promise<number> =>
    (await plane.ask(`GET /h HTTP/1.1\r\n${H}X: ${Buffer.from(value).toString('latin1')}\r\n\r\n`)).status;
  assert.is(await status('é'), 201);
  assert.is(await status('üý'), 202);
  assert.is(await status('e'), 200);
});

test('a template percent-encodes values in a URL', async ({ target, plane }) => {
  const moved = (match: string, location: string): string =>
    `[[route]]\nmatch = "${match}"\nreply = { status = 308 }\n` +
    `policies = [{ use = "headers", reply.set = { Location = "${location}" } }]\n`;
  const more =
    '[normalize]\ndouble_slashes = "keep"\nencoded_slashes = "keep"\n' +
    moved('/a/{id}', '/b/{id}?from={id}') +
    moved('/t/{rest...}', '/{rest}') +
    moved('/p/{rest...}', '{request.path}?{request.query}') +
    moved('/h', 'https://x.example/?t={request.header.x-t}') +
    moved('/w', '{request.header.x-t}/x') +
    moved('/s', '{request.scheme}://{request.header.host}{request.path}');
  await plane.load(specOf(target.url, { more }));
  for (const [path, location] of [
    ['/a/%3Fx%23y%26%0d'.replace('%0d', '%20'), '/b/%3Fx%23y%26%20?from=%3Fx%23y%26%20'],
    ['/a/x%2F..y', '/b/x%2F..y?from=x%2F..y'],
    ['/t//evil.example', '/.//evil.example'],
    ['/t/%5Cevil.example', '/%5Cevil.example'],
    ['//p/x', undefined],
    ['/p/x?a=b&c', '/p/x?a=b&c'],
    ['/h', 'https://x.example/?t=a%26b%3D%3Fc%2F%C3%A9'],
    ['/w', `a&b=?c/${Buffer.from('é').toString('latin1')}/x`],
    ['/s', 'http://a:81/s'],
  ] as const) {
    const reply = await plane.ask(
      `GET ${path} HTTP/1.1\r\nHost: a:81\r\nX-T: a&b=?c/${Buffer.from('é').toString('latin1')}\r\n\r\n`,
    );
    assert.is(reply.header('location'), location, path);
  }
});

test.run();
