/** Bodies that transform changes, over sockets: documents, lines and events, what cannot be read, and the fields about a body. */
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { type Fault, ok, say, sayInTurn, whole } from '../support/fault-target.js';
import { generationOf, specOf } from './engine-kit.js';
import { type EngineContext, engineSuite } from './engine-suite.js';

const test = engineSuite('transform: bodies');

const JSON_TYPE = 'Content-Type: application/json';
const HOST = 'Host: shop.example\r\n';

const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${HOST}${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const post = (path: string, body: string | Buffer, ...fields: string[]): string =>
  `POST ${path} HTTP/1.1\r\n${HOST}${fields.map((field) => `${field}\r\n`).join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body.toString('latin1')}`;

/** The routes of a spec, each with its own transform policy. */
const route = (match: string, edits: string, more = ''): string =>
  `[[route]]\nmatch = "${match}"\nto = "it"\n${more}\n[[route.policies]]\nuse = "transform"\n${edits}\n`;

const load = ({ plane, target }: EngineContext, more: string): Promise<void> =>
  plane.load(specOf(target.url, { more }));

/** What the target gets of a request: its body and some fields; or the code of the problem. */
async function sent(
  context: EngineContext,
  request: string,
): Promise<{ body: string; code?: string; status: number; header(name: string): string | undefined }> {
  let body = '';
  context.target.respond = whole((payload) => {
    body = payload.toString();
  });
  const before = context.target.arrived.length;
  const reply = await context.plane.ask(request);
  const got = context.target.arrived[before];
  const code =
    got === undefined ? String(JSON.parse(reply.body.toString()).type).replace('urn:gw:problem:', '') : undefined;
  return { body, status: reply.status, header: (name) => got?.header(name), ...(code === undefined ? {} : { code }) };
}

const reply = (body: string | Buffer, ...fields: string[]) =>
  say(
    `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body.toString('latin1')}`,
  );

test('a request body by JSONata, with variables and long integers', async (context) => {
  const program = `'''{ "order": $.id, "by": $request.headers."x-who", "q": $request.query.q, "at": $params.x, "id": $request.params.id }'''`;
  await load(
    context,
    route('/a/{id}', `request.body.jsonata = ${program.replace(', "at": $params.x', '')}`) +
      route('/b', `request.body.jsonata = "items[price > 1].name"`),
  );
  const first = await sent(
    context,
    post('/a/7?q=tea', '{"id":9007199254740993,"x":1}', JSON_TYPE, 'X-Who: me', 'Content-MD5: x'),
  );
  assert.is(first.body, '{"order":9007199254740993,"by":"me","q":"tea","id":"7"}');
  assert.is(first.header('content-length'), String(first.body.length));
  assert.is(first.header('content-md5'), undefined);
  assert.is(first.header('content-type'), 'application/json');
  const chunked = `POST /b HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n{"items":[{"price":2,"name"\r\n7\r\n:"a"}]}\r\n0\r\n\r\n`;
  const second = await sent(context, chunked);
  assert.is(second.body, '"a"');
  assert.is(second.header('transfer-encoding'), undefined);
  // No result is null.
  assert.is((await sent(context, post('/b', '{"items":[]}', JSON_TYPE))).body, 'null');
});

test('a request body that cannot be read: 400, or unchanged', async (context) => {
  await load(
    context,
    route('/fail', 'request.body.jsonata = "$"') +
      route('/pass', 'request.body = { jsonata = "$error(\\"no\\")", on_invalid = "pass" }') +
      route('/error', 'request.body.jsonata = "$sum(a)"') +
      route('/small', 'request.body = { jsonata = "$", max_body = "10B" }'),
  );
  assert.equal(
    [
      (await sent(context, post('/fail', '{"a":', JSON_TYPE))).code,
      (await sent(context, post('/error', '{"a":["x"]}', JSON_TYPE))).code,
    ],
    ['transform/request-body', 'transform/request-body'],
  );
  const asked = await context.plane.ask(post('/fail', '{"a":1,"a":2}', JSON_TYPE));
  assert.equal([asked.status, JSON.parse(asked.body.toString()).detail.includes('`a`')], [400, true]);
  assert.is(
    (await context.plane.ask(post('/fail', '{}', 'Content-Type: application/json; charset=utf-16'))).status,
    400,
  );
  assert.is((await context.plane.ask(post('/fail', Buffer.from([0xff]), JSON_TYPE))).status, 400);
  for (const body of ['{"a":', '{"a":1}', '\x00'])
    assert.is((await sent(context, post('/pass', body, JSON_TYPE))).body, body);
  assert.is((await context.plane.ask(post('/small', '{"a":"bcdefgh"}', JSON_TYPE))).status, 413);
  const coded = gzipSync('{}');
  assert.is((await context.plane.ask(post('/fail', coded, JSON_TYPE, 'Content-Encoding: gzip'))).status, 415);
  assert.is((await sent(context, post('/pass', 'xyz', JSON_TYPE, 'Content-Encoding: gzip'))).body, 'xyz');
});

test('other media types pass, or get 415; an empty body passes', async (context) => {
  await load(
    context,
    route('/pass', 'request.body.jsonata = "1"') +
      route('/fail', 'request.body = { jsonata = "1", other_types = "fail" }'),
  );
  const multipart = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n';
  assert.is(
    (await sent(context, post('/pass', multipart, 'Content-Type: multipart/form-data; boundary=x'))).body,
    multipart,
  );
  assert.is((await sent(context, post('/pass', 'a'))).body, 'a');
  assert.is((await sent(context, post('/pass', '{}', 'Content-Type: application/merge-patch+json'))).body, '1');
  assert.is((await sent(context, post('/pass', '', JSON_TYPE))).body, '');
  const refused = await context.plane.ask(post('/fail', 'a=1', 'Content-Type: application/x-www-form-urlencoded'));
  assert.equal([refused.status, refused.header('accept')], [415, 'application/json, application/x-ndjson']);
  assert.is((await context.plane.ask(get('/fail'))).status, 200);
});

test('a body with a second media type does not pass unchanged', async (context) => {
  await load(context, route('/x', 'request.body.omit = ["secret"]\nreply.body.omit = ["secret"]'));
  for (const types of [`${JSON_TYPE}\r\nContent-Type: text/plain`, 'Content-Type: text/plain, application/json']) {
    const asked = await sent(context, post('/x', '{"secret":1}', types));
    assert.not.match(asked.body, /secret/);
    context.target.respond = reply('{"secret":1}', types);
    assert.is((await context.plane.ask(get('/x'))).body.toString(), '{}');
  }
});

test('an event stream with a content coding passes byte for byte with on_invalid = "pass"', async (context) => {
  await load(context, route('/x', 'reply.body = { omit = ["x"], on_invalid = "pass" }'));
  const encoded = gzipSync('data: {"x":1}\n\n'.repeat(3));
  context.target.respond = reply(encoded, 'Content-Type: text/event-stream', 'Content-Encoding: gzip');
  assert.equal((await context.plane.ask(get('/x'))).body, encoded);
});

test('a reply body, and the fields that describe it', async (context) => {
  await load(context, route('/x', 'reply.body.jsonata = "{ \\"id\\": id, \\"status\\": $reply.status }"'));
  const fields = [JSON_TYPE, 'ETag: "a"', 'Accept-Ranges: bytes', 'Content-Digest: sha-256=:x:', 'X-Kept: 1'];
  context.target.respond = reply('{"id":12345678901234567890,"secret":1}', ...fields);
  const got = await context.plane.ask(get('/x', 'Range: bytes=0-1', 'If-Range: "a"', 'Accept-Encoding: gzip'));
  assert.is(got.body.toString(), '{"id":12345678901234567890,"status":200}');
  assert.equal(
    ['content-length', 'etag', 'accept-ranges', 'content-digest', 'x-kept', 'content-type'].map((name) =>
      got.header(name),
    ),
    [String(got.body.length), undefined, undefined, undefined, '1', 'application/json'],
  );
  const asked = context.target.arrived[0]!;
  assert.equal(
    ['range', 'if-range', 'accept-encoding'].map((name) => asked.header(name)),
    [undefined, undefined, 'identity'],
  );
});

test('HEAD, 204, 304 and empty replies', async (context) => {
  await load(context, route('/x', 'reply.body.jsonata = "1"'));
  const head = `HEAD /x HTTP/1.1\r\n${HOST}\r\n`;
  context.target.respond = say(`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nETag: "a"\r\nContent-Length: 20\r\n\r\n`);
  const first = await context.plane.ask(head, { head: true });
  assert.equal([first.status, first.header('content-length'), first.header('etag')], [200, undefined, undefined]);
  for (const [line, status] of [
    [`204 No Content\r\n${JSON_TYPE}\r\n\r\n`, 204],
    [`304 Not Modified\r\nETag: "a"\r\n\r\n`, 304],
    [`200 OK\r\n${JSON_TYPE}\r\nContent-Length: 0\r\n\r\n`, 200],
  ] as const) {
    context.target.respond = say(`HTTP/1.1 ${line}`);
    const got = await context.plane.ask(get('/x'));
    assert.equal([got.status, got.body.length], [status, 0], line);
  }
});

test('a reply that cannot be read: 502, or unchanged', async (context) => {
  await load(
    context,
    route('/fail', 'reply.body.jsonata = "$sum(a)"') +
      route('/pass', 'reply.body = { jsonata = "$sum(a)", on_invalid = "pass" }') +
      route('/other', 'reply.body = { jsonata = "1", other_types = "fail" }'),
  );
  const coded = gzipSync('{"a":[1]}');
  for (const [body, ...fields] of [
    ['{"a":', JSON_TYPE],
    ['{"a":["x"]}', JSON_TYPE],
    ['{"a":[1]}', 'Content-Type: application/json; charset=iso-8859-1'],
    [coded, JSON_TYPE, 'Content-Encoding: gzip'],
  ] as const) {
    context.target.respond = reply(body, ...fields);
    assert.is((await context.plane.ask(get('/fail'))).status, 502, String(body));
    const passed = await context.plane.ask(get('/pass', 'Range: bytes=0-1', 'Accept-Encoding: gzip'));
    assert.equal(
      [passed.status, passed.body.equals(Buffer.from(body.toString('latin1'), 'latin1'))],
      [200, true],
      String(body),
    );
    assert.is(context.target.arrived.at(-1)!.header('accept-encoding'), 'identity');
    assert.is(context.target.arrived.at(-1)!.header('range'), undefined);
  }
  const record = await context.plane.record(({ error }) => error === 'transform/reply-body');
  assert.match(record.cause ?? '', /the body is not valid JSON \(syntax\)/);
  context.target.respond = reply('<p>', 'Content-Type: text/html');
  assert.is((await context.plane.ask(get('/fail'))).body.toString(), '<p>');
  assert.is((await context.plane.ask(get('/other'))).status, 502);
  context.target.respond = say(
    'HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\n{}',
  );
  assert.is((await context.plane.ask(get('/fail'))).status, 502);
});

test('lines and events of a reply are transformed as they come', async (context) => {
  await load(context, route('/x', 'reply.body.jsonata = "keep ? { \\"n\\": n, \\"s\\": $reply.status }"'));
  const lines = ['{"keep":true,"n":1}', '', '{"keep":false}', '{"keep":true,"n":9007199254740993}'];
  context.target.respond = reply(lines.join('\n'), 'Content-Type: application/x-ndjson');
  const got = await context.plane.ask(get('/x'));
  assert.is(got.body.toString(), '{"n":1,"s":200}\n\n{"n":9007199254740993,"s":200}\n');

  const events = `: hi\n\nevent: a\nid: 1\ndata: {"keep":true,\ndata: "n":1}\nretry: 5\n\ndata: {"keep":false}\r\n\r\ndata: [DONE]\n\n`;
  context.target.respond = reply(events, 'Content-Type: text/event-stream; charset=utf-8');
  const streamed = await context.plane.ask(get('/x'));
  assert.is(streamed.body.toString(), ': hi\n\nevent: a\nid: 1\ndata: {"n":1,"s":200}\nretry: 5\n\ndata: [DONE]\n\n');
  assert.is(streamed.header('content-type'), 'text/event-stream; charset=utf-8');
});

test('an event reaches the client before the next one has come', async (context) => {
  await load(context, route('/x', 'reply.body.jsonata = "n"'));
  let more = (): void => {};
  context.target.respond = (_request, socket) => {
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n10\r\ndata: {"n": 1}\n\n\r\n',
    );
    more = () => socket.end('10\r\ndata: {"n": 2}\n\n\r\n0\r\n\r\n');
  };
  const client = context.plane.client();
  client.send(get('/x'));
  let text = '';
  await new Promise<void>((resolve) => {
    client.socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes('data: 1\n\n')) resolve();
    });
  });
  assert.not.match(text, /data: 2/);
  const rest = new Promise<void>((resolve) => {
    client.socket.on('data', () => {
      if (text.includes('data: 2\n\n')) resolve();
    });
  });
  more();
  await rest;
  client.destroy();
});

