/** Edits of transform over sockets: path, query, fields and cookies of requests; status, links, cookies and fields of replies. */
import * as assert from 'uvu/assert';
import { say } from '../support/fault-target.js';
import { specOf } from './engine-kit.js';
import { type EngineContext, engineSuite } from './engine-suite.js';

const test = engineSuite('transform');

const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

/** The routes of a spec, each with its own transform policy. */
const route = (match: string, edits: string, more = ''): string =>
  `[[route]]\nmatch = "${match}"\nto = "it"\n${more}\n[[route.policies]]\nuse = "transform"\n${edits}\n`;

async function load({ plane, target }: EngineContext, more: string, base = ''): Promise<void> {
  await plane.load(specOf(target.url + base, { more }));
}

/** What the target gets for a path: its URL, or the status of gw's answer. */
async function sent({ plane, target }: EngineContext, path: string, ...fields: string[]): Promise<string> {
  const before = target.arrived.length;
  const { status } = await plane.ask(get(path, ...fields));
  return target.arrived.length === before ? String(status) : target.arrived.at(-1)!.url;
}

test('the path of the target is a template with parameters, and encoded', async (context) => {
  await load(
    context,
    route('/orders/{id}', 'request.path = "/v2/order-{id}.json"') +
      route('/tenant/{rest...}', 'request.path = "/t/{request.header.x-tenant}/{rest}"') +
      route('/added/{rest...}', 'request.path = "/v3{request.path}"'),
    '/base',
  );
  for (const [path, url, ...fields] of [
    ['/orders/7?a=1', '/base/v2/order-7.json?a=1'],
    ['/orders/a%20b', '/base/v2/order-a%20b.json'],
    ['/tenant/a/b', '/base/t/acme%20x/a/b', 'X-Tenant: acme x'],
    ['/tenant/', '/base/t/acme/', 'X-Tenant: acme'],
    ['/added/x', '/base/v3/added/x'],
    // A value that would change the segments of the path.
    ['/tenant/a', '400', 'X-Tenant: ..'],
    ['/tenant/a', '400', 'X-Tenant: a/b'],
    ['/tenant/a', '400'],
  ] as const)
    assert.is(await sent(context, path, ...fields), url, path);
  const refused = await context.plane.ask(get('/tenant/a', 'X-Tenant: a/b'));
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:transform/path');
});

test('patterns capture parts of the path that the target would get', async (context) => {
  const rules = `request.path = [
    { from = "/report-{year}-{month}.{format}", to = "/r/{format}/{year}/{month}" },
    { from = "/{kind}/list", to = "/{kind}s" },
    { from = "/files/{rest...}", to = "/storage/{tenant}/{rest}" },
  ]`;
  await load(context, route('/api/{tenant}/{rest...}', rules, 'rewrite = "/{rest}"'));
  for (const [path, url] of [
    ['/api/acme/report-2026-11.tar.gz', '/r/tar.gz/2026/11'],
    ['/api/acme/report-2026.csv', '/report-2026.csv'],
    ['/api/acme/order/list?x', '/orders?x'],
    ['/api/acme/files/a/b%20c', '/storage/acme/a/b%20c'],
    ['/api/acme/files/', '/storage/acme/'],
    ['/api/acme/files', '/files'],
    ['/api/acme/other', '/other'],
  ] as const)
    assert.is(await sent(context, path), url, path);
});

test('the query: allow, remove, rename, set, add', async (context) => {
  await load(
    context,
    route('/allow', 'request.query = { allow = ["a", "b c"], rename = { a = "A" } }') +
      route(
        '/set',
        'request.query = { remove = ["x"], set = { t = "{request.header.x-t}/1" }, add = { more = "a&b" } }',
      ) +
      route('/param/{id}', 'request.query.set = { id = "{id}", none = "{consumer.name}" }') +
      route('/rename', 'request.query.rename = { q = "search" }'),
  );
  for (const [path, url] of [
    ['/allow?a=1&x=2&b%20c=3&b+c=4&&a', '/allow?A=1&b%20c=3&b+c=4&A'],
    ['/allow?x', '/allow'],
    ['/set?x=1&%78=2&t=forged&keep=%zz', '/set?keep=%zz&t=%2F1&more=a%26b'],
    ['/param/a%20b&c?id=2&none=1', '/param/a%20b&c?id=a%20b%26c'],
    ['/rename?search=1&q=2', '/rename?q=2'.replace('q=', 'search=')],
    ['/rename?search=1', '/rename?search=1'],
  ] as const)
    assert.is(await sent(context, path), url, path);
});

test('names that are swapped: parameters, fields and cookies keep their values', async (context) => {
  const swap = '{ a = "b", b = "c", c = "a" }';
  await load(
    context,
    route('/x', `request.query.rename = ${swap}\nrequest.headers.rename = ${swap}\nrequest.cookies.rename = ${swap}`),
  );
  await context.plane.ask(get('/x?a=1&b=2&c=3', 'A: 1', 'B: 2', 'C: 3', 'Cookie: a=1; b=2; c=3'));
  const got = context.target.arrived[0]!;
  assert.is(got.url, '/x?b=1&c=2&a=3');
  assert.equal([got.header('b'), got.header('c'), got.header('a')], ['1', '2', '3']);
  assert.is(got.header('cookie'), 'b=1; c=2; a=3');
});

