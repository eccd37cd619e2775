/** HTTP/2 between clients and gw: what a request and its reply become, RFC 9113 section 8. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { GET, headers, hpack, POST } from '../../support/http2/hpack.js';
import { END_HEADERS, END_STREAM, frame, RawHttp2, Type } from '../../support/http2/raw-client.js';
import { ask, sessionTo } from '../../support/http2/session.js';
import { type Fault, say, specOf, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');

const test = sharedEngineSuite('HTTP/2', { route: 'timeout = "20s"' });

let session: ClientHttp2Session;
let authority = '';

test.before(({ plane }) => {
  session = sessionTo(plane.port);
  authority = `127.0.0.1:${plane.port}`;
});
test.after(() => session.destroy());
test.before.each(({ target }) => {
  target.arrived.length = 0;
  target.respond = say(
    'HTTP/1.1 200 OK\r\nX-Mixed-Case: yes\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nhello',
  );
});

const path = '/hello';

test('a request without a body becomes one of HTTP/1.1, and its reply comes back', async ({ target }) => {
  const reply = await ask(session, { ':path': '/hello?a=1', 'x-one': '1', cookie: ['a=1', 'b=2'] });
  assert.is(reply.status, 200);
  assert.is(reply.body, 'hello');
  assert.is(reply.headers['x-mixed-case'], 'yes');
  assert.equal(reply.headers['set-cookie'], ['a=1', 'b=2']);
  assert.is(reply.headers['content-length'], '5');
  assert.ok(reply.headers['x-request-id']);
  const [got] = target.arrived;
  assert.is(got!.url, '/hello?a=1');
  assert.is(got!.method, 'GET');
  assert.is(got!.header('host'), authority);
  assert.is(got!.header('cookie'), 'a=1; b=2');
  assert.is(got!.header('via'), '2.0 gw');
  assert.is(got!.header('x-forwarded-proto'), 'http');
});

test('a body above the first window arrives while there is no reply', async ({ target }) => {
  let bytes = 0;
  target.respond = (request, socket) => {
    bytes = request.rest.length;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
  };
  const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false });
  stream.on('error', () => undefined);
  stream.write(Buffer.alloc(300_000));
  await until(() => bytes >= 300_000, 'the body');
  stream.close();
});

/** Waits for the whole request, and says what came. */
const echo: Fault = (request, socket) => {
  const look = (): void => {
    const text = request.rest.toString('latin1');
    const done = request.header('content-length') === String(text.length) || text.endsWith('\r\n\r\n');
    if (!done) return;
    socket.off('data', later);
    const body = JSON.stringify({
      text,
      length: request.header('content-length'),
      coding: request.header('transfer-encoding'),
    });
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  };
  const later = (): void => queueMicrotask(look);
  socket.on('data', later);
  look();
};

test('a body keeps its length, or is chunked with its trailers', async ({ target }) => {
  target.respond = echo;
  const known = await ask(session, { ':method': 'POST', ':path': path, 'content-length': '3' }, 'abc');
  assert.equal(JSON.parse(known.body), { text: 'abc', length: '3' });
  const unknown = await ask(session, { ':method': 'POST', ':path': path }, 'abcd', {
    'x-sum': '7',
    'x-consumer-name': 'root',
  });
  const { text, coding } = JSON.parse(unknown.body);
  assert.is(coding, 'chunked');
  assert.ok(text.endsWith('0\r\nx-sum: 7\r\n\r\n'), text);
});

test('a request without content has the length that HTTP/1.1 wants', async ({ target }) => {
  await ask(session, { ':method': 'POST', ':path': path });
  await ask(session, { ':method': 'DELETE', ':path': path });
  assert.equal(
    target.arrived.map((one) => one.header('content-length')),
    ['0', undefined],
  );
});

test('reply trailers and interim replies reach the client', async ({ target }) => {
  target.respond = say(
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n',
  );
  const reply = await ask(session, { ':path': path });
  assert.equal(reply.interim, [103]);
  assert.is(reply.body, 'abc');
  assert.is(reply.trailers['x-sum'], '9');
  assert.is(reply.headers['transfer-encoding'], undefined);
});

for (const [what, method, head] of [
  ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n'],
  ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'],
] as const)
  test(`a reply to ${what} ends with its fields`, async ({ target }) => {
    target.respond = say(head);
    const reply = await ask(session, { ':method': method, ':path': path });
    assert.is(reply.status, Number(head.slice(9, 12)));
    assert.is(reply.body, '');
    assert.is(reply.headers['content-length'], what === 'HEAD' ? '12' : undefined);
  });