test('an event that cannot be read ends the reply, and passes with on_invalid = "pass"', async (context) => {
  await load(
    context,
    route('/fail', 'reply.body = { jsonata = "n", max_body = "100B" }') +
      route('/pass', 'reply.body = { jsonata = "n", on_invalid = "pass" }'),
  );
  context.target.respond = reply('data: {"n":1}\n\ndata: {"n":\n\n', 'Content-Type: text/event-stream');
  assert.is((await context.plane.ask(get('/pass'))).body.toString(), 'data: 1\n\ndata: {"n":\n\n');
  context.target.respond = reply('data: {"n":\n\n', 'Content-Type: text/event-stream');
  assert.is((await context.plane.ask(get('/fail'))).status, 502);
  context.target.respond = reply(`{"n":"${'x'.repeat(200)}"}`, 'Content-Type: application/x-ndjson');
  assert.is((await context.plane.ask(get('/fail'))).status, 502);
  // What has left cannot be taken back: the client sees that the reply is cut.
  const first = `HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"n":1}\n\r\n`;
  context.target.respond = sayInTurn(first, '2\r\n{\n\r\n0\r\n\r\n');
  const client = context.plane.client();
  client.send(get('/fail'));
  let text = '';
  client.socket.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await new Promise((resolve) => client.socket.once('close', resolve));
  assert.match(text, /1\n/);
  assert.not.match(text, /\r\n0\r\n\r\n$/);
});

