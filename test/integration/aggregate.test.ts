/** aggregate over sockets: order, parallelism, fan-out, failures, bounds, what services get. */
import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { Barrier, Bed, callOf as call, type Handler, json, status } from './aggregate-kit.js';

let bed: Bed | undefined;

async function start(...given: Parameters<typeof Bed.start>): Promise<Bed> {
  bed = await Bed.start(...given);
  return bed;
}

test.after.each(async () => {
  await bed?.close();
  bed = undefined;
});

test('independent calls are in progress together, and their bodies are members of the reply', async () => {
  const barrier = new Barrier(3);
  const handler: Handler = (got, reply) => barrier.pass(() => json({ at: got.url })(got, reply));
  const { get } = bound(await start({ a: handler, b: handler }, call('one') + call('two', '', 'b') + call('three')));
  const reply = await get();
  assert.is(reply.status, 200);
  assert.is(reply.headers.get('content-type'), 'application/json');
  assert.equal(reply.body, { one: { at: '/one/7' }, two: { at: '/two/7' }, three: { at: '/three/7' } });
});

const bound = (of: Bed): { get: Bed['get'] } => ({ get: of.get.bind(of) });

test('a call gets results of others in its path, query, fields and body', async () => {
  const of = await start(
    { a: json({ id: 'x/y', tags: ['n', 'm'], owner: { name: 'Zoë' } }, { etag: '"v1"' }), b: json(null) },
    `${call('one')}[route.aggregate.call.two]
service = "b"
method = "POST"
path = "/of/{calls.one.body.id}"
query = { tags = "{calls.one.body.tags}", page = "{query.page}", none = "{query.none}" }
headers = { x-owner = "{calls.one.body.owner.name}", x-etag = "{calls.one.header.ETag}", x-none = "{calls.one.body.none}" }
body = '{"id": {calls.one.body}, "text": "of {calls.one.body.owner.name}", "status": {calls.one.status}}'
`,
  );
  assert.is((await of.get('/page/7?page=a%26b')).status, 200);
  const [got] = of.services['b']!.got;
  assert.is(got?.url, '/of/x%2Fy?tags=n%2Cm&page=a%26b');
  assert.equal(
    [got?.headers['x-owner'], got?.headers['x-etag'], got?.headers['x-none']],
    ['Zo%C3%AB', '"v1"', undefined],
  );
  assert.is(got?.headers['content-type'], 'application/json');
  assert.equal(JSON.parse(got?.body ?? ''), {
    id: { id: 'x/y', tags: ['n', 'm'], owner: { name: 'Zoë' } },
    text: 'of Zoë',
    status: 200,
  });
});

test('a value cannot lead a call out of its path', async () => {
  for (const id of ['..', '.', '', '%2e%2e']) {
    const of = await start(
      { a: json({ id }), b: json(1) },
      `${call('one')}[route.aggregate.call.two]\nservice = "b"\npath = "/x/{calls.one.body.id}"\n`,
    );
    const reply = await of.get();
    if (id === '%2e%2e') assert.equal(of.services['b']!.urls, ['/x/%252e%252e']);
    else {
      assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'two'], id);
      assert.equal(of.services['b']!.urls, []);
    }
    await of.close();
    bed = undefined;
  }
});

test('a fan-out sends one request for each item, equal ones once, and at most so many at once', async () => {
  const items = [1, 2, 3, 2, 1, 4, 5, 6, 7, 8];
  const barrier = new Barrier(3);
  const handler: Handler = (got, reply) => {
    if (barrier.arrived >= 3) json({ id: got.url })(got, reply);
    else barrier.pass(() => json({ id: got.url })(got, reply));
  };
  const of = await start(
    { a: json({ lines: items.map((product) => ({ product })) }), b: handler },
    `${call('order')}[route.aggregate.call.products]
service = "b"
path = "/p/{item}"
for_each = "order.lines.product"
max_items = 20
concurrency = 3
`,
  );
  const reply = await of.get();
  assert.equal(
    (reply.body as { products: unknown }).products,
    items.map((item) => ({ id: `/p/${item}` })),
  );
  assert.equal(
    [...of.services['b']!.urls].sort(),
    [1, 2, 3, 4, 5, 6, 7, 8].map((id) => `/p/${id}`),
  );
  assert.is(of.services['b']!.most, 3);
});