test('a masked parameter is masked in records also if it gets another name', async (context) => {
  const mask = '[[route.policies]]\nuse = "mask"\nlogs = [{ query = ["email"] }]\n';
  await load(context, route('/x', 'request.query.rename = { email = "mail" }') + mask);
  assert.is(await sent(context, '/x?email=smith'), '/x?mail=smith');
  const record = await context.plane.record(({ url }) => url.startsWith('/x'));
  assert.is(record.url, '/x?email=***');
});

test('fields and cookies of the request', async (context) => {
  await load(
    context,
    route(
      '/x',
      `request.headers = { rename = { X-Old = "x-new" }, remove = ["x-gone"], set = { x-id = "{request.path}" } }
request.cookies = { allow = ["sid", "lang", "keep"], rename = { sid = "SESSION" }, set = { lang = "a b" } }`,
    ),
  );
  await context.plane.ask(
    get(
      '/x',
      'X-Old: 1',
      'x-old: 2',
      'X-New: theirs',
      'X-Gone: 1',
      'Cookie: sid=s; ad=1; lang=de; keep="q"; SESSION=forged',
    ),
  );
  const got = context.target.arrived[0]!;
  assert.is(got.header('x-new'), '1, 2');
  assert.is(got.header('x-old'), undefined);
  assert.is(got.header('x-gone'), undefined);
  assert.is(got.header('x-id'), '/x');
  assert.is(got.header('cookie'), 'SESSION=s; keep="q"; lang=a%20b');
  await context.plane.ask(get('/x', 'X-New: theirs'));
  assert.is(context.target.arrived[1]!.header('x-new'), 'theirs');
  assert.is(context.target.arrived[1]!.header('cookie'), 'lang=a%20b');
});

test('the status of the target is mapped, and the framing fits it', async (context) => {
  await load(context, route('/x', 'reply.status = { 404 = 410, 4XX = 400, 5XX = 502, 204 = 200, 201 = 204 }'));
  for (const [given, status, body] of [
    ['404 Not Found\r\nContent-Length: 2\r\n\r\nno', 410, 'no'],
    ['418 No\r\nContent-Length: 2\r\n\r\nno', 400, 'no'],
    ['503 No\r\nContent-Length: 2\r\n\r\nno', 502, 'no'],
    ['204 No Content\r\n\r\n', 200, ''],
    ['201 Created\r\nContent-Length: 2\r\n\r\nid', 204, ''],
    ['304 Not Modified\r\n\r\n', 304, ''],
    ['200 OK\r\nContent-Length: 2\r\n\r\nok', 200, 'ok'],
  ] as const) {
    context.target.respond = say(`HTTP/1.1 ${given}`);
    const client = context.plane.client();
    // Two requests on one connection: the second one shows that the framing of the first reply was right.
    for (let count = 0; count < 2; count++) {
      client.send(get('/x'));
      const reply = await client.reply();
      assert.equal([reply.status, reply.body.toString()], [status, body], given);
    }
    client.destroy();
  }
});

/** The fields of the reply to a path, for a target that sends these lines. */
async function answered(context: EngineContext, path: string, lines: string): Promise<(name: string) => string[]> {
  context.target.respond = say(`HTTP/1.1 302 Found\r\n${lines}\r\nContent-Length: 0\r\n\r\n`);
  const { fields } = await context.plane.ask(get(path));
  return (name) => fields.filter(([each]) => each === name).map(([, value]) => value);
}

test('links lead back behind the prefix that the route strips', async (context) => {
  await load(context, route('/api/{rest...}', 'reply.links = {}', 'strip_prefix = "/api"'), '/app');
  const { url } = context.target;
  for (const [given, expected] of [
    ['/app/orders/8?x#y', '/api/orders/8?x#y'],
    ['/app', '/api'],
    [`${url}/app/orders/8`, '/api/orders/8'],
    [`${url.toUpperCase().replace('HTTP', 'http')}/app/`, '/api/'],
    ['http://shop.example/app/o', 'http://shop.example/api/o'],
    ['http://shop.example/api/o', 'http://shop.example/api/o'],
    ['https://shop.example:443/app/o', 'https://shop.example:443/api/o'],
    // Not under the base path of the target, relative, or of another host.
    ['/other', '/other'],
    ['/application', '/application'],
    ['orders/8', 'orders/8'],
    ['?page=2', '?page=2'],
    ['https://elsewhere.example/app/x', 'https://elsewhere.example/app/x'],
    ['mailto:a@b.example', 'mailto:a@b.example'],
    ['//elsewhere.example/app', '//elsewhere.example/app'],
  ] as const) {
    const of = await answered(context, '/api/orders', `Location: ${given}`);
    assert.equal(of('location'), [expected], given);
  }
  const of = await answered(
    context,
    '/api/orders',
    `Content-Location: /app/1\r\nLink: </app/2>; rel="next,<x>", <b>; rel=prev\r\nRefresh: 5; URL='/app/3'`,
  );
  assert.equal(of('content-location'), ['/api/1']);
  assert.equal(of('link'), ['</api/2>; rel="next,<x>", <b>; rel=prev']);
  assert.equal(of('refresh'), ["5; URL='/api/3'"]);
});