test('links in a JSON body lead back behind the prefix', async (context) => {
  const edits = 'reply = { links = {}, body.links = ["next", "items[*].href"] }';
  await load(context, route('/api/{rest...}', edits, 'strip_prefix = "/api"'));
  context.target.respond = reply(
    `{"next":"${context.target.url}/a?page=2","self":"/a","items":[{"href":"/a/1"},{"href":"https://elsewhere.example/"}]}`,
    JSON_TYPE,
  );
  assert.is(
    (await context.plane.ask(get('/api/a'))).body.toString(),
    '{"next":"/api/a?page=2","self":"/a","items":[{"href":"/api/a/1"},{"href":"https://elsewhere.example/"}]}',
  );
});

const XML_TYPE = 'Content-Type: text/xml';

test('a condition over the reply selects the replies whose bodies are transformed', async (context) => {
  await load(context, route('/x', `when = "reply.status == 200"\nreply.body.omit = ["secret"]`));
  context.target.respond = reply('{"id":1,"secret":2}', JSON_TYPE);
  assert.is((await context.plane.ask(get('/x', 'Range: bytes=0-1'))).body.toString(), '{"id":1}');
  assert.is(context.target.arrived[0]!.header('range'), undefined);
  context.target.respond = say(`HTTP/1.1 404 No\r\n${JSON_TYPE}\r\nContent-Length: 12\r\n\r\n{"secret":2}`);
  assert.is((await context.plane.ask(get('/x'))).body.toString(), '{"secret":2}');
});