test('more items than max_items are a failure; no list is no request', async () => {
  const each = `${call('order')}[route.aggregate.call.products]
service = "b"
path = "/p/{item.id}"
for_each = "order.lines"
max_items = 2
`;
  const lines = [[1, 2, 3].map((id) => ({ id })), undefined, [], [{ id: 9 }]];
  const of = await start({ a: (got, reply) => json({ lines: lines.shift() })(got, reply), b: json(1) }, each);
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'products']);
  assert.equal(of.services['b']!.urls, []);
  assert.equal((await of.get()).body, { order: {}, products: [] });
  assert.equal((await of.get()).body, { order: { lines: [] }, products: [] });
  assert.equal((await of.get()).body, { order: { lines: [{ id: 9 }] }, products: [1] });
});

test('a failed required call decides the status', async () => {
  const cases: readonly (readonly [Handler, number, string])[] = [
    [status(404), 404, 'aggregate/call-refused'],
    [status(401, { 'www-authenticate': 'Bearer' }), 401, 'aggregate/call-refused'],
    [status(407), 502, 'aggregate/call-failed'],
    [status(500), 502, 'aggregate/call-failed'],
    [status(302, { location: '/x' }), 502, 'aggregate/call-failed'],
    [(_got, reply) => void reply.end('not json'), 502, 'aggregate/call-failed'],
    [(_got, reply) => void reply.socket?.destroy(), 502, 'aggregate/call-failed'],
    [() => {}, 504, 'aggregate/call-timeout'],
  ];
  for (const [handler, expected, code] of cases) {
    const of = await start({ a: json(1), b: handler }, call('one') + call('two', 'timeout = "150ms"', 'b'));
    const reply = await of.get();
    const body = reply.body as { type: string; call: string };
    assert.equal([reply.status, body.type, body.call], [expected, `urn:gw:problem:${code}`, 'two']);
    assert.is(reply.headers.get('cache-control'), 'no-store');
    if (expected === 401) assert.is(reply.headers.get('www-authenticate'), 'Bearer');
    assert.is((await of.plane.record(() => true)).error, code);
    await of.close();
    bed = undefined;
  }
});

test('a default, or an omission with a list of errors, makes the reply incomplete', async () => {
  const of = await start(
    { a: json(1), b: status(503), c: status(404) },
    call('one') + call('two', 'default = []', 'b') + call('three', 'on_failure = "omit"', 'c'),
  );
  const reply = await of.get();
  assert.is(reply.status, 200);
  assert.equal(reply.body, {
    one: 1,
    two: [],
    errors: [{ call: 'three', status: 404, code: 'aggregate/call-refused' }],
  });
  assert.is(reply.headers.get('gw-incomplete'), 'two, three');
  assert.is(reply.headers.get('cache-control'), 'no-store');
  assert.is(reply.headers.get('etag'), null);
});

test('an item that fails is replaced, left out, or fails the request', async () => {
  const handler: Handler = (got, reply) => (got.url === '/p/2' ? status(500) : json(got.url))(got, reply);
  const bodies: unknown[] = [];
  for (const more of ['default = "?"', 'on_failure = "omit"', '']) {
    const of = await start(
      { a: json([1, 2, 3]), b: handler },
      `${call('list')}[route.aggregate.call.each]\nservice = "b"\npath = "/p/{item}"\nfor_each = "list"\nmax_items = 5\n${more}\n`,
    );
    const reply = await of.get();
    bodies.push((reply.body as { each?: unknown }).each ?? (reply.body as { call: string }).call);
    await of.close();
    bed = undefined;
  }
  assert.equal(bodies, [['/p/1', '?', '/p/3'], ['/p/1', '/p/3'], 'each[1]']);
});

