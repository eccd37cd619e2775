/** error-page over sockets: framing, HEAD, connections after a replaced body. */
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, say, specOf } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('error pages');

const PAGE = '<h1>{reply.status} {reply.reason}</h1>{reply.code}';
const POLICIES = `
[policy.pages]
use = "error-page"
from = "all"
html = '${PAGE}'

[policy.marks]
use = "headers"
reply.set = { x-seen = "{reply.status} {reply.header.content-type}" }

[service.gone]
targets = ["http://127.0.0.1:9"]
retries = 0

[[route]]
name = "gone"
match = "/gone"
to = "gone"
policies = ["pages", "marks"]
`;

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(
    specOf(context.target.url, { more: POLICIES, route: 'policies = ["pages", "marks"]' }),
  );
});
test.after.each(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

const request = (method: string, path = '/', accept = 'text/html'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a.example\r\nAccept: ${accept}\r\n\r\n`;
const page = (status: string, code = ''): string => `<h1>${status}</h1>${code}`;

test('an error of gw has a page for browsers, and a problem for API clients', async ({ plane }) => {
  const reply = await plane.ask(request('GET', '/gone'));
  assert.is(reply.status, 502);
  assert.is(reply.body.toString(), page('502 Bad Gateway', 'upstream/unreachable'));
  assert.is(reply.header('content-length'), String(reply.body.length));
  assert.is(reply.header('vary'), 'Accept');
  assert.is(reply.header('x-seen'), '502 text/html; charset=utf-8');
  const api = await plane.ask(request('GET', '/gone', '*/*'));
  assert.is(api.header('content-type'), 'application/problem+json');
  assert.is((JSON.parse(api.body.toString()) as { status: number }).status, 502);
  const record = await plane.record(({ status }) => status === 502);
  assert.is(record.error, 'upstream/unreachable');
});

test('an encoded, chunked error of a target becomes a page, and the connection goes on', async ({ plane, target }) => {
  const body = gzipSync('the inner workings');
  target.respond = say(
    `HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nETag: "x"\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\n\r\n`,
  );
  const client = plane.client();
  for (let i = 0; i < 3; i++) {
    client.send(request('GET'));
    const reply = await client.reply();
    assert.is(reply.status, 500);
    assert.is(reply.body.toString(), page('500 Internal Server Error'));
    for (const name of ['content-encoding', 'etag', 'transfer-encoding'])
      assert.is(reply.header(name), undefined, name);
  }
  client.destroy();
});

test('a huge error of a target is not read to its end', async ({ plane, target }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 502 Bad\r\nContent-Type: text/plain\r\nContent-Length: 1000000000\r\n\r\n');
    socket.write('x'.repeat(100_000));
  };
  const reply = await plane.ask(request('GET'));
  assert.is(reply.body.toString(), page('502 Bad Gateway'));
});

test('HEAD has the fields of the page and no body', async ({ plane, target }) => {
  target.respond = say('HTTP/1.1 404 Nothing\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nETag: "x"\r\n\r\n');
  const client = plane.client();
  client.send(request('HEAD'));
  const head = await client.reply({ head: true });
  assert.is(head.status, 404);
  assert.is(head.header('content-length'), String(page('404 Not Found').length));
  assert.is(head.header('content-type'), 'text/html; charset=utf-8');
  assert.is(head.header('etag'), undefined);
  // Nothing of the page follows: the next reply is the next one.
  client.send(request('HEAD', '/gone'));
  const own = await client.reply({ head: true });
  assert.is(own.header('content-length'), String(page('502 Bad Gateway', 'upstream/unreachable').length));
  client.destroy();
});

test('replies without an error pass unchanged', async ({ plane, target }) => {
  for (const [head, status, body] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "a"\r\n\r\nhi', 200, 'hi'],
    ['HTTP/1.1 204 No Content\r\nETag: "a"\r\n\r\n', 204, ''],
    ['HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', 304, ''],
    ['HTTP/1.1 302 Found\r\nLocation: /x\r\nETag: "a"\r\nContent-Length: 0\r\n\r\n', 302, ''],
  ] as const) {
    target.respond = say(head);
    const reply = await plane.ask(request('GET'));
    assert.is(reply.status, status);
    assert.is(reply.body.toString(), body);
    assert.is(reply.header('etag'), '"a"');
    assert.is(reply.header('vary'), undefined);
  }
});

test('a target whose error body is broken off still gives the whole page', async ({ plane, target }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 500 Oh\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\nabc', () =>
      socket.destroy(),
    );
  };
  const reply = await plane.ask(request('GET'));
  assert.is(reply.body.toString(), page('500 Internal Server Error'));
});

test('a policy that asks the target for another media type does not choose the page', async ({ plane, target }) => {
  const more = `[policy.json]\nuse = "headers"\nrequest.set = { accept = "application/json" }\n${POLICIES}`;
  await plane.load(specOf(target.url, { more, route: 'policies = ["pages", "json"]' }));
  target.respond = say('HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\noops');
  assert.is((await plane.ask(request('GET'))).body.toString(), page('500 Internal Server Error'));
  assert.match(target.arrived[0]?.head ?? '', /accept: application\/json/i);
});

test.run();