test('a legacy service with XML, behind JSON', async (context) => {
  const edits = `request.body = { to = "xml", set = { 'order."@channel"' = "web" } }
reply.body = { from = "xml", to = "json", xml_arrays = ["orders.order"], on_invalid = "fail" }`;
  await load(context, route('/orders', edits) + route('/pass', edits.replaceAll('"fail"', '"pass"')));
  const got = await sent(
    context,
    post('/orders', '{"order":{"id":9007199254740993,"line":["a","b & c"],"note":null}}', JSON_TYPE),
  );
  assert.is(
    got.body,
    '<?xml version="1.0" encoding="UTF-8"?>\n<order channel="web"><id>9007199254740993</id><line>a</line><line>b &amp; c</line><note/></order>',
  );
  assert.is(got.header('content-type'), 'application/xml; charset=utf-8');
  assert.is((await sent(context, post('/orders', '{"a":1,"b":2}', JSON_TYPE))).code, 'transform/request-body');

  context.target.respond = reply('<orders><order id="007"><n>1</n></order></orders>', XML_TYPE);
  const json = await context.plane.ask(get('/orders'));
  assert.equal(
    [json.header('content-type'), json.body.toString()],
    ['application/json', '{"orders":{"order":[{"@id":"007","n":"1"}]}}'],
  );
  const head = await context.plane.ask(`HEAD /orders HTTP/1.1\r\n${HOST}\r\n`, { head: true });
  assert.is(head.header('content-type'), 'application/json');
  for (const hostile of [
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>',
    `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`,
  ]) {
    context.target.respond = reply(hostile, XML_TYPE);
    assert.is((await context.plane.ask(get('/orders'))).status, 502, hostile.slice(0, 20));
    const passed = await context.plane.ask(get('/pass'));
    assert.equal([passed.header('content-type'), passed.body.toString()], ['text/xml', hostile]);
  }
});