test('status and headers come from the results, also if a required call fails', async () => {
  const of = await start(
    { a: status(404), b: json({ lang: 'de' }) },
    `[route.aggregate]\nstatus = "$calls.one.status"\nheaders = { content-language = "{calls.two.body.lang}", x-none = "{calls.one.header.x}" }\n${call('one') + call('two', '', 'b')}`,
  );
  const reply = await of.get();
  assert.equal([reply.status, reply.headers.get('content-language')], [404, 'de']);
  assert.equal([reply.headers.has('x-none'), reply.headers.get('gw-incomplete')], [false, 'one']);
  assert.equal(reply.body, {
    two: { lang: 'de' },
    errors: [{ call: 'one', status: 404, code: 'aggregate/call-refused' }],
  });
});

test('a failure after an unsafe call lists what already ran, and waits for what is in progress', async () => {
  let answerSlow = (): void => {};
  const of = await start(
    {
      a: json({ id: 1 }, {}, 201),
      b: (got, reply) => {
        answerSlow = () => json(1, {}, 202)(got, reply);
      },
      c: (got, reply) => {
        status(500)(got, reply);
        setImmediate(answerSlow);
      },
    },
    call('order', 'method = "POST"') +
      call('mail', 'method = "POST"\nafter = ["order"]', 'b') +
      call('invoice', 'after = ["order"]', 'c'),
    { match: 'POST /page/{id}' },
  );
  const reply = await of.get('/page/7', { method: 'POST' });
  const body = reply.body as { call: string; ran: unknown };
  assert.equal([reply.status, body.call], [502, 'invoice']);
  assert.equal(body.ran, [
    { call: 'order', method: 'POST', status: 201 },
    { call: 'mail', method: 'POST', status: 202 },
  ]);
});

test('an unsafe call that no target has got is not listed as one that ran', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const of = await start(
    { a: json(1) },
    call('order', 'method = "POST"') + call('mail', 'method = "POST"\nafter = ["order"]', 'gone'),
    { match: 'POST /page/{id}', more: `[service.gone]\ntargets = ["${url}"]\n` },
  );
  const reply = await of.get('/page/7', { method: 'POST' });
  assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'mail']);
  assert.equal((reply.body as { ran: unknown }).ran, [{ call: 'order', method: 'POST', status: 200 }]);
});

test('a safe call is sent again after a failure; an unsafe one only if it is idempotent', async () => {
  const flaky = (): Handler => {
    let count = 0;
    return (got, reply) => (++count < 3 ? status(503) : json(count))(got, reply);
  };
  const of = await start(
    { a: flaky(), b: flaky(), c: flaky() },
    call('one', 'retry = 2') +
      call('two', 'method = "PUT"\nretry = 2\nidempotent = true', 'b') +
      call('three', 'on_failure = "omit"', 'c'),
  );
  const reply = await of.get();
  assert.equal(reply.body, { one: 3, two: 3, errors: [{ call: 'three', status: 502, code: 'aggregate/call-failed' }] });
});

test('a call without a reply in its time is sent again within that of the aggregate', async () => {
  let count = 0;
  const of = await start(
    { a: (got, reply) => void (++count < 3 || json(count)(got, reply)) },
    call('one', 'timeout = "150ms"\nretry = 2'),
  );
  assert.equal((await of.get()).body, { one: 3 });
  const { calls } = await of.plane.record(() => true);
  assert.equal(
    calls!.map(({ error, status: code }) => error ?? code),
    ['upstream/timeout', 'upstream/timeout', 200],
  );
});

test('when, and if, decide whether a call is sent; what needs it is not sent either', async () => {
  const of = await start(
    { a: json({ digital: false, id: 3 }) },
    call('product') +
      call('stock', 'if = "product.digital"') +
      call('gift', `when = 'request.query["gift"] == "1"'`) +
      `[route.aggregate.call.place]\nservice = "a"\npath = "/place/{calls.stock.body.id}"\n`,
  );
  assert.equal((await of.get()).body, { product: { digital: false, id: 3 } });
  assert.equal(of.services['a']!.urls, ['/product/7']);
  assert.equal(Object.keys((await of.get('/page/7?gift=1')).body as object), ['product', 'gift']);
});

