/** mask over real sockets. */
import zlib from 'node:zlib';
import * as assert from 'uvu/assert';
import { ok, say } from '../../support/fault-target.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('mask');

const get = (path = '/', fields = '', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;

const RULES = `reply = [
  { paths = ["**.password"], remove = true }, { paths = ["card"], keep_last = 4 },
  { headers = ["x-user"] }, { find = ["email"] },
]
logs = [{ query = ["token"] }, { params = ["rest"], find = ["card"] }, { find = ["email"] }]`;

const load = ({ plane, target }: EngineContext, more = '', policies = '"private"', rules = RULES): Promise<void> =>
  plane.load(
    specOf(target.url, {
      route: `policies = [${policies}]`,
      more: `[policy.private]\nuse = "mask"\n${rules}\n${more}`,
    }),
  );

const JSON_BODY = '{"id":12345678901234567890,"password":"p","card":"4111111111111111","note":"to a@b.co"}';
const JSON_TYPE = 'Content-Type: application/json\r\nETag: "v1"\r\nX-User: ann\r\n';

const FAILED = /^HTTP\/1\.1 502 /;

test('a JSON reply and its fields are masked', async (context) => {
  await load(context);
  context.target.respond = ok(JSON_BODY, JSON_TYPE);
  const reply = await context.plane.ask(get('/', 'Accept-Encoding: gzip\r\nRange: bytes=0-3\r\n'));
  assert.is(reply.body.toString(), '{"id":12345678901234567890,"card":"************1111","note":"to ***"}');
  assert.is(reply.header('x-user'), '***');
  assert.is(reply.header('etag'), undefined);
  assert.is(reply.header('content-length'), String(reply.body.length));
  const [request] = context.target.arrived;
  assert.is(request?.header('range'), undefined);
  assert.not.match(request?.header('accept-encoding') ?? 'identity', 'gzip');
});

test('a reply in chunks, in small pieces', async (context) => {
  await load(context);
  const chunks = Array.from(JSON_BODY, (char) => `1\r\n${char}\r\n`).join('');
  context.target.respond = say(`HTTP/1.1 200 OK\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  const { body } = await context.plane.ask(get());
  assert.is(body.toString(), '{"id":12345678901234567890,"card":"************1111","note":"to ***"}');
});

test('HEAD tells no length of the body that is not masked', async (context) => {
  await load(context);
  context.target.respond = say(`HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: ${JSON_BODY.length}\r\n\r\n`);
  const reply = await context.plane.ask(get('/', '', 'HEAD'), { head: true });
  assert.is(reply.header('content-length'), undefined);
  assert.is(reply.header('x-user'), '***');
});

const REFUSED: readonly (readonly [what: string, reply: string, code: string])[] = [
  ['JSON that is broken', `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 14\r\n\r\n{"password":"p`, 'mask/unreadable'],
  [
    'a content coding',
    `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`,
    'upstream/unreadable',
  ],
  [
    'a part',
    `HTTP/1.1 206 Partial Content\r\n${JSON_TYPE}Content-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\n{}`,
    'upstream/unreadable',
  ],
  [
    'a large body',
    `HTTP/1.1 200 OK\r\n${JSON_TYPE}Content-Length: 3000\r\n\r\n"${'x'.repeat(2998)}"`,
    'upstream/too-large',
  ],
  [
    'a line that is broken',
    'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 14\r\n\r\n{"password":"p',
    'mask/unreadable',
  ],
];

for (const [what, text, code] of REFUSED)
  test(`${what} gets 502, and nothing of it is sent`, async (context) => {
    await load(context, '', undefined, `${RULES}\nmax_body = "2KiB"`);
    context.target.respond = say(text);
    const reply = await context.plane.ask(get());
    assert.match(reply.statusLine, FAILED);
    assert.match(reply.body.toString(), code);
    assert.not.match(reply.body.toString(), 'password');
    assert.is(reply.header('x-user'), code === 'mask/unreadable' ? undefined : reply.header('x-user'));
  });

test('a body that is broken passes where the spec says so', async (context) => {
  await load(context, '', undefined, `${RULES}\non_invalid = "pass"`);
  context.target.respond = ok('{"a":"x@y.zz"', JSON_TYPE);
  assert.is((await context.plane.ask(get())).body.toString(), '{"a":"***"');
});

test('events are masked one by one, and a broken one cuts the reply', async (context) => {
  await load(context);
  let send: (text: string) => void = () => {};
  context.target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    send = (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  };
  const client = context.plane.client();
  client.send(get());
  await until(() => context.target.arrived.length > 0, 'the request');
  send('data: {"password":"p","n":1}\n\ndata: {"n"');
  await until(() => client.pending.includes('"n":1'), 'the first event');
  assert.match(client.pending, 'data: {"n":1}');
  send(':2}\n\n');
  await until(() => client.pending.includes('"n":2'), 'the second event');
  send('data: {"password":\n\n');
  await client.end();
  assert.not.match(client.pending, 'password');
  assert.not.match(client.pending, /0\r\n\r\n$/);
});

test('a compressed reply is masked before', async (context) => {
  await load(context, '[policy.small]\nuse = "compress"\ncodings = ["gzip"]\nmin_size = "1B"\n', '"small", "private"');
  context.target.respond = ok(JSON_BODY, JSON_TYPE);
  const reply = await context.plane.ask(get('/', 'Accept-Encoding: gzip\r\n'));
  assert.is(reply.header('content-encoding'), 'gzip');
  assert.match(zlib.gunzipSync(reply.body).toString(), '"note":"to ***"');
});

for (const order of ['"private", "more"', '"more", "private"'])
  test(`what transform adds is masked too: ${order}`, async (context) => {
    const transform = '[policy.more]\nuse = "transform"\nreply.headers.set.x-user = "{request.header.x-name}"\n';
    await load(context, transform, order);
    context.target.respond = ok('{}', 'Content-Type: application/json\r\n');
    const reply = await context.plane.ask(get('/', 'X-Name: ann\r\n'));
    assert.is(reply.header('x-user'), '***');
  });

for (const order of ['"private", "more"', '"more", "private"']) {
  test(`what a program of transform makes is masked too: ${order}`, async (context) => {
    const program = `'$merge([$, { "password": note, "mail": "x@y.zz" }])'`;
    const transform = `[policy.more]\nuse = "transform"\nreply.body.jsonata = ${program}\n`;
    await load(context, transform, order);
    context.target.respond = ok('{"note":"n"}', 'Content-Type: application/json\r\n');
    assert.is((await context.plane.ask(get())).body.toString(), '{"note":"n","mail":"***"}');
    context.target.respond = ok('{"note":1}\n{"note":2}\n', 'Content-Type: application/x-ndjson\r\n');
    assert.is((await context.plane.ask(get())).body.toString(), '{"note":1,"mail":"***"}\n{"note":2,"mail":"***"}\n');
  });
}

test('an error of gw that replaces the reply of a target has nothing of it', async (context) => {
  await load(context);
  context.target.respond = ok('{"password":', JSON_TYPE);
  const reply = await context.plane.ask(get());
  assert.is(reply.status, 502);
  assert.is(reply.header('x-user'), undefined);
});

// ---------------------------------------------------------------- records

test('records are masked, also of refused requests and of those without a route', async (context) => {
  const guarded = '[policy.closed]\nuse = "block"\nagents = ["bad"]\n';
  await load(context, guarded, '"closed", "private"');
  context.target.respond = ok('{}', 'Content-Type: application/json\r\n');
  const { plane } = context;
  await plane.ask(get('/4111111111111111/x?token=secret&mail=a%40b.co&q=1'));
  const first = await plane.record(({ status }) => status === 200);
  assert.is(first.url, '/***/x?token=***&mail=***&q=1');
  await plane.ask(get('/x?token=secret', 'User-Agent: bad\r\n'));
  assert.is((await plane.record(({ status }) => status === 403)).url, '/x?token=***');
});

test('a request that no route takes has the masks of all policies', async (context) => {
  await context.plane.load(
    specOf(context.target.url, {
      route: 'policies = ["private"]',
      more: `[policy.private]\nuse = "mask"\n${RULES}\n`,
    }).replace('match = "/{rest...}"', 'match = "GET /here/{rest...}"'),
  );
  await context.plane.ask(get('/there/a@b.co?token=secret'));
  assert.is((await context.plane.record(({ status }) => status === 404)).url, '/there/***?token=***');
});

test('the records that a new watcher gets are masked', async (context) => {
  await load(context);
  context.target.respond = ok('{}', 'Content-Type: application/json\r\n');
  const { plane } = context;
  plane.plane.watch('off');
  await plane.ask(get('/x?token=secret'));
  plane.plane.watch('records');
  await until(() => plane.recent.length > 0, 'the records');
  assert.is(plane.recent.at(-1)?.url, '/x?token=***');
});

test.run();