test('100 Continue comes from the target, before the body', async ({ target }) => {
  target.respond = (request, socket) => {
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    echo(request, socket);
  };
  const stream = session.request({ ':method': 'POST', ':path': path, expect: '100-continue' });
  await new Promise((resolve) => stream.once('continue', resolve));
  stream.end('abc');
  const reply = await new Promise((resolve) => stream.once('response', resolve));
  assert.is((reply as { ':status': number })[':status'], 200);
  stream.close();
});

test('errors of gw are problems with their status', async ({ plane }) => {
  const client = await RawHttp2.ready(plane.port);
  const with_ = (...more: [string, string][]) => [...GET, ...more] as const;
  client.send(headers(1, with_(['host', 'b.example'])));
  client.send(headers(3, [...GET.slice(0, 3), [':authority', 'a b']]));
  client.send(headers(5, with_(['x-consumer_name', 'root'])));
  client.send(
    headers(7, [
      [':method', 'CONNECT'],
      [':authority', 'a.example:80'],
    ]),
  );
  client.send(headers(9, with_(['content-length', '7'])));
  client.send(headers(11, [[':method', 'TRACE'], ...GET.slice(1)], END_HEADERS));
  client.send(headers(13, with_(['expect', 'magic'])));
  client.send(headers(15, with_(['host', 'A.example'])));
  client.send(headers(17, [GET[0]!, [':scheme', 'https'], ...GET.slice(2)]));
  const statuses = [];
  for (const id of [1, 5, 7, 11, 13, 15, 17]) statuses.push(await client.status(id));
  assert.equal(statuses, [400, 400, 501, 400, 417, 200, 421]);
  assert.equal([await client.reset(3), await client.reset(9)], [1, 1]);
  client.destroy();
});

test('limits of a head are those of HTTP/1.1, with the same statuses', async ({ plane }) => {
  const client = await RawHttp2.ready(plane.port);
  const long = hpack([...GET.slice(0, 2), [':path', `/${'a'.repeat(16 * 1024)}`], GET[3]!]);
  client.send(frame(Type.Headers, END_STREAM, 1, long.subarray(0, 16_000)));
  client.send(frame(Type.Continuation, END_HEADERS, 1, long.subarray(16_000)));
  client.send(headers(3, [...GET, ...Array.from({ length: 110 }, (_, at) => [`x-${at}`, 'a'] as const)]));
  assert.is(await client.status(1), 414);
  assert.is(await client.status(3), 431);
  client.destroy();
});

test('a body above max_body is refused, and the client is told to stop', async ({ plane, target }) => {
  target.respond = () => {};
  await plane.load(specOf(target.url, { listener: 'max_body = "1KiB"' }));
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, POST, END_HEADERS), frame(Type.Data, 0, 1, Buffer.alloc(2048)));
  assert.is(await client.status(1), 413);
  assert.is(await client.reset(1), 0);
  client.send(headers(3, [...POST, ['content-length', '5000']], END_HEADERS));
  assert.is(await client.status(3), 413);
  client.destroy();
  await plane.load(specOf(target.url));
});

test('max_streams of a listener is announced, and a client that exceeds it is disconnected', async ({
  plane,
  target,
}) => {
  target.respond = () => {};
  await plane.load(specOf(target.url, { listener: 'max_streams = 2' }));
  const client = await RawHttp2.ready(plane.port);
  const { payload } = client.frames.find(({ type }) => type === Type.Settings)!;
  const settings = Array.from({ length: payload.length / 6 }, (_, at) => [
    payload.readUInt16BE(at * 6),
    payload.readUInt32BE(at * 6 + 2),
  ]);
  assert.equal(new Map(settings as [number, number][]).get(3), 2);
  client.send(headers(1, GET), headers(3, GET));
  await until(() => target.arrived.length === 2, 'both');
  client.send(frame(Type.RstStream, 0, 1, Buffer.from([0, 0, 0, 8])));
  await until(() => target.open === 1, 'the end of one');
  target.respond = say('HTTP/1.1 204 No Content\r\n\r\n');
  client.send(headers(5, GET));
  assert.is(await client.status(5), 204);
  target.respond = () => {};
  client.send(headers(7, GET), headers(9, GET));
  assert.is((await client.goaway()).code, 1);
  await client.until(() => client.closed, 'the end');
  await plane.load(specOf(target.url));
});

test('a reset of the client aborts the exchange', async ({ plane, target }) => {
  target.respond = () => {};
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, [...GET.slice(0, 2), [':path', '/reset-me'], GET[3]!]));
  await until(() => target.arrived.length === 1, 'the request');
  client.send(frame(Type.RstStream, 0, 1, Buffer.from([0, 0, 0, 8])));
  const record = await plane.record(({ url }) => url === '/reset-me');
  assert.is(record.error, 'downstream/aborted');
  assert.match(record.cause!, /stream reset \(CANCEL\)/);
  await until(() => target.open === 0, 'its connection to be closed');
  client.send(headers(3, [...GET.slice(0, 2), [':path', '/close-me'], GET[3]!]));
  await until(() => target.arrived.length === 2, 'the request');
  client.destroy();
  assert.is((await plane.record(({ url }) => url === '/close-me')).error, 'downstream/aborted');
});