test('encoded bodies are decoded within the bound', async () => {
  const text = JSON.stringify({ long: 'x'.repeat(5000) });
  const encoded: { readonly [coding: string]: Buffer } = {
    gzip: gzipSync(text),
    br: brotliCompressSync(text),
    deflate: deflateSync(text),
    'deflate ': deflateRawSync(text),
    'gzip, br': brotliCompressSync(gzipSync(text)),
  };
  for (const [coding, bytes] of Object.entries(encoded)) {
    const handler: Handler = (_got, reply) => void reply.writeHead(200, { 'content-encoding': coding }).end(bytes);
    const of = await start({ a: handler }, call('one') + call('two', 'max_reply = "4KiB"\non_failure = "omit"'));
    const { body } = await of.get();
    assert.equal((body as { one: unknown }).one, JSON.parse(text), coding);
    assert.equal((body as { errors: unknown[] }).errors.length, 1, coding);
    assert.is(of.services['a']!.got[0]?.headers['accept-encoding'], 'identity');
    await of.close();
    bed = undefined;
  }
  const of = await start(
    { a: (_got, reply) => void reply.writeHead(200, { 'content-encoding': 'rot13' }).end('x') },
    call('one'),
  );
  assert.is((await of.get()).status, 502);
});

test('all calls end with the client', async () => {
  const of = await start({ a: () => {}, b: () => {} }, call('one') + call('two', '', 'b'));
  const client = connect(of.plane.port, '127.0.0.1');
  client.write('GET /page/7 HTTP/1.1\r\nHost: a.example\r\n\r\n');
  const [a, b] = [of.services['a']!, of.services['b']!];
  await until(() => a.open + b.open === 2, 'both calls');
  client.resetAndDestroy();
  await until(() => a.left + b.left === 2, 'both calls have ended');
  assert.is((await of.plane.record(() => true)).error, 'downstream/aborted');
});

test('a failed required call cancels the safe calls in progress', async () => {
  const of = await start({ a: () => {}, b: status(500) }, call('slow') + call('bad', '', 'b'));
  assert.is((await of.get()).status, 502);
  await until(() => of.services['a']!.left === 1, 'the slow call has ended');
});

test('the deadline of the whole is 504 and names a required call that is missing', async () => {
  const of = await start(
    { a: json(1), b: () => {} },
    `[route.aggregate]\ntimeout = "200ms"\n${call('one') + call('two', 'default = 1', 'b') + call('three', '', 'b')}`,
  );
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [504, 'three']);
});

test('at the deadline of the whole, calls that are not required are replaced or left out', async () => {
  const late = { a: json([1]), b: () => {} };
  const calls = `${call('one') + call('two', 'default = 2', 'b') + call('three', 'on_failure = "omit"', 'b')}
[route.aggregate.call.each]
service = "b"
path = "/each/{item}"
for_each = "one"
max_items = 3
default = 0
${call('after', 'after = ["two"]\non_failure = "omit"')}`;
  const of = await start(late, `[route.aggregate]\ntimeout = "200ms"\n${calls}`);
  const reply = await of.get();
  const errors = ['three', 'after'].map((name) => ({ call: name, status: 504, code: 'aggregate/call-timeout' }));
  assert.equal(reply.body, { one: [1], two: 2, each: [], errors });
  assert.equal([reply.status, reply.headers.get('gw-incomplete')], [200, 'two, three, each, after']);
  await until(() => of.services['b']!.left === 3, 'the calls have ended');
  assert.equal(of.services['a']!.urls, ['/one/7']);
  await of.close();
  const decided = await start(
    late,
    `[route.aggregate]\ntimeout = "200ms"\nstatus = "$exists(two) ? 200 : 203"\n${call('one') + call('two', '', 'b')}`,
  );
  assert.equal([(await decided.get()).status, (await decided.get()).headers.get('gw-incomplete')], [203, 'two']);
});

test('the total of all bodies is bounded, and so is the memory of the worker', async () => {
  const big = json('x'.repeat(60_000));
  const of = await start({ a: big }, `[route.aggregate]\nmax_total = "100kB"\n${call('one') + call('two')}`);
  assert.is((await of.get()).status, 502);
  await of.close();
  const small = await start({ a: big }, call('one') + call('two'), {}, { bodyMemory: 100_000 });
  const reply = await small.get();
  assert.equal([reply.status, (reply.body as { type: string }).type], [503, 'urn:gw:problem:aggregate/overloaded']);
  // The memory is free again.
  small.services['a']!.handler = json('x');
  assert.is((await small.get()).status, 200);
});

