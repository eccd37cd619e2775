/** RFC 9110 and 9112 rules for unusual but valid requests, and limits of rewritten paths. */
import * as assert from 'uvu/assert';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const H = 'Host: a.example\r\n';

const test = engineSuite('conformance', { listener: 'header_timeout = "150ms"' });

test('a rejected HEAD gets no body, all other methods get one', async ({ plane }) => {
  for (const [request, body] of [
    ['HEAD / HTTP/1.1\r\n\r\n', false],
    [`\r\nHEAD / HTTP/1.1\r\n${H}X : 1\r\n\r\n`, false],
    [`HEAD / HTTP/1.1\r\n${H}X: ${'x'.repeat(40_000)}\r\n\r\n`, false],
    ['HEAD / HTTP/1.1\r\nHo', false],
    ['HEADER / HTTP/1.1\r\n\r\n', true],
    ['GET / HTTP/1.1\r\n\r\n', true],
  ] as const) {
    const client = plane.client();
    // A different method first, so that state of an earlier request would show.
    client.send(`${body ? 'HEAD' : 'GET'} / HTTP/1.1\r\n${H}\r\n`);
    assert.is((await client.reply({ head: body })).status, 200);
    client.send(request);
    const reply = await client.reply({ head: true });
    assert.ok(reply.status >= 400);
    assert.ok(Number(reply.header('content-length')) > 0);
    await client.end();
    assert.is(client.pending.length, body ? Number(reply.header('content-length')) : 0, request.slice(0, 20));
    client.destroy();
  }
});

test('an empty Expect list and empty members are ignored', async ({ target, plane }) => {
  const ask = (expect: string) => plane.ask(`POST / HTTP/1.1\r\n${H}Expect:${expect}\r\nContent-Length: 2\r\n\r\nab`);
  for (const nothing of ['', ' ,', ',\t, ']) {
    assert.is((await ask(nothing)).status, 200, nothing);
    assert.is(target.arrived.at(-1)!.header('expect'), undefined, nothing);
  }
  for (const go of ['100-continue', ' ,100-Continue\t,', '100-continue, 100-continue']) {
    assert.is((await ask(go)).status, 200, go);
    assert.is(target.arrived.at(-1)!.header('expect'), '100-continue', go);
  }
  for (const other of [' 100-continue, x', 'x,', ' 100-continue;a', '"100-continue"', ' 100-continue 100-continue'])
    assert.is((await ask(other)).status, 417, other);
  assert.is(target.arrived.length, 6);
});

