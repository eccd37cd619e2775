/** Ambiguous, incomplete and overlong replies of targets must not reach a client. */
import * as assert from 'uvu/assert';
import { ok, type RawReply, say, specOf, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('replies of targets', { service: 'retries = 0\neject_after = 0' });
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\n';

const INVALID: readonly (readonly [what: string, reply: string])[] = [
  ['a list of Content-Lengths', `${OK}Content-Length: 2, 2\r\n\r\nab`],
  ['two equal Content-Lengths', `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`],
  ['a signed Content-Length', `${OK}Content-Length: +2\r\n\r\nab`],
  ['an empty Content-Length', `${OK}Content-Length:\r\n\r\n`],
  ['a hexadecimal Content-Length', `${OK}Content-Length: 0x2\r\n\r\nab`],
  ['Content-Length and Transfer-Encoding', `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding and Content-Length', `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
  ['chunked twice', `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  ['two Transfer-Encodings', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['chunked that is not last', `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
  ['chunked with a parameter', `${OK}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`],
  ['identity', `${OK}Transfer-Encoding: identity\r\n\r\n`],
  ['an empty Transfer-Encoding', `${OK}Transfer-Encoding:\r\n\r\n`],
  ['a bare LF after a field', `${OK}A: b\nContent-Length: 0\r\n\r\n`],
  ['an empty line of LF alone', `${OK}Content-Length: 0\r\n\n`],
  ['a bare CR after a field', `${OK}A: b\rContent-Length: 0\r\n\r\n`],
  ['two CRs before the LF', `${OK}A: b\r\r\nContent-Length: 0\r\n\r\n`],
  ['a line without a colon', `${OK}nothing\r\n\r\n`],
  ['a first field that begins with a space', `${OK} A: b\r\n\r\n`],
  ['a name that is not a token', `${OK}A/B: c\r\n\r\n`],
  ['a non-ASCII name', `${OK}\xc4: c\r\n\r\n`],
  ['DEL in a value', `${OK}A: \x7f\r\n\r\n`],
  ['Connection with no token', `${OK}Connection: a b\r\nContent-Length: 0\r\n\r\n`],
  ['Connection with too many names', `${OK}Connection: ${'name,'.repeat(60)}\r\nContent-Length: 0\r\n\r\n`],
  ['a status with a sign', 'HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status with a leading zero', 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a reason after a tab', 'HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n'],
  ['two spaces before its status', 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a bare CR in its reason', 'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n'],
  ['a control byte in its reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n'],
  ['a lower-case version', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['HTTP/2.2', 'HTTP/2.2 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['an empty line first', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a 100 with a body', 'HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nab'],
  ['a chunked 103', 'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a 100 of HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\n'],
  ['nothing but a body', 'hello, world\r\n\r\n'],
];

for (const [what, reply] of INVALID) {
  test(`${what}: 502, and the connection is closed`, async ({ target, plane }) => {
    // The bytes after it would be the reply to another client's request.
    target.respond = say(`${reply}${OK}Content-Length: 6\r\n\r\npoison`);
    const client = plane.client();
    client.send(GET);
    const refused = await client.reply();
    assert.is(refused.status, 502);
    assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:upstream/invalid');
    await until(() => target.open === 0, 'the connection to be closed');
    target.respond = ok('mine');
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'mine');
    client.destroy();
  });
}

const BODILESS: readonly (readonly [what: string, method: string, head: string, status: number])[] = [
  ['204 with a Content-Length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n', 204],
  ['204 with chunks', 'GET', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', 204],
  ['304 with a Content-Length', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n', 304],
  ['304 with chunks', 'GET', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n', 304],
  ['HEAD with a Content-Length', 'HEAD', `${OK}Content-Length: 6\r\n\r\n`, 200],
  ['HEAD with chunks', 'HEAD', `${OK}Transfer-Encoding: chunked\r\n\r\n`, 200],
];

for (const [what, method, head, status] of BODILESS) {
  test(`${what}: a body after it is not forwarded`, async ({ target, plane }) => {
    target.respond = (request, socket) => {
      if (request.url === '/bodiless') socket.write(`${head}${OK}Content-Length: 6\r\n\r\npoison`);
      else ok('mine')(request, socket);
    };
    const client = plane.client();
    client.send(`${method} /bodiless HTTP/1.1\r\nHost: a\r\n\r\n${GET}`);
    assert.is((await client.reply({ head: true })).status, status);
    assert.is((await client.reply()).body.toString(), 'mine');
    client.destroy();
  });
}

test('204 with a framing field: the connection is not reused', async ({ target, plane }) => {
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    target.respond = say(`HTTP/1.1 204 No Content\r\n${framing}\r\n\r\n`);
    const reply = await plane.ask(GET);
    assert.is(reply.status, 204);
    assert.is(reply.header('content-length'), undefined);
    assert.is(reply.header('transfer-encoding'), undefined);
    await until(() => target.open === 0, 'the connection to be closed');
  }
  const before = target.connections;
  target.respond = say('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n');
  for (let i = 0; i < 3; i++) assert.is((await plane.ask(GET)).status, 204);
  assert.is(target.connections, before + 1);
});

test('framing fields are set by gw, even if Connection lists them', async ({ target, plane }) => {
  target.respond = say(`${OK}Connection: content-length, x-hop, date\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\nhello`);
  const reply: RawReply = await plane.ask(GET);
  assert.is(reply.header('content-length'), '5');
  assert.is(reply.header('x-hop'), undefined);
  assert.is(reply.body.toString(), 'hello');
});

test('a field value from a target cannot split the reply', async ({ target, plane }) => {
  target.respond = say(`${OK}X-A: b%0d%0aSet-Cookie: c\xe5\x98\x8a\xe5\x98\x8dX: y\r\nContent-Length: 0\r\n\r\n`);
  const reply = await plane.ask(GET);
  assert.is(reply.header('set-cookie'), undefined);
  assert.is(reply.header('x-a'), 'b%0d%0aSet-Cookie: c\xe5\x98\x8a\xe5\x98\x8dX: y');
});

test('a request value echoed in a reply cannot split the reply', async ({ target, plane }) => {
  target.respond = ok('x');
  await plane.load(
    specOf(target.url, {
      route:
        'policies = [{ use = "headers", reply.set = { x-echo = "{request.header.x-in}", x-path = "{param.rest}" } }]',
    }),
  );
  const reply = await plane.ask('GET /a%20b HTTP/1.1\r\nHost: a\r\nX-In: a%0d%0ab\xff\r\n\r\n');
  assert.is(reply.header('set-cookie'), undefined);
  assert.is(reply.status, 200);
  assert.is(reply.header('x-echo'), 'a%0d%0ab\xff');
  await plane.load(specOf(target.url, { service: 'retries = 0\neject_after = 0' }));
});

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n';

test('a 101 to an unrequested protocol, or without a protocol: 502', async ({ target, plane }) => {
  for (const fields of ['Upgrade: other\r\n', 'Upgrade: websocket, other\r\n', '']) {
    target.respond = say(`${SWITCH}${fields}\r\n`);
    const reply = await plane.ask(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo/2, websocket\r\n\r\n',
    );
    assert.is(reply.status, 502, fields);
  }
  target.respond = say(`${SWITCH}Upgrade: Foo/2\r\n\r\n`);
  const reply = await plane.ask(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo/2, websocket\r\n\r\n',
  );
  assert.is(reply.status, 101);
});

test('an invalid upgrade request is forwarded as a plain request', async ({ target, plane }) => {
  target.respond = ok('plain');
  for (const request of [
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n',
    'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
  ]) {
    assert.is((await plane.ask(request)).body.toString(), 'plain');
    assert.not.match(target.arrived.at(-1)!.head, /^(upgrade|connection|http2-settings):/im);
  }
});

test('interim replies are forwarded without hop-by-hop fields', async ({ target, plane }) => {
  target.respond = say(
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
  );
  const client = plane.client();
  client.send(GET);
  const hints = await client.reply();
  assert.is(hints.status, 103);
  assert.is(hints.header('link'), '</a>');
  assert.is(hints.header('x-hop'), undefined);
  assert.is((await client.reply()).status, 200);
  client.destroy();
});

test.run();