test('digits of large integers stay as they are', async () => {
  const of = await start(
    { a: (_got, reply) => void reply.end('{"id": 9007199254740993, "ratio": 1.10}') },
    call('one'),
  );
  assert.is((await of.get()).text, '{"one":{"id": 9007199254740993, "ratio": 1.10}}');
});

test('services get the caller as a target of the route would, without fields about its own request', async () => {
  const of = await start(
    { a: json(1), b: json(1), c: json(1) },
    call('one') +
      call('two', 'pass = ["authorization"]\nheaders = { accept = "text/plain" }', 'b') +
      call('three', 'pass = []', 'c'),
    {
      more: `[consumer.acme]\napi_keys = ["sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"]\n[policy.keys]\nuse = "api-key"\n[policy.tenant]\nuse = "headers"\nrequest.set = { x-tenant = "{consumer.name}" }\n`,
      route: 'policies = ["keys", "tenant"]',
    },
  );
  const headers = {
    'x-api-key': 'acme-demo-key',
    'x-tenant': 'globex',
    authorization: 'Bearer of-the-client',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'if-none-match': '"x"',
    range: 'bytes=0-1',
    'accept-language': 'de',
    accept: 'text/html',
  };
  const reply = await of.get('/page/7', { headers });
  assert.is(reply.status, 200);
  const [one, two, three] = ['a', 'b', 'c'].map((name) => of.services[name]!.got[0]!.headers);
  assert.equal(
    [one!['x-tenant'], one!['accept-language'], one!['x-api-key'], one!['authorization']],
    ['acme', 'de', undefined, 'Bearer of-the-client'],
  );
  assert.equal([one!['if-none-match'], one!['range'], one!['accept']], [undefined, undefined, 'application/json']);
  assert.is(one!['x-forwarded-for'], '127.0.0.1');
  assert.equal(
    [two!['x-tenant'], two!['authorization'], two!['accept']],
    [undefined, 'Bearer of-the-client', 'text/plain'],
  );
  assert.equal([three!['x-tenant'], three!['authorization']], [undefined, undefined]);
  const { calls } = await of.plane.record(() => true);
  const spans = calls!.map(({ name, span }) => [name, span]);
  assert.is(new Set(spans.map(([, span]) => span)).size, 3);
  const trace = '00-0af7651916cd43dd8448eb211c80319c';
  for (const [name, span] of spans) {
    const got = { one, two, three }[name as 'one' | 'two' | 'three'];
    assert.is(got!['traceparent'], `${trace}-${span}-01`);
  }
  for (const got of [one, two, three]) {
    assert.is(got!['x-request-id'], one!['x-request-id']);
    assert.is(got!['x-forwarded-host'], `127.0.0.1:${of.plane.port}`);
  }
});

test('a client cannot send identity fields that policies of another route set for the same service', async () => {
  const of = await start({ a: json(1) }, call('one'), {
    more: `[policy.auth]\nuse = "forward-auth"\nservice = "a"\ntake = ["x-user"]\n[[route]]\nname = "other"\nmatch = "/other"\nto = "a"\npolicies = ["auth"]\n`,
  });
  assert.is((await of.get('/page/7', { headers: { 'x-user': 'root', 'x-other': '1' } })).status, 200);
  const { headers } = of.services['a']!.got[0]!;
  assert.equal([headers['x-user'], headers['x-other']], [undefined, '1']);
});