test('an empty line after a body does not begin a request, so there is no 408', async ({ plane }) => {
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nab\r\n`);
  assert.is((await client.reply()).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.not(client.ended);
  client.send(`GET / HTTP/1.1\r\n${H}\r\n`);
  assert.is((await client.reply()).status, 200);
  client.send('\r\nGET / HT');
  assert.is((await client.reply()).status, 408);
  client.destroy();
  const silent = plane.client();
  silent.send('\r\n');
  await silent.end();
  assert.is(silent.pending, '');
});

test('repeated equal Content-Type or Authorization fields are merged; different ones are refused', async ({
  target,
  plane,
}) => {
  await plane.load(
    specOf(target.url, {
      route: 'policies = [{ use = "headers", request.set = { x-seen = "{request.header.content-type}" } }]',
    }),
  );
  const ask = async (fields: string) => (await plane.ask(`GET / HTTP/1.1\r\n${H}${fields}X-Last: 1\r\n\r\n`)).status;
  assert.is(await ask('X_A: 1\r\nContent-Type: a/b\r\nX: 1\r\ncontent-type:a/b \r\nContent-Type: a/b\r\n'), 200);
  const { head, header } = target.arrived[0]!;
  assert.equal(head.match(/content-type: .*/gi), ['Content-Type: a/b']);
  assert.is(header('x-seen'), 'a/b');
  assert.is(header('x'), '1');
  assert.is(header('x-last'), '1');
  assert.is(await ask('Authorization: Basic eDp5\r\nAuthorization: Basic eDp5\r\n'), 200);
  assert.equal(target.arrived[1]!.head.match(/authorization: .*/gi), ['Authorization: Basic eDp5']);
  for (const fields of [
    'Content-Type: a/b\r\nContent-Type: a/c\r\n',
    'Content-Type: a/b\r\nContent-Type: A/b\r\n',
    'Content-Type: a/b\r\nContent-Type:\r\n',
    'Authorization: a\r\nAuthorization: a\r\nAuthorization: b\r\n',
  ])
    assert.is(await ask(fields), 400, fields);
  assert.is(target.arrived.length, 2);
});

test('a Host with an empty label: 400', async ({ target, plane }) => {
  for (const host of ['a..example', 'a..', '..', '.a', 'a.example..:80'])
    assert.is((await plane.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status, 400, host);
  assert.is((await plane.ask('GET / HTTP/1.1\r\nHost: a.example.:80\r\n\r\n')).status, 200);
  assert.is(target.arrived.at(-1)!.header('host'), 'a.example:80');
});

test('the authority of an absolute-form target overrides the Host field everywhere', async ({ target, plane }) => {
  const route = 'policies = [{ use = "headers", request.set = { x-seen = "{request.header.host} {request.host}" } }]';
  const more =
    '[[route]]\nmatch = { path = "/{rest...}", headers = { host = "inner.example" } }\nreply = { status = 418 }';
  await plane.load(specOf(target.url, { route, more }));
  const ask = async (url: string, host: string) =>
    (await plane.ask(`GET ${url} HTTP/1.1\r\nX: 1\r\nHost: ${host}\r\n\r\n`)).status;
  assert.is(await ask('/', 'inner.example'), 418);
  assert.is(await ask('http://inner.example/', 'a.example'), 418);
  assert.is(await ask('http://a.example:81/', 'inner.example'), 200);
  assert.is(target.arrived[0]!.header('host'), 'a.example:81');
  assert.is(target.arrived[0]!.header('x-seen'), 'a.example:81 a.example');
  assert.is((await plane.ask('GET http://inner.example/ HTTP/1.0\r\n\r\n')).status, 418);
});

test('a variable in a rewrite cannot leave the path of the route', async ({ target, plane }) => {
  const rewrite = 'rewrite = "/tenants/{request.header.x-tenant}/files/{param.rest}"';
  await plane.load(specOf(target.url, { route: rewrite }));
  const ask = async (tenant: string) =>
    (await plane.ask(`GET /a/b HTTP/1.1\r\n${H}X-Tenant: ${tenant}\r\n\r\n`)).status;
  assert.is(await ask('one'), 200);
  assert.is(target.arrived[0]!.url, '/tenants/one/files/a/b');
  for (const tenant of ['..', '.', '..;x', '../..', '..\\x', '%2e%2e/..']) assert.is(await ask(tenant), 400, tenant);
  assert.is(await ask('..a'), 200);
  // An empty tenant would shift the path segments.
  assert.is(await ask(''), 400);
  assert.is(target.arrived.length, 2);
  await plane.load(specOf(target.url, { route: 'rewrite = "/a-{request.header.x-tenant}/{request.query}"' }));
  assert.is(await ask(''), 200);
  assert.is(target.arrived[2]!.url, '/a-/');
});

test('a rewrite with an unknown variable fails at load', async ({ target, plane }) => {
  const text = specOf(target.url, { route: 'rewrite = "/{request.nothing}"' });
  await plane.load(text).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), /No variable is named "request.nothing"/),
  );
  assert.is((await plane.ask(`GET / HTTP/1.1\r\n${H}\r\n`)).status, 200);
});

test('a 304 created by gw has the same fields with and without policies', async ({ target, plane }) => {
  const reply = `reply = { status = 304, headers = { etag = '"1"' } }`;
  const more =
    `[[route]]\nmatch = "/plain"\n${reply}\n` +
    `[[route]]\nmatch = "/with"\n${reply}\npolicies = [{ use = "headers", request.set = { x-a = "1" } }]\n` +
    `[[route]]\nmatch = "/after"\n${reply}\npolicies = [{ use = "headers", reply.remove = ["x-none"] }]\n`;
  await plane.load(specOf(target.url, { more }));
  for (const method of ['GET', 'HEAD']) {
    const names: string[][] = [];
    for (const path of ['/plain', '/with', '/after']) {
      const { status, fields } = await plane.ask(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.is(status, 304);
      names.push(fields.map(([name]) => name).sort());
    }
    assert.equal(names[0], ['date', 'etag', 'x-request-id']);
    assert.equal(names[1], names[0]);
    assert.equal(names[2], names[0]);
  }
});

test.run();