test('forms become JSON, and JSON becomes a form', async (context) => {
  await load(
    context,
    route('/in', 'request.body = { from = "form", to = "json", omit = ["token"], other_types = "fail" }') +
      route(
        '/out',
        'request.body = { to = "form" }\nrequest.headers.set = { content-type = "application/x-www-form-urlencoded; charset=utf-8" }',
      ),
  );
  const FORM = 'Content-Type: application/x-www-form-urlencoded';
  const got = await sent(context, post('/in', 'a=1&b=x+y&b=%C3%A9&token=s&c', FORM));
  assert.equal([got.body, got.header('content-type')], ['{"a":"1","b":["x y","é"],"c":""}', 'application/json']);
  assert.is((await sent(context, post('/in', 'a=%zz', FORM))).code, 'transform/request-body');
  assert.is((await sent(context, post('/in', '{}', JSON_TYPE))).status, 415);
  const out = await sent(context, post('/out', '{"a":12345678901234567890,"b":["x y",true,null]}', JSON_TYPE));
  assert.is(out.body, 'a=12345678901234567890&b=x+y&b=true&b=');
  // The edit of the field counts.
  assert.is(out.header('content-type'), 'application/x-www-form-urlencoded; charset=utf-8');
  assert.is((await sent(context, post('/out', '{"a":{"b":1}}', JSON_TYPE))).code, 'transform/request-body');
});

const LINES_TYPE = 'Content-Type: application/x-ndjson';
const LINES_HEAD = `POST /x HTTP/1.1\r\n${HOST}${LINES_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n`;
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

/** Calls back with the bytes of the body, framing included, each time that more have come. */
const onRest =
  (look: (rest: string, socket: Socket) => void): Fault =>
  (request, socket) => {
    const now = (): void => look(request.rest.toString(), socket);
    socket.on('error', () => {});
    socket.on('data', now);
    now();
  };

test('lines of a request are transformed one by one', async (context) => {
  await load(
    context,
    route('/x', 'request.body.jsonata = "n > 1 ? n"') +
      route('/pass', 'request.body = { omit = ["n"], on_invalid = "pass" }'),
  );
  const got = await sent(context, post('/x', '{"n":1}\r\n{"n":2}\n\n{"n":3}', LINES_TYPE));
  assert.is(got.body, '2\n\n3\n');
  assert.is((await sent(context, post('/x', '{"n":2}\n{', LINES_TYPE))).code, 'transform/request-body');
  assert.is((await sent(context, post('/x', '2', `${LINES_TYPE}; charset=utf-16`))).code, 'transform/request-body');
  assert.is(
    (await sent(context, post('/pass', Buffer.from('{"n":1}\n{\xff\r\n{}', 'latin1'), LINES_TYPE))).body,
    '{}\n{\ufffd\r\n{}\n',
  );
  const encoded = gzipSync('{"n":1}\n'.repeat(10));
  const [raw] = [await sent(context, post('/pass', encoded, LINES_TYPE, 'Content-Encoding: gzip'))];
  assert.equal([raw.body, raw.header('content-length')], [encoded.toString(), String(encoded.length)]);
});