test('each call is in the record of the request, with its place in time', async () => {
  const of = await start(
    { a: json([1, 2]), b: status(503) },
    `${call('list')}[route.aggregate.call.each]
service = "b"
path = "/p/{item}?key=secret"
for_each = "list"
max_items = 5
on_failure = "omit"
`,
  );
  assert.is((await of.get()).status, 200);
  const record = await of.plane.record(() => true);
  const seen = record.calls!.map(({ bytes, durationMs: _, startMs: __, ...rest }) => ({ ...rest, bytes }));
  const [a, b] = [of.services['a']!.url, of.services['b']!.url];
  const common = { method: 'GET', error: null };
  assert.equal(seen, [
    { name: 'list', service: 'a', target: a, path: '/list/7', status: 200, bytes: 5, ...common },
    { name: 'each[0]', service: 'b', target: b, path: '/p/1', status: 503, bytes: 16, ...common },
    { name: 'each[1]', service: 'b', target: b, path: '/p/2', status: 503, bytes: 16, ...common },
  ]);
  const [list, first] = record.calls!;
  assert.ok(list!.startMs >= 0 && first!.startMs >= list!.startMs + list!.durationMs - 0.001);
});

test('a call that the reply does not wait for is in the record as abandoned', async () => {
  const of = await start({ a: () => {}, b: status(500) }, call('slow') + call('bad', '', 'b'));
  assert.is((await of.get()).status, 502);
  const { calls } = await of.plane.record(() => true);
  assert.equal(
    calls!.map(({ error, name, status: code }) => [name, code, error]),
    [
      ['bad', 500, null],
      ['slow', 0, 'call/abandoned'],
    ],
  );
});

test('a limit counts one aggregate as one request', async () => {
  const of = await start({ a: json(1) }, call('one') + call('two'), {
    more: `[policy.few]\nuse = "rate-limit"\nlimit = "2/h"\nby = "ip"\n`,
    route: 'policies = ["few"]',
  });
  assert.equal([(await of.get()).status, (await of.get()).status, (await of.get()).status], [200, 200, 429]);
  assert.is(of.services['a']!.got.length, 4);
});

test('a complete reply has a tag, and 304 answers a client that has it', async () => {
  const of = await start(
    { a: json({ v: 1 }, { 'cache-control': 'max-age=60', vary: 'accept-language' }) },
    call('one'),
  );
  const first = await of.get();
  const tag = first.headers.get('etag')!;
  assert.match(tag, /^"[\w-]{27}"$/);
  assert.match(first.headers.get('cache-control')!, /^max-age=(59|60)$/);
  assert.is(first.headers.get('vary'), 'accept-language');
  const again = await of.get('/page/7', { headers: { 'if-none-match': `"old", W/${tag}` } });
  assert.equal([again.status, again.text, again.headers.get('etag')], [304, '', tag]);
  assert.is(of.services['a']!.got[1]?.headers['if-none-match'], undefined);
  of.services['a']!.handler = json({ v: 2 });
  assert.is((await of.get('/page/7', { headers: { 'if-none-match': tag } })).status, 200);
});

test('HEAD has the fields of GET and no body', async () => {
  const of = await start({ a: json({ v: 1 }) }, call('one'));
  const get = await of.get();
  const head = await of.get('/page/7', { method: 'HEAD' });
  assert.equal([head.status, head.text, head.headers.get('etag')], [200, '', get.headers.get('etag')]);
  assert.is(head.headers.get('content-length'), get.headers.get('content-length'));
});

test('a text body becomes a string', async () => {
  const of = await start({ a: (_got, reply) => void reply.end('a "b"\n') }, call('one', 'as = "text"'));
  assert.equal((await of.get()).body, { one: 'a "b"\n' });
});

test('JSONata merges the bodies, makes bodies of calls, and selects items', async () => {
  const of = await start(
    {
      a: json({
        name: 'Desk',
        lines: [
          { id: 1, n: 2 },
          { id: 2, n: 0 },
        ],
      }),
      b: (got, reply) => json({ of: got.body || got.url })(got, reply),
      c: status(500),
    },
    `[route.aggregate]
merge = '{ "title": order.name, "user": $request.query.user, "parts": parts.of, "posted": posted.of, "failed": $errors.call, "state": $calls.order.status }'
status = "$exists(order.name) ? 203 : 404"
${call('order')}${call('gone', 'on_failure = "omit"', 'c')}
[route.aggregate.call.parts]
service = "b"
path = "/part/{item.id}"
for_each = "order.lines[n > 0]"
max_items = 5
[route.aggregate.call.posted]
service = "b"
method = "POST"
path = "/post"
json = '{ "sum": $sum(order.lines.n), "ids": [order.lines.id] }'
`,
  );
  const reply = await of.get('/page/7?user=ada&user=bob');
  assert.equal(reply.body, {
    title: 'Desk',
    user: 'ada',
    parts: '/part/1',
    posted: '{"sum":2,"ids":[1,2]}',
    failed: 'gone',
    state: 200,
  });
  assert.equal([reply.status, reply.headers.get('gw-incomplete')], [203, 'gone']);
});