test('a mapped path never becomes another host', async (context) => {
  await load(context, route('/dir/{rest...}', 'reply.links = {}'));
  const of = await answered(context, '/dir/x', `Location: ${context.target.url}//evil.example/x`);
  assert.equal(of('location'), ['/.//evil.example/x']);
});

test('a mapped path that browsers would read as another host is not one', async (context) => {
  await load(context, route('/x', 'reply.links = {}'), '/app');
  for (const path of ['/\\evil.example/x', '/\t/evil.example/x', '\\evil.example']) {
    const of = await answered(context, '/x', `Location: /app${path}`);
    const client = new URL(of('location')[0]!, 'http://shop.example/');
    assert.is(client.host, 'shop.example', path);
  }
});

test('links follow the path of a policy, and the map of the spec counts first', async (context) => {
  await load(
    context,
    route('/v1/{rest...}', 'request.path = "/legacy{request.path}"\nreply.links = {}') +
      route('/shop/{rest...}', 'request.path = "/{rest}"\nreply.links = {}') +
      route(
        '/mapped/{rest...}',
        `request.path = "/x/{rest}/y"
reply.links.map = { "http://old.example:80/a/" = "https://new.example/b", "/x" = "/mapped", "/" = "/rest/" }`,
      ),
  );
  for (const [path, given, expected] of [
    ['/v1/a', '/legacy/v1/b', '/v1/b'],
    ['/v1/a', '/other', '/other'],
    ['/shop/a', '/b', '/shop/b'],
    ['/mapped/a', 'http://OLD.example/a/c?d', 'https://new.example/b/c?d'],
    ['/mapped/a', 'http://old.example/ab', 'http://old.example/ab'],
    ['/mapped/a', '/x/q', '/mapped/q'],
    ['/mapped/a', '/z', '/rest/z'],
  ] as const) {
    const of = await answered(context, path, `Location: ${given}`);
    assert.equal(of('location'), [expected], `${path} ${given}`);
  }
});

test('cookies of the reply: attributes, removal, and their place', async (context) => {
  const edits = `reply.links = {}
reply.cookies = { remove = ["debug"], names = ["a", "__Host-h"], path = "/set", domain = "example.com", secure = true, http_only = true, same_site = "lax" }`;
  await load(
    context,
    route('/api/{rest...}', edits, 'strip_prefix = "/api"') +
      route('/plain', 'reply.cookies = { domain = "", secure = false, http_only = false, same_site = "strict" }'),
  );
  const of = await answered(
    context,
    '/api/x',
    'Set-Cookie: a=1; Path=/; SameSite=None; HttpOnly\r\nSet-Cookie: debug=1\r\nSet-Cookie: b=2, 3; path=/sub; Domain=127.0.0.1; Expires=Mon, 30 Nov 2026 10:00:00 GMT\r\nSet-Cookie: __Host-h=1; Secure; Path=/\r\nSet-Cookie: c=1; Domain=other.example; Path=/',
  );
  assert.equal(of('set-cookie'), [
    'a=1; HttpOnly; Path=/set; Domain=example.com; Secure; SameSite=Lax',
    'b=2, 3; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/api/sub',
    '__Host-h=1; Secure; Path=/; HttpOnly; SameSite=Lax',
    'c=1; Domain=other.example; Path=/api',
  ]);
  const plain = await answered(
    context,
    '/plain',
    'Set-Cookie: a=1; Domain=x; Secure; HttpOnly\r\nSet-Cookie: __Secure-b=1; Secure; domain=x\r\nSet-Cookie: __Host-Http-c=1; Secure; HttpOnly; Path=/',
  );
  assert.equal(plain('set-cookie'), [
    'a=1; SameSite=Strict',
    '__Secure-b=1; Secure; SameSite=Strict',
    '__Host-Http-c=1; Secure; HttpOnly; Path=/; SameSite=Strict',
  ]);
});

test('fields of the reply, also of a reply that gw makes for an action, but not of an error of gw', async (context) => {
  const edits =
    'reply.headers = { set = { x-status = "{reply.status}" }, rename = { x-old = "x-new" }, remove = ["server"] }';
  await load(context, route('/x', `${edits}\nreply.status = { 302 = 303 }`));
  const of = await answered(context, '/x', 'Server: small\r\nX-Old: 1\r\nX-New: 2');
  assert.equal([of('x-status'), of('x-new'), of('x-old'), of('server')], [['303'], ['1'], [], []]);
  await context.plane.load(
    specOf('http://127.0.0.1:1', { more: route('/x', `${edits}\nreply.status = { 5XX = 500 }`) }),
  );
  const failed = await context.plane.ask(get('/x'));
  assert.equal([failed.status, failed.header('x-status')], [502, undefined]);
});

test.run();