test('a line of a request reaches the target before the next one has come', async (context) => {
  await load(context, route('/x', 'request.body.jsonata = "n"'));
  let text = '';
  let onText = (): void => {};
  context.target.respond = onRest((rest, socket) => {
    text = rest;
    onText();
    if (text.endsWith('0\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const has = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      onText = () => {
        if (text.includes(wanted)) resolve();
      };
      onText();
    });
  const client = context.plane.client();
  client.send(LINES_HEAD + chunk('{"n":"first"}\n{"n":'));
  await has('"first"\n');
  assert.not.match(text, /second/);
  client.send(`${chunk('"second"}')}0\r\n\r\n`);
  await has('"second"\n');
  assert.is((await client.reply()).status, 200);
});

test('a line of a request that cannot be read gives 400 while no reply has begun, also if the target got the lines before it', async (context) => {
  await load(context, route('/x', 'request.body.jsonata = "n"'));
  let got = '';
  let onFirst = (): void => {};
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  let onClose = (): void => {};
  const closed = new Promise<void>((resolve) => {
    onClose = resolve;
  });
  context.target.respond = onRest((rest, socket) => {
    got = rest;
    if (got.includes('1\n')) onFirst();
    socket.on('close', onClose);
  });
  const client = context.plane.client();
  client.send(LINES_HEAD + chunk('{"n":1}\n'));
  await first;
  client.send(chunk('{"n":\n{"n":3}\n'));
  const refused = await client.reply();
  assert.is(refused.status, 400);
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:transform/request-body');
  await closed;
  assert.not.match(got, /3\n|0\r\n\r\n/);
  const record = await context.plane.record(({ error }) => error === 'transform/request-body');
  assert.match(record.cause ?? '', /not valid JSON/);
});

test('a line that cannot be read after the reply has begun cuts the reply', async (context) => {
  await load(context, route('/x', 'request.body.jsonata = "n"'));
  context.target.respond = (_request, socket) => {
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('early')}`);
  };
  const client = context.plane.client();
  let text = '';
  let onText = (): void => {};
  client.socket.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    onText();
  });
  const early = new Promise<void>((resolve) => {
    onText = () => {
      if (text.includes('early')) resolve();
    };
  });
  client.send(LINES_HEAD + chunk('{"n":1}\n'));
  await early;
  client.send(chunk('{\n'));
  await new Promise((resolve) => client.socket.once('close', resolve));
  assert.not.match(text, /\r\n0\r\n\r\n$/);
});

test('values of the spec: decimals, lists and tables', async (context) => {
  await load(context, route('/x', 'request.body.set = { a = 1.5, b = [-0.25, "{request.method}"], c.d = { e = [] } }'));
  const got = await sent(context, post('/x', '{"a":{},"z":1}', JSON_TYPE));
  assert.is(got.body, '{"a":1.5,"z":1,"b":[-0.25,"POST"],"c":{"d":{"e":[]}}}');
  for (const wrong of ['inf', '[nan]', '[9007199254740993]'])
    assert.throws(() => specErrors(`request.body.set.a = ${wrong}`), /schema\/value/, wrong);
});

const specErrors = (edits: string): unknown =>
  generationOf(specOf('http://127.0.0.1:9', { more: route('/x', edits) }), new StatsRegistry({ workers: 1 }));

test('a program without end is stopped', async (context) => {
  await load(context, route('/x', 'request.body.jsonata = "($f := function($n) { $f($n + 1) }; $f(1))"'));
  assert.is((await sent(context, post('/x', '{}', JSON_TYPE))).code, 'transform/request-body');
  const record = await context.plane.record(({ error }) => error === 'transform/request-body');
  assert.match(record.cause ?? '', /jsonata \((steps|depth|time)/);
  context.target.respond = ok('hello');
  assert.is((await context.plane.ask(get('/x'))).status, 200);
});

test.run();