test('an expression that fails is a failure of its call, or of the reply; a body keeps large integers', async () => {
  const of = await start(
    { a: (_got, reply) => void reply.end('{"id": 9007199254740993}'), b: json(1) },
    `[route.aggregate]
merge = '{ "id": one.id, "bad": $request.query.bad = "1" ? one.id + "x" : 0 }'
${call('one')}
[route.aggregate.call.two]
service = "b"
path = "/x/{calls.one.body.id}"
if = '$request.query.bad = "2" ? $error("no") : true'
`,
  );
  assert.is((await of.get()).text, '{"id":9007199254740993,"bad":0}');
  assert.equal(of.services['b']!.urls, ['/x/9007199254740993']);
  const [merge, only] = [await of.get('/page/7?bad=1'), await of.get('/page/7?bad=2')];
  assert.equal([merge.status, (merge.body as { type: string }).type], [502, 'urn:gw:problem:aggregate/merge']);
  assert.equal([only.status, (only.body as { call: string }).call], [502, 'two']);
});

test('calls use the JSON of the request, which is bounded', async () => {
  const of = await start(
    { a: json({ id: 5 }, {}, 201), b: json(1) },
    `[route.aggregate]
request_body = "100B"
[route.aggregate.call.order]
service = "a"
method = "POST"
path = "/orders"
json = '{ "lines": $body.lines[ok].id }'
[route.aggregate.call.mail]
service = "b"
method = "POST"
path = "/mail/{body.user.name}"
body = '{ "order": {calls.order.body.id}, "to": "{body.user.mail}" }'
`,
    { match: 'POST /page/{id}' },
  );
  const post = (body: string, headers = {}) => of.get('/page/7', { method: 'POST', body, headers });
  const sent = '{"user":{"name":"a/b","mail":"x\\"y"},"lines":[{"id":1},{"ok":true,"id":9007199254740993}]}';
  assert.is((await post(sent)).status, 200);
  assert.is(of.services['a']!.got[0]?.body, '{"lines":9007199254740993}');
  const [mail] = of.services['b']!.got;
  assert.equal([mail?.url, JSON.parse(mail?.body ?? '')], ['/mail/a%2Fb', { order: 5, to: 'x"y' }]);
  const type = async (reply: ReturnType<typeof post>) => [
    (await reply).status,
    ((await reply).body as { type: string }).type,
  ];
  assert.equal(await type(post('{')), [400, 'urn:gw:problem:aggregate/body']);
  assert.equal(await type(post(`"${'x'.repeat(100)}"`)), [413, 'urn:gw:problem:request/body-too-large']);
  assert.equal(await type(post(sent, { 'content-encoding': 'gzip' })), [415, 'urn:gw:problem:request/unreadable']);
  assert.is(of.services['a']!.got.length, 1);
});

test('at most 16 requests of an aggregate are in progress', async () => {
  const barrier = new Barrier(16);
  const handler: Handler = (got, reply) => {
    if (barrier.arrived >= 16) json(1)(got, reply);
    else barrier.pass(() => json(1)(got, reply));
  };
  const names = Array.from({ length: 30 }, (_, index) => `c${index}`);
  const of = await start({ a: handler }, names.map((name) => call(name)).join(''));
  assert.is((await of.get()).status, 200);
  assert.is(of.services['a']!.most, 16);
});

test('a service that is gone is 502', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const of = await start({ a: json(1) }, call('one') + call('two', '', 'gone'), {
    more: `[service.gone]\ntargets = ["${url}"]\n`,
  });
  const reply = await of.get();
  assert.equal([reply.status, (reply.body as { call: string }).call], [502, 'two']);
});

test.run();
