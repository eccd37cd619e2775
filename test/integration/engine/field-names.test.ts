/** Ambiguous field names, forwarding fields, and the fields that Connection may remove. */
import * as assert from 'uvu/assert';
import { type Plane, type RawReply, specOf } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('field names');
const EDITS = `policies = [{ use = "headers", request.set = { x-tenant = "acme" }, request.add = { x_more = "1" }, request.remove = ["X-Debug-Mode"] }]`;
const KEYS = `
[policy.keys]
use = "api-key"
optional = true
[[route]]
match = "/keyed"
to = "it"
policies = ["keys"]
`;

const ask = (plane: Plane, fields: string, path = '/'): Promise<RawReply> =>
  plane.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`);

const isRefused = async (plane: Plane, name: string): Promise<void> => {
  const reply = await ask(plane, `${name}: evil`);
  assert.is(reply.status, 400, name);
  assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:request/field-name', name);
  assert.is(reply.header('connection'), 'close');
};

test('underscore aliases of fields that gw sets or uses are refused, in any mix of case and hyphens', async ({
  plane,
}) => {
  for (const name of [
    'X_Forwarded_For',
    'X-Forwarded_For',
    'x_forwarded-proto',
    'X_FORWARDED_HOST',
    'X_Forwarded_Port',
    'X_Forwarded_Client_Cert',
    'X_Request_Id',
    'x-real_ip',
    'Content_Length',
    'content_type',
    'Transfer_Encoding',
    'Proxy_Authorization',
    'Max_Forwards',
  ])
    await isRefused(plane, name);
});

test('underscore aliases of fields that policies of the live generation set or remove are refused', async ({
  target,
  plane,
}) => {
  const before = target.arrived.length;
  assert.is((await ask(plane, 'X_Tenant: evil')).status, 200);
  await plane.load(specOf(target.url, { route: EDITS, more: KEYS }));
  for (const name of ['X_Tenant', 'x_more', 'X_Debug_Mode', 'X-Debug_Mode', 'X_Api_Key', 'x-api_key'])
    await isRefused(plane, name);
  assert.is((await ask(plane, 'X_Other: mine')).status, 200);
  assert.is(target.arrived.at(-1)!.header('x_other'), 'mine');
  assert.is(target.arrived.length, before + 2);
  await plane.load(specOf(target.url));
  assert.is((await ask(plane, 'X_Tenant: mine')).status, 200);
});

test('other characters than hyphens are aliases too, for targets that read them as underscores', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { route: EDITS, more: KEYS }));
  const names = [
    'X.Consumer.Name',
    'X~Consumer!Name',
    'x.consumer_name',
    'X.Forwarded.For',
    'Content.Length',
    'X.Tenant',
    'X+Api+Key',
  ];
  for (const name of names) await isRefused(plane, name);
  assert.is((await ask(plane, 'X.Other: mine')).status, 200);
  assert.is(target.arrived.at(-1)!.header('x.other'), 'mine');
  await plane.load(specOf(target.url, { listener: 'underscores = "drop"' }));
  assert.is((await ask(plane, 'X.Consumer.Name: evil\r\nX.Other: mine')).status, 200);
  const arrived = target.arrived.at(-1)!;
  assert.equal([arrived.header('x.consumer.name'), arrived.header('x.other')], [undefined, 'mine']);
  await plane.load(specOf(target.url, { listener: 'underscores = "refuse"' }));
  await isRefused(plane, 'X.Consumer.Name');
  assert.is((await ask(plane, 'X.Other: mine')).status, 200);
  await plane.load(specOf(target.url, { listener: 'underscores = "keep"' }));
  assert.is((await ask(plane, 'X.Consumer.Name: kept')).status, 200);
});

test('an API key field whose name contains an underscore is accepted', async ({ target, plane }) => {
  const keys = (more = ''): string =>
    `${KEYS.replace('optional = true', 'header = "api_key"\noptional = true')}${more}`;
  await plane.load(specOf(target.url, { more: keys() }));
  // 401 for an unknown key, not 400 for the name.
  assert.is((await ask(plane, 'Api_Key: x', '/keyed')).status, 401);
  for (const name of ['X_Request_Id', 'api_key_'])
    assert.is((await ask(plane, `${name}: x`, '/keyed')).status, name === 'api_key_' ? 200 : 400);
  // If another policy sets the name with a hyphen, the name is an alias of that field.
  const edits = `policies = [{ use = "headers", request.set = { api-key = "acme" } }]`;
  await plane.load(specOf(target.url, { route: edits, more: keys() }));
  await isRefused(plane, 'api_key');
});

test('underscores = "refuse" refuses every name with an underscore', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'underscores = "refuse"' }));
  for (const name of ['my_own', '_', '_a', 'a_', 'X_Request_Id']) await isRefused(plane, name);
});

test('underscores = "keep" forwards such names, and gw does not interpret them', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'underscores = "keep"' }));
  assert.is((await ask(plane, 'X_Forwarded_For: 6.6.6.6\r\nContent_Length: 7')).status, 200);
  const arrived = target.arrived.at(-1)!;
  assert.is(arrived.header('x_forwarded_for'), '6.6.6.6');
  assert.is(arrived.header('content_length'), '7');
  assert.is(arrived.header('x-forwarded-for'), '127.0.0.1');
});

test('underscores = "drop" removes such fields before policies and conditions read them', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      listener: 'underscores = "drop"',
      route: `policies = [{ use = "headers", request.set = { x-seen = "<{request.header.my_own}>" } }]`,
      more: '[[route]]\nmatch = { path = "/{rest...}", headers = { my_own = "1" } }\nreply = { status = 418 }',
    }),
  );
  const client = plane.client();
  // The next request on the connection must still be parsed correctly.
  const text = 'GET /x HTTP/1.1\r\nHost: a\r\nmy_own: 1\r\nA: 1\r\nX_Forwarded_For:6.6.6.6\r\nb:2\r\n_:\r\n\r\n';
  client.send(text.repeat(2));
  for (let i = 0; i < 2; i++) assert.is((await client.reply()).status, 200);
  client.destroy();
  for (const { head } of target.arrived.slice(-2)) {
    assert.not.match(head, /_/);
    assert.match(head, /^A: 1\r\nb: 2\r\n/m);
    assert.match(head, /^x-seen: <>\r\n/m);
  }
  assert.is((await ask(plane, 'my_own : 1')).status, 400);
  assert.is((await ask(plane, 'my_own: \x00')).status, 400);
});

test('Connection removes hop-by-hop fields, but not fields that gw sets or uses', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { route: EDITS }));
  assert.is((await ask(plane, 'Connection: close, x-hop, x-tenant\r\nX-Hop: 1\r\nX-Tenant: evil')).status, 200);
  const arrived = target.arrived.at(-1)!;
  assert.is(arrived.header('x-hop'), undefined);
  assert.is(arrived.header('x-tenant'), 'acme');
  const before = target.arrived.length;
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Authorization',
    'Cookie',
    'X-Forwarded-For',
    'x-forwarded-prefix',
    'Forwarded',
    'X-Real-IP',
    'x-request-id',
    'Via',
    'Expect',
  ]) {
    const reply = await ask(plane, `Connection: keep-alive, ${name}`);
    assert.is(reply.status, 400, name);
    assert.is(reply.header('connection'), 'close');
  }
  assert.is(target.arrived.length, before);
});

test('forwarding fields from untrusted peers are ignored', async ({ target, plane }) => {
  await plane.load(
    specOf(target.url, {
      route: `policies = [{ use = "headers", request.set = { x-seen = "<{request.header.x-real-ip}{request.header.x-forwarded-port}>" } }]`,
    }),
  );
  const forwarding =
    'X-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-By: e\r\n' +
    'X-Forwarded-Protocol: https\r\nX-Forwarded-Scheme: https\r\nX-Forwarded-Client-Cert: evil\r\nX-Forwarding: mine';
  await ask(plane, forwarding);
  const arrived = target.arrived.at(-1)!;
  const names = arrived.head.match(/^x-(forward|real)[\w-]*/gim);
  assert.equal(names, ['X-Forwarding', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);
  assert.is(arrived.header('x-seen'), '<>');
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1"]' }));
  await ask(plane, forwarding);
  const trusted = target.arrived.at(-1)!;
  assert.is(trusted.header('x-real-ip'), '6.6.6.6');
  assert.is(trusted.header('x-forwarded-port'), '1');
  assert.is(trusted.header('x-forwarded-client-cert'), 'evil');
  assert.is(trusted.header('x-forwarded-for'), '127.0.0.1');
});

test('the Proxy field is dropped: CGI programs would read it as HTTP_PROXY', async ({ target, plane }) => {
  await plane.load(specOf(target.url));
  assert.is((await ask(plane, 'Proxy: http://evil.example/\r\nProxied: 1')).status, 200);
  assert.is(target.arrived.at(-1)!.header('proxy'), undefined);
  assert.is(target.arrived.at(-1)!.header('proxied'), '1');
});

test('Forwarded from a trusted proxy is used if X-Forwarded-For is absent', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]' }));
  const cases: readonly (readonly [field: string, client: string, proto: string, chain: string])[] = [
    ['for=9.9.9.9;proto=https', '9.9.9.9', 'https', '9.9.9.9, 127.0.0.1'],
    ['for=6.6.6.6, for=9.9.9.9;proto=https;by=_x, for="10.0.0.1:99"', '9.9.9.9', 'https', '9.9.9.9, 127.0.0.1'],
    ['For="[2001:db8::1]:4711";Proto=HTTPS', '2001:db8::1', 'https', '2001:db8::1, 127.0.0.1'],
    ['for=_hidden, for=10.0.0.2', '10.0.0.2', 'http', '10.0.0.2, 127.0.0.1'],
    ['for=unknown', '127.0.0.1', 'http', '127.0.0.1'],
    ['for=9.9.9.9, for=', '127.0.0.1', 'http', '127.0.0.1'],
    ['for=9.9.9.9;for=8.8.8.8', '127.0.0.1', 'http', '127.0.0.1'],
  ];
  for (const [field, client, proto, chain] of cases) {
    const reply = await ask(plane, `Forwarded: ${field}`);
    assert.is((await plane.record(({ id }) => id === reply.header('x-request-id'))).remote, client, field);
    const arrived = target.arrived.at(-1)!;
    assert.is(arrived.header('x-forwarded-proto'), proto, field);
    assert.is(arrived.header('x-forwarded-for'), chain, field);
    assert.is(arrived.header('forwarded'), `${field}, for=127.0.0.1`);
  }
});

test('host and scheme from Forwarded are sent as X-Forwarded-Host and X-Forwarded-Proto', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1"]' }));
  await ask(plane, 'Forwarded: for=9.9.9.9;proto=https;host="shop.example:8443"');
  const arrived = target.arrived.at(-1)!;
  assert.is(arrived.header('x-forwarded-host'), 'shop.example:8443');
  assert.is(arrived.header('x-forwarded-proto'), 'https');
  await ask(plane, 'X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https, http');
  assert.is(target.arrived.at(-1)!.header('x-forwarded-proto'), 'http');
  await plane.load(specOf(target.url));
  await ask(plane, 'Forwarded: for=9.9.9.9;proto=https;host=evil');
  assert.is.not(target.arrived.at(-1)!.header('x-forwarded-host'), 'evil');
});

test('X-Forwarded-For takes precedence over Forwarded; ports and brackets are accepted', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]' }));
  const chain = '6.6.6.6, 9.9.9.9:4711, [fd00::1]:80, 10.0.0.1:1';
  const reply = await ask(plane, `X-Forwarded-For: ${chain}\r\nForwarded: for=7.7.7.7;host=evil`);
  assert.is((await plane.record(({ id }) => id === reply.header('x-request-id'))).remote, '9.9.9.9');
  assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), `${chain}, 127.0.0.1`);
  assert.is(target.arrived.at(-1)!.header('forwarded'), undefined);
});

test('Via carries the HTTP version of the received request', async ({ target, plane }) => {
  await plane.load(specOf(target.url));
  await plane.ask('GET / HTTP/1.0\r\nVia: 1.1 first\r\n\r\n');
  assert.is(target.arrived.at(-1)!.header('via'), '1.1 first, 1.0 gw');
  await plane.load(specOf(target.url, { listener: 'trusted_proxies = ["127.0.0.1"]' }));
  await plane.ask('GET / HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n');
  assert.is(target.arrived.at(-1)!.header('via'), '1.0 gw');
});

test.run();
