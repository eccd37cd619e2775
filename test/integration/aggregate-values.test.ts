/** aggregate over sockets: what hostile values of replies can do to calls, and to the memory. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { callOf as call, json, startsBeds } from './aggregate-kit.js';
import { generationOf } from './engine-kit.js';

const start = startsBeds(test);

const specWith = (more: string): string =>
  `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.a]\ntargets = ["http://127.0.0.1:1"]\n[[route]]\nname = "page"\nmatch = "GET /{id}"\n${call('one', more)}`;

const EACH = `${call('list')}[route.aggregate.call.each]
service = "b"
path = "/p/{item}"
for_each = "list"
max_items = 500
`;

test('a reply that is used for many equal items counts for each of them', async () => {
  const of = await start(
    { a: json(new Array(200).fill(1)), b: json('x'.repeat(20_000)) },
    `[route.aggregate]\nmax_total = "1MiB"\n${EACH}`,
  );
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'each[52]']);
  assert.is(of.services['b']!.got.length, 1);
});

test('a list of 10,000 items is refused before the first request; what is no list is one item, nothing is none', async () => {
  const each = EACH.replace('500', '1000');
  const of = await start({ a: json(new Array(10_000).fill(1)), b: json(1) }, each);
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'each']);
  assert.equal(of.services['b']!.urls, []);
  const seen: unknown[] = [];
  for (const value of [[], null, 5, 'x', { k: 1 }, [null, 'y']]) {
    of.services['a']!.handler = json(value);
    of.services['b']!.got.length = 0;
    const { body, status } = await of.get();
    seen.push([status, (body as { each?: unknown }).each ?? (body as { call: string }).call, of.services['b']!.urls]);
  }
  assert.equal(seen, [
    [200, [], []],
    [200, [], []],
    [200, [1], ['/p/5']],
    [200, [1], ['/p/x']],
    [200, [1], ['/p/%7B%22k%22%3A1%7D']],
    [502, 'each[0]', ['/p/y']],
  ]);
});

test('equal items that fail are named each by its place', async () => {
  const of = await start(
    { a: json([1, 1, 2]), b: (got, reply) => json(1, {}, got.url === '/p/1' ? 500 : 200)(got, reply) },
    `${EACH}on_failure = "omit"\n`,
  );
  const { errors } = (await of.get()).body as { errors: { call: string }[] };
  assert.equal(
    errors.map(({ call: of }) => of),
    ['each[0]', 'each[1]'],
  );
  assert.equal([...of.services['b']!.urls].sort(), ['/p/1', '/p/2']);
});

test('fields of the connection, and those that Connection names, do not reach a service', async () => {
  const of = await start({ a: json(1) }, call('one'));
  await of.plane.ask(
    'GET /page/7 HTTP/1.1\r\nHost: a.example\r\nConnection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: foo\r\nProxy-Authorization: Basic eA==\r\nX-End: 1\r\nCookie: a=b\r\n\r\n',
  );
  const { headers } = of.services['a']!.got[0]!;
  assert.equal([headers['x-end'], headers['cookie']], ['1', 'a=b']);
  for (const name of ['x-hop', 'keep-alive', 'te', 'upgrade', 'proxy-authorization'])
    assert.is(headers[name], undefined, name);
});

test('conditions of a client are evaluated with the tag and the date of the reply', async () => {
  const modified = 'Fri, 01 May 2026 12:00:00 GMT';
  const given = `[route.aggregate]\nheaders = { last-modified = "{calls.one.header.last-modified}" }\n${call('one')}`;
  const of = await start({ a: json(1, { 'last-modified': modified }) }, given);
  const tag = (await of.get()).headers.get('etag')!;
  const statuses = async (...conditions: readonly (readonly [string, string])[]) => {
    const found = [];
    for (const [name, value] of conditions)
      found.push((await of.get('/page/7', { headers: { [name]: value } })).status);
    return found;
  };
  const [before, after] = ['Thu, 30 Apr 2026 12:00:00 GMT', 'Sat, 02 May 2026 12:00:00 GMT'];
  assert.equal(await statuses(['if-match', tag], ['if-match', '"x"'], ['if-match', '*']), [200, 412, 200]);
  assert.equal(await statuses(['if-none-match', tag], ['if-none-match', '"x"']), [304, 200]);
  assert.equal(await statuses(['if-modified-since', modified], ['if-modified-since', before]), [304, 200]);
  assert.equal(await statuses(['if-unmodified-since', before], ['if-unmodified-since', after]), [412, 200]);
  of.services['a']!.handler = json(1);
  assert.equal(
    await statuses(['if-modified-since', 'Fri, 01 May 2099 12:00:00 GMT']),
    [200],
    'no date of the last change',
  );
});

test('the body of a call counts in the memory for bodies while it is sent', async () => {
  const body = (times: number): string => `body = '[${new Array(times).fill('{calls.one.body}').join(', ')}]'`;
  const given = (times: number) => call('one') + call('two', `method = "POST"\n${body(times)}`, 'b');
  const services = { a: json('x'.repeat(50_000)), b: json(1) };
  const few = await start(services, given(1), {}, { bodyMemory: 450_000 });
  assert.is((await few.get()).status, 200);
  const many = await start(services, given(8), {}, { bodyMemory: 450_000 });
  const reply = await many.get();
  assert.equal([reply.status, (reply.body as { type: string }).type], [503, 'urn:gw:problem:aggregate/overloaded']);
  assert.equal(many.services['b']!.urls, []);
});

test('a value cannot lead a call out of its path at a service that decodes slashes', async () => {
  for (const id of ['../admin', '..\\admin', 'x/../../admin', '..;/admin']) {
    const of = await start(
      { a: json({ id }), b: json(1) },
      `${call('one')}[route.aggregate.call.two]\nservice = "b"\npath = "/x/{calls.one.body.id}"\n`,
    );
    const reply = await of.get();
    assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'two'], id);
    assert.equal(of.services['b']!.urls, []);
  }
});

test('line breaks, marks and slashes of a value stay in their place', async () => {
  const of = await start(
    { a: json({ id: 'a\r\nX: 1?b#c/d&e=f' }), b: json(1) },
    `${call('one')}[route.aggregate.call.two]
service = "b"
path = "/x/{calls.one.body.id}"
query = { q = "{calls.one.body.id}" }
headers = { x-of = "{calls.one.body.id}" }
`,
  );
  assert.is((await of.get()).status, 200);
  const [got] = of.services['b']!.got;
  assert.is(got?.url, '/x/a%0D%0AX%3A%201%3Fb%23c%2Fd%26e%3Df?q=a%0D%0AX%3A%201%3Fb%23c%2Fd%26e%3Df');
  assert.is(got?.headers['x'], undefined);
  assert.not.match(String(got?.headers['x-of']), /[\r\n]/);
});

test('a path parameter cannot add parameters to the query of a call', async () => {
  const of = await start(
    { a: json(1) },
    `[route.aggregate.call.named]
service = "a"
path = "/named"
query = { product = "{id}", of = "{request.path}", all = "{request.query}" }
[route.aggregate.call.written]
service = "a"
path = "/written?product={id}&of={request.path}"
[route.aggregate.call.passed]
service = "a"
path = "/passed?x=1&{request.query}"
`,
  );
  assert.is((await of.get('/page/7&limit=9+1;a?admin=1&b=%26')).status, 200);
  const of7 = '7%26limit%3D9%2B1%3Ba';
  assert.equal([...of.services['a']!.urls].sort(), [
    `/named?product=${of7}&of=%2Fpage%2F${of7}&all=admin%3D1%26b%3D%2526`,
    '/passed?x=1&admin=1&b=%26',
    `/written?product=${of7}&of=%2Fpage%2F${of7}`,
  ]);
  assert.is((await of.get('/page/7')).status, 200);
  assert.ok(of.services['a']!.urls.includes('/passed?x=1&'));
});

test('a value that makes a path or the fields too long is a failure of its call, not of the gateway', async () => {
  const of = await start(
    { a: json({ ids: new Array(5000).fill(12_345), text: 'x'.repeat(70_000) }), b: json(1) },
    `${call('one')}
[route.aggregate.call.path]
service = "b"
path = "/x"
query = { ids = "{calls.one.body.ids}" }
on_failure = "omit"
[route.aggregate.call.field]
service = "b"
path = "/x"
headers = { x-text = "{calls.one.body.text}" }
on_failure = "omit"
`,
  );
  const reply = await of.get();
  const failed = (call: string) => ({ call, status: 502, code: 'aggregate/call-failed' });
  assert.equal([reply.status, (reply.body as { errors: unknown }).errors], [200, [failed('path'), failed('field')]]);
  assert.equal(of.services['b']!.urls, []);
});

test('a value cannot add fields to a form, or elements to XML', async () => {
  const bodyFor = async (type: string, body: string): Promise<string | undefined> => {
    const of = await start(
      { a: json({ name: 'x&admin=1+<a/>é' }), b: json(1) },
      `${call('one')}${call('two', `method = "POST"\nheaders = { content-type = "${type}" }\nbody = '${body}'`, 'b')}`,
    );
    assert.is((await of.get()).status, 200);
    return of.services['b']!.got[0]?.body;
  };
  const form = await bodyFor(
    'application/x-www-form-urlencoded; charset=utf-8',
    'name={calls.one.body.name}&role=user',
  );
  assert.equal(
    [...new URLSearchParams(form)],
    [
      ['name', 'x&admin=1+<a/>é'],
      ['role', 'user'],
    ],
  );
  assert.is(await bodyFor('application/xml', '<n>{calls.one.body.name}</n>'), '<n>x&#38;admin=1+&#60;a/&#62;é</n>');
  assert.is(await bodyFor('text/plain', 'of {calls.one.body.name}'), 'of x&admin=1+<a/>é');
});

test('a call whose templates use a call without a result is not sent without the value', async () => {
  const of = await start(
    { a: json({ id: 1 }), b: json(1) },
    call('me', `when = 'request.query["me"] == "1"'`) +
      call('search', 'query = { user = "{calls.me.body.id}" }', 'b') +
      call('write', `method = "POST"\nbody = '{ "user": {calls.me.body.id} }'`, 'b') +
      call('named', 'headers = { x-user = "{calls.me.body.id}" }', 'b') +
      call('free', `method = "POST"\njson = '{ "known": $exists(me) }'\nafter = ["search"]`, 'b'),
  );
  assert.equal((await of.get()).body, { free: 1 });
  assert.equal(
    of.services['b']!.got.map(({ body, url }) => [url, body]),
    [['/free/7', '{"known":false}']],
  );
  assert.equal(Object.keys((await of.get('/page/7?me=1')).body as object).sort(), [
    'free',
    'me',
    'named',
    'search',
    'write',
  ]);
});

const CALLERS = `[consumer.acme]
api_keys = ["sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"]
[consumer.globex]
api_keys = ["sha256:2e2764ef486a4aa498e60ef5ed6b88ce7dd8bfc8b3309c5c15950a5c3d1a8c20"]
[policy.keys]
use = "api-key"
[policy.tenant]
use = "headers"
request.set = { x-forwarded-user = "{consumer.name}" }
`;
const AUTHENTICATED = { more: CALLERS, route: 'policies = ["keys", "tenant"]' };

test('a forwarding field that names the caller is not sent to a service that must not get it', async () => {
  const of = await start({ a: json(1), b: json(1) }, call('one') + call('two', 'pass = []', 'b'), AUTHENTICATED);
  assert.is((await of.get('/page/7', { headers: { 'x-api-key': 'acme-demo-key' } })).status, 200);
  const [one, two] = ['a', 'b'].map((name) => of.services[name]!.got[0]!.headers);
  assert.equal([one!['x-forwarded-user'], two!['x-forwarded-user']], ['acme', undefined]);
  assert.equal([two!['x-forwarded-for'], two!['x-forwarded-proto']], ['127.0.0.1', 'http']);
});

test('a shared reply of a call is not for callers that a forwarding field tells apart', async () => {
  const of = await start(
    { a: (got, reply) => json(got.headers['x-forwarded-user'], { 'cache-control': 'max-age=60' })(got, reply) },
    call('one', 'cache = { shared = true }'),
    AUTHENTICATED,
  );
  const seen = [];
  for (const key of ['acme-demo-key', 'globex-demo-key', 'acme-demo-key'])
    seen.push(((await of.get('/page/7', { headers: { 'x-api-key': key } })).body as { one: string }).one);
  assert.equal(seen, ['acme', 'globex', 'acme']);
  assert.is(of.services['a']!.got.length, 2);
});

test('a reply to GET that depends on a body is not stored', async () => {
  const of = await start(
    { a: json(1, { 'cache-control': 'max-age=60' }) },
    `[route.aggregate]\nrequest_body = "1KiB"\n[route.aggregate.call.one]\nservice = "a"\npath = "/x"\nquery = { of = "{body.of}" }\n`,
  );
  const body = '{"of":"evil"}';
  const raw = await of.plane.ask(
    `GET /page/7 HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assert.equal(of.services['a']!.urls, ['/x?of=evil']);
  assert.is(raw.header('cache-control'), 'no-store');
  assert.match((await of.get()).headers.get('cache-control') ?? '', /^max-age=/);
});

test('an unsafe call without an outcome at the end of the time is named as one that ran', async () => {
  const of = await start(
    { a: () => {}, b: json(1) },
    `[route.aggregate]\ntimeout = "200ms"\n${call('pay', 'method = "POST"')}${call('other', '', 'b')}`,
  );
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [504, 'pay']);
  assert.equal((reply.body as { ran: unknown }).ran, [{ call: 'pay', method: 'POST', status: null }]);
});

test('a problem of the merge after an unsafe call lists what ran', async () => {
  const given = `[route.aggregate]\nmerge = '{ "x": $string(one) }'\n${call('one', 'method = "POST"')}`;
  const of = await start({ a: json('x'.repeat(30_000)) }, given, { match: 'POST /page/{id}' }, { bodyMemory: 170_000 });
  const reply = await of.get('/page/7', { method: 'POST' });
  assert.equal([reply.status, (reply.body as { type: string }).type], [503, 'urn:gw:problem:aggregate/overloaded']);
  assert.equal((reply.body as { ran: unknown }).ran, [{ call: 'one', method: 'POST', status: 200 }]);
});

test('fields of the connection cannot be set by a call', () => {
  for (const name of ['content-length', 'transfer-encoding', 'connection', 'host', 'te', 'upgrade'])
    assert.throws(
      () => generationOf(specWith(`headers = { ${name} = "x" }`), new StatsRegistry({ workers: 1 })),
      /schema\/|headers/,
      name,
    );
});

test.run();
