/** Regression tests for rules of RFC 9110 and 9112: versions, empty queries, 205 with content. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { say, sayAndClose, sayInTurn } from '../../support/fault-target.js';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('rules of the RFCs', { service: 'retries = 0\nresponse_timeout = "2s"' });
const H = 'Host: a.example\r\n\r\n';
const GET = `GET / HTTP/1.1\r\n${H}`;

for (const minor of [2, 3, 9]) {
  test(`a request of HTTP/1.${minor} is processed and forwarded as HTTP/1.1`, async ({ target, plane }) => {
    const client = plane.client();
    for (let i = 0; i < 2; i++) {
      client.send(
        `POST /x HTTP/1.${minor}\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      );
      const reply = await client.reply();
      assert.is(reply.statusLine, 'HTTP/1.1 200 OK');
      assert.is(reply.header('connection'), undefined, 'the connection is kept');
    }
    assert.match(target.arrived[1]!.head, /^POST \/x HTTP\/1\.1\r\n/);
    assert.match(target.arrived[1]!.rest.toString(), '2\r\nhi\r\n');
    client.send(`GET / HTTP/1.${minor}\r\n\r\n`);
    assert.is((await client.reply()).status, 400, 'Host is as necessary as in HTTP/1.1');
    client.destroy();
  });

  test(`a reply of HTTP/1.${minor} is processed as HTTP/1.1`, async ({ target, plane }) => {
    target.respond = say(`HTTP/1.${minor} 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`);
    for (let i = 0; i < 2; i++) {
      const reply = await plane.ask(GET);
      assert.is(reply.statusLine, 'HTTP/1.1 200 OK');
      assert.is(reply.body.toString(), 'ok');
    }
    assert.is(target.connections, 1);
  });
}

for (const [what, more, sent, expected] of [
  ['with a path', '', '/a?', '/a?'],
  ['on the root path', '', '/?', '/?'],
  ['in absolute form', '', 'http://a.example?', '/?'],
  ['in absolute form with a path', '', 'http://a.example/a?', '/a?'],
  ['with a question mark as its query', '', '/a??', '/a??'],
  ['with strip_prefix', 'strip_prefix = "/p"', '/p/a?', '/a?'],
  ['with a rewrite', 'rewrite = "/r/{rest}"', '/p/a?', '/r/a?'],
  ['with a rewrite that has a query', 'rewrite = "/r/{rest}?x=1"', '/p/a?', '/r/a?x=1'],
  ['no query stays no query', '', '/a', '/a'],
] as const) {
  test(`an empty query is forwarded: ${what}`, async ({ target, plane }) => {
    if (more !== '') {
      const spec = specOf(target.url).replace('match = "/{rest...}"', `match = "/p/{rest...}"\n${more}`);
      await plane.load(spec);
    }
    const client = plane.client();
    for (let i = 0; i < 2; i++) {
      client.send(`GET ${sent} HTTP/1.1\r\n${H}`);
      assert.is((await client.reply()).status, 200);
    }
    assert.equal(
      target.arrived.map(({ url }) => url),
      [expected, expected],
    );
    const shown = (await plane.record(() => true)).url;
    assert.is(shown.endsWith('?'), sent.endsWith('?'), 'the log shows it');
    client.destroy();
    await plane.ask(`GET ${sent} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n${H}`);
    assert.is(target.arrived.at(-1)?.url, expected, 'of an upgrade as well');
    assert.is(target.arrived.length, 3);
  });
}

test('a query that consists only of the API key is removed with its question mark', async ({ target, plane }) => {
  const key = 'k-0123456789abcdef0123456789abcdef';
  const hash = createHash('sha256').update(key).digest('hex');
  const more = `[policy.keys]\nuse = "api-key"\nquery = "key"\n[consumer.c]\napi_keys = ["sha256:${hash}"]`;
  await plane.load(specOf(target.url, { route: 'policies = ["keys"]', more }));
  for (const [sent, expected] of [
    [`/a?key=${key}`, '/a'],
    [`/a?key=${key}&b`, '/a?b'],
  ]) {
    assert.is((await plane.ask(`GET ${sent} HTTP/1.1\r\n${H}`)).status, 200);
    assert.is(target.arrived.at(-1)?.url, expected);
  }
});

const RESET = 'HTTP/1.1 205 Reset Content\r\n';
for (const [what, fault] of [
  ['a Content-Length', say(`${RESET}Content-Length: 2\r\n\r\nhi`)],
  ['chunks', say(`${RESET}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`)],
  ['later chunks', sayInTurn(`${RESET}Transfer-Encoding: chunked\r\n\r\n`, '2\r\nhi\r\n0\r\n\r\n')],
  ['bytes until close', sayAndClose(`${RESET}\r\nhi`)],
  ['later bytes until close', sayInTurn(`${RESET}Connection: close\r\n\r\n`, 'hi')],
] as const) {
  for (const upgrade of ['', 'Connection: upgrade\r\nUpgrade: echo/1\r\n'])
    test(`a 205 with content, by ${what}: 502${upgrade && ' to an upgrade'}`, async ({ target, plane }) => {
      target.respond = fault;
      const reply = await plane.ask(`GET / HTTP/1.1\r\n${upgrade}${H}`);
      assert.is(reply.status, 502);
      assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:upstream/invalid');
      assert.match((await plane.record(({ error }) => error !== null)).cause ?? '', 'status 205 with content');
    });
}

for (const [what, fault] of [
  ['Content-Length: 0', say(`${RESET}Content-Length: 0\r\n\r\n`)],
  ['an empty chunked body', say(`${RESET}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)],
  ['a later empty chunked body', sayInTurn(`${RESET}Transfer-Encoding: chunked\r\n\r\n`, '0\r\n\r\n')],
  ['no bytes until close', sayAndClose(`${RESET}\r\n`)],
] as const) {
  for (const upgrade of ['', 'Connection: upgrade\r\nUpgrade: echo/1\r\n'])
    test(`a 205 without content is forwarded with Content-Length 0: ${what}${upgrade && ', to an upgrade'}`, async (context) => {
      const { target, plane } = context;
      target.respond = fault;
      const client = plane.client();
      for (let i = 0; i < 2; i++) {
        client.send(`GET / HTTP/1.1\r\n${upgrade}${H}`);
        const reply = await client.reply();
        assert.is(reply.status, 205);
        assert.is(reply.header('content-length'), '0');
        assert.is(reply.header('transfer-encoding'), undefined);
      }
      assert.is(client.pending, '');
      client.destroy();
    });
}

test('a 205 to HEAD has no content, whatever its Content-Length', async ({ target, plane }) => {
  target.respond = say(`${RESET}Content-Length: 2\r\n\r\n`);
  const reply = await plane.ask(`HEAD / HTTP/1.1\r\n${H}`, { head: true });
  assert.is(reply.status, 205);
  assert.is(reply.header('content-length'), '0');
});

test.run();
