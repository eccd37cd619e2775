import * as assert from 'uvu/assert';
import { type Fault, ok, say, specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('forwarding');

test('hop-by-hop fields, including those listed in Connection, are not forwarded', async ({ target, plane }) => {
  await plane.ask(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\n' +
      'Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nProxy-Authenticate: x\r\nX-End: 2\r\n\r\n',
  );
  const { head } = target.arrived[0]!;
  assert.not.match(head, /x-hop|keep-alive|^te:|trailer|upgrade|http2|proxy-|connection/im);
  assert.match(head, /x-end: 2/i);
});

test('a reply loses its hop-by-hop fields and gets date and request id', async ({ target, plane }) => {
  target.respond = ok(
    'x',
    'Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\nProxy-Authentication-Info: x\r\n' +
      'TE: trailers\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
  );
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const [name] of reply.fields) assert.not.match(name, /^(x-hop|keep-alive|proxy-.*|te|upgrade|connection)$/);
  assert.equal(
    reply.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  );
  assert.ok(!Number.isNaN(Date.parse(reply.header('date') ?? '')));
  assert.is(reply.header('x-request-id'), target.arrived[0]!.header('x-request-id'));
});

test('a 426 keeps the Upgrade field of the target and has a Connection field', async ({ target, plane }) => {
  const required = (upgrade: string): Fault =>
    say(`HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\n${upgrade}Content-Length: 2\r\n\r\nno`);
  target.respond = required('Upgrade: websocket, b/2\r\n');
  const client = plane.client();
  // The second is recognized as a repetition by its bytes.
  for (const [fields, connection] of [
    ['', 'upgrade'],
    ['Connection: close\r\n', 'upgrade, close'],
  ]) {
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    const reply = await client.reply();
    assert.is(reply.status, 426);
    assert.is(reply.header('upgrade'), 'websocket, b/2');
    assert.is(reply.header('connection'), connection);
    assert.is(reply.body.toString(), 'no');
  }
  await client.end();
  target.respond = required('');
  const none = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(none.header('upgrade'), undefined);
  assert.is(none.header('connection'), undefined);
});

test('the date of a target is kept and not duplicated', async ({ target, plane }) => {
  target.respond = ok('x', 'Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n');
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(reply.header('date'), 'Tue, 01 Jan 2030 00:00:00 GMT');
});

test('policies and conditions do not see forwarding fields from untrusted peers', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      route: `policies = [{ use = "headers", request.set = { x-seen = "<{request.header.x-forwarded-for}{request.header.x-request-id}>" } }]`,
      more: '[[route]]\nmatch = { path = "/{rest...}", headers = { x-forwarded-proto = "https" } }\nreply = { status = 418 }',
    }),
  );
  const reply = await plane.ask(
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n\r\n',
  );
  assert.is(reply.status, 200);
  assert.is(target.arrived[0]!.header('x-seen'), '<>');
});

test('a rewrite to an invalid path without a request value: 500', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      more: '[[route]]\nmatch = "GET /old/{rest...}"\nto = "it"\nrewrite = "/{consumer.name}/{rest}"',
    }),
  );
  assert.is((await plane.ask('GET /old/x HTTP/1.1\r\nHost: a\r\n\r\n')).status, 500);
  assert.is(target.arrived.length, 0);
});

test('forwarding fields from untrusted peers are replaced', async ({ target, plane }) => {
  await plane.ask(
    'GET / HTTP/1.1\r\nHost: a:81\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n' +
      'Forwarded: for=6.6.6.6\r\nX-Request-Id: mine\r\nVia: 1.0 before\r\n\r\n',
  );
  const arrived = target.arrived[0]!;
  assert.is(arrived.header('x-forwarded-for'), '127.0.0.1');
  assert.is(arrived.header('x-forwarded-proto'), 'http');
  assert.is(arrived.header('x-forwarded-host'), 'a:81');
  assert.is(arrived.header('forwarded'), undefined);
  assert.is(arrived.header('via'), '1.0 before, 1.1 gw');
  assert.is.not(arrived.header('x-request-id'), 'mine');
});

test('forwarding fields from a trusted proxy are kept and extended', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.0/8", "10.0.0.0/8"]' }));
  await plane.ask(
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n' +
      'X-Forwarded-Host: shop.example\r\nForwarded: for=9.9.9.9\r\nX-Request-Id: given-1\r\n\r\n',
  );
  const arrived = target.arrived[0]!;
  assert.is(arrived.header('x-forwarded-for'), '6.6.6.6, 9.9.9.9, 10.1.1.1, 127.0.0.1');
  assert.is(arrived.header('x-forwarded-proto'), 'https');
  assert.is(arrived.header('x-forwarded-host'), 'shop.example');
  assert.is(arrived.header('forwarded'), undefined, 'Forwarded is dropped if X-Forwarded-For was used');
  assert.is(arrived.header('x-request-id'), 'given-1');
  const record = await plane.record(({ id }) => id === 'given-1');
  assert.is(record.remote, '9.9.9.9');
});