test('a reply that the target cuts ends with a reset', async ({ plane, target }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', () => setTimeout(() => socket.destroy(), 20));
  };
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, GET));
  assert.is(await client.reset(1), 2);
  assert.is(
    client.frames.some(({ stream, flags, type }) => stream === 1 && type === Type.Data && (flags & END_STREAM) > 0),
    false,
  );
  client.destroy();
});

test('a client that does not read delays its stream, and no other', async ({ plane, target }) => {
  const size = 3_000_000;
  target.respond = (request, socket) => {
    const body = request.url === '/slow' ? size : 3;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body}\r\n\r\n`);
    socket.write(Buffer.alloc(body, 97));
  };
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, [...GET.slice(0, 2), [':path', '/slow'], GET[3]!]));
  const got = (id: number): number =>
    client.frames
      .filter((one) => one.type === Type.Data && one.stream === id)
      .reduce((sum, one) => sum + one.payload.length, 0);
  await client.until(() => got(1) === 65_535, 'the window to be full');
  client.send(frame(Type.WindowUpdate, 0, 0, Buffer.from([0x3f, 0, 0, 0])));
  client.send(headers(3, GET));
  await client.until(() => got(3) === 3, 'another reply');
  assert.is(got(1), 65_535);
  client.send(frame(Type.WindowUpdate, 0, 1, Buffer.from([0x3f, 0, 0, 0])));
  await client.until(() => got(1) === size, 'the rest');
  client.destroy();
});

test('uploads to a target that does not read wait, within a bound, and delay no other stream', async ({
  plane,
  target,
}) => {
  target.respond = (request, socket) => {
    if (request.method === 'POST') socket.pause();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  };
  const upload = session.request({ ':method': 'POST', ':path': '/up' });
  let taken = 0;
  const body = Buffer.alloc(16_384);
  const fill = (): void => {
    while (taken < 64_000_000 && upload.write(body, () => (taken += body.length)));
  };
  upload.on('drain', fill).on('error', () => undefined);
  fill();
  await until(() => target.arrived.length === 1 && taken > 300_000, 'the upload');
  for (let at = 0; at < 5; at++) assert.is((await ask(session, { ':path': path })).status, 200);
  assert.ok(taken < 32_000_000, `${taken} bytes`);
  upload.close();
  await plane.record(({ url, error }) => url === '/up' && error === 'downstream/aborted');
});

test('HTTP/1.1 and HTTP/2 share a port; the preface may come in parts, and garbage after it is refused', async ({
  plane,
}) => {
  const client = await RawHttp2.open(plane.port);
  const bytes = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(Type.Settings, 0, 0),
    headers(1, GET),
  ]);
  for (const byte of bytes) {
    client.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(await client.status(1), 200);
  client.destroy();
  assert.is((await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200);
  assert.is((await plane.ask('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')).status, 505);
  const half = plane.client();
  half.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is((await half.reply()).status, 200);
  half.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  assert.is((await half.reply()).status, 505);
});

test('TLS clients choose by ALPN, and a listener speaks only what it says', async ({ plane, target }) => {
  const tls = `tls = { cert = "${CERT}", key = "${KEY}" }`;
  await plane.load(specOf(target.url, { listener: tls }));
  const secure = connect(`https://127.0.0.1:${plane.port}`, { rejectUnauthorized: false });
  assert.is((await ask(secure, { ':path': path })).status, 200);
  assert.is(target.arrived.at(-1)!.header('x-forwarded-proto'), 'https');
  secure.destroy();
  await plane.load(specOf(target.url, { listener: `${tls}\nprotocols = ["http/1.1"]` }));
  assert.is(
    await RawHttp2.open(plane.port, true).then(
      () => 'open',
      () => 'refused',
    ),
    'refused',
  );
  await plane.load(specOf(target.url, { listener: 'protocols = ["http/1.1"]' }));
  assert.is((await plane.ask('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).status, 505);
  await plane.load(specOf(target.url, { listener: 'protocols = ["h2"]' }));
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, GET));
  assert.is(await client.status(1), 200);
  client.destroy();
  const old = await RawHttp2.open(plane.port);
  old.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  await old.until(() => old.closed, 'the connection to be closed');
  await plane.load(specOf(target.url));
});

test.run();