test('host = "target" sends the name of the target; a base path is joined; a prefix is stripped', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(`${target.url}/base/`, { service: 'host = "target"', route: 'strip_prefix = "/api"' }));
  await plane.ask('GET /api/x?y HTTP/1.1\r\nHost: a\r\n\r\n');
  await plane.ask('GET /api HTTP/1.1\r\nHost: a\r\n\r\n');
  await plane.ask('GET /apix HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(
    target.arrived.map(({ url }) => url),
    ['/base/x?y', '/base', '/base/apix'],
  );
  assert.is(target.arrived[0]!.header('host'), target.url.slice('http://'.length));
});

test('a rewrite keeps the encoding of parameters', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { route: 'rewrite = "/v2/{param.rest}/{request.method}"' }));
  await plane.ask('GET /a%20b/c HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(target.arrived[0]!.url, '/v2/a%20b/c/GET');
});

test('policies edit request and reply fields', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      route: `policies = [{ use = "headers", request.set = { x-route = "{route.name}", x-b = "new" }, request.remove = ["x-a"], reply.set = { x-c = "{request.method}" }, reply.remove = ["server"] }]`,
    }),
  );
  target.respond = ok('x', 'Server: secret\r\nX-Keep: 1\r\n');
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: old\r\nX-Z: z\r\n\r\n');
  const arrived = target.arrived[0]!;
  assert.is(arrived.header('x-a'), undefined);
  assert.is(arrived.header('x-b'), 'new');
  assert.is(arrived.header('x-z'), 'z');
  assert.is(arrived.header('x-route'), 'all');
  assert.is(reply.header('server'), undefined);
  assert.is(reply.header('x-keep'), '1');
  assert.is(reply.header('x-c'), 'GET');
});

test('a fixed reply is sent; no route: 404; a wrong method: 405 with Allow', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      more: '[[route]]\nname = "hi"\nmatch = "GET /hi"\nreply = { status = 203, body = "hi there", headers = { x-own = "1" } }',
    }).replace('/{rest...}', 'GET /only'),
  );
  const own = await plane.ask('GET /hi HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(own.status, 203);
  assert.is(own.body.toString(), 'hi there');
  assert.is(own.header('x-own'), '1');
  const head = await plane.ask('HEAD /hi HTTP/1.1\r\nHost: a\r\n\r\n', { head: true });
  assert.is(head.header('content-length'), '8');
  assert.is((await plane.ask('GET /none HTTP/1.1\r\nHost: a\r\n\r\n')).status, 404);
  const wrong = await plane.ask('POST /only HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(wrong.status, 405);
  assert.match(wrong.header('allow') ?? '', /GET/);
  assert.is((await plane.ask('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')).status, 204);
  assert.is(target.arrived.length, 0);
});

test('keep-alive and pipelining: replies in the order of the requests', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    // The first reply is the slowest.
    setTimeout(() => ok(request.url)(request, socket), request.url === '/0' ? 50 : 0);
  };
  const client = plane.client();
  let text = '';
  for (let i = 0; i < 50; i++) text += `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`;
  client.send(text);
  for (let i = 0; i < 50; i++) assert.is((await client.reply()).body.toString(), `/${i}`);
  client.destroy();
});

test('a head that arrives byte by byte is parsed', async ({ target, plane }) => {
  const client = plane.client();
  for (const byte of 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc') {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived[0]!.rest.toString(), 'abc');
  client.destroy();
});

test('a client that half-closes after its request gets its reply', async ({ target, plane }) => {
  target.respond = (request, socket) => void setTimeout(() => ok('late')(request, socket), 30);
  const client = plane.client();
  client.socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is((await client.reply()).body.toString(), 'late');
  await client.end();
});

test('the counters match the exchanges', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok');
  await plane.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  await plane.ask('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n');
  const slots = new Map(plane.registry.entries('route'));
  const route = plane.registry.sums(slots.get('all')!);
  assert.is(route.requests, 1);
  assert.is(route.status[1], 1);
  assert.is(route.bytesIn, 3);
  assert.is(route.inFlight, 0);
  assert.is(plane.registry.sums(slots.get('-')!).status[3], 1);
  const [, slot] = [...plane.registry.entries('target')][0]!;
  assert.is(plane.registry.sums(slot).requests, 1);
  assert.is(plane.registry.sums(slot).connections, 1);
});

test.run();
