import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, raw, specOf } from './engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('what is ambiguous is refused');
const H = 'Host: a.example\r\n';

test.before(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url, { listener: 'max_headers = 20\nmax_header = "4KiB"' }));
});
test.after(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

const REFUSED: readonly (readonly [what: string, request: string, status: number])[] = [
  [
    'Content-Length and Transfer-Encoding',
    `POST / HTTP/1.1\r\n${H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'Transfer-Encoding and Content-Length',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['two equal Content-Lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  ['a list of Content-Lengths', `POST / HTTP/1.1\r\n${H}Content-Length: 4, 4\r\n\r\nabcd`, 400],
  ['a signed Content-Length', `POST / HTTP/1.1\r\n${H}Content-Length: +4\r\n\r\nabcd`, 400],
  ['a negative Content-Length', `POST / HTTP/1.1\r\n${H}Content-Length: -1\r\n\r\n`, 400],
  ['a hexadecimal Content-Length', `POST / HTTP/1.1\r\n${H}Content-Length: 0x4\r\n\r\nabcd`, 400],
  ['an empty Content-Length', `POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\n`, 400],
  ['a Content-Length beyond 2^53', `POST / HTTP/1.1\r\n${H}Content-Length: 99999999999999999999\r\n\r\n`, 400],
  ['a Content-Length with a space inside', `POST / HTTP/1.1\r\n${H}Content-Length: 1 0\r\n\r\n`, 400],
  ['an unknown transfer coding', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
  ['chunked that is not last', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 400],
  ['chunked twice', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'two Transfer-Encodings',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['identity', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: identity\r\n\r\n`, 400],
  ['an empty Transfer-Encoding', `POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n\r\n`, 400],
  ['a disguised chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n`, 400],
  ['chunked with a parameter', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked;q=1\r\n\r\n`, 400],
  ['a quoted chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: "chunked"\r\n\r\n`, 400],
  ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['a space before the colon', `POST / HTTP/1.1\r\n${H}Content-Length : 4\r\n\r\nabcd`, 400],
  ['a tab before the colon', `GET / HTTP/1.1\r\n${H}X-A\t: 4\r\n\r\n`, 400],
  ['a folded line', `GET / HTTP/1.1\r\n${H}X-A: 1\r\n 2\r\n\r\n`, 400],
  ['a first field that begins with a space', `GET / HTTP/1.1\r\n ${H}\r\n`, 400],
  ['a bare LF after the request line', `GET / HTTP/1.1\n${H}\r\n`, 400],
  ['a bare LF after a field', 'GET / HTTP/1.1\r\nHost: a.example\nX-A: 1\r\n\r\n', 400],
  ['a bare CR in a value', `GET / HTTP/1.1\r\n${H}X-A: 1\r2\r\n\r\n`, 400],
  ['an empty line of LF alone', `GET / HTTP/1.1\r\n${H}\n`, 400],
  ['NUL in a value', `GET / HTTP/1.1\r\n${H}X-A: 1\x002\r\n\r\n`, 400],
  ['a control byte in a value', `GET / HTTP/1.1\r\n${H}X-A: \x01\r\n\r\n`, 400],
  ['DEL in a value', `GET / HTTP/1.1\r\n${H}X-A: \x7f\r\n\r\n`, 400],
  ['an empty name', `GET / HTTP/1.1\r\n${H}: 1\r\n\r\n`, 400],
  ['a name with a slash', `GET / HTTP/1.1\r\n${H}X/A: 1\r\n\r\n`, 400],
  ['a name beyond ASCII', `GET / HTTP/1.1\r\n${H}X-\xe4: 1\r\n\r\n`, 400],
  ['a line without a colon', `GET / HTTP/1.1\r\n${H}nothing\r\n\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\nX-A: 1\r\n\r\n', 400],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n', 400],
  ['a list of Hosts without spaces', 'GET / HTTP/1.1\r\nHost: a.example,b.example\r\n\r\n', 400],
  ['Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n', 400],
  ['Host with a path', 'GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n', 400],
  ['Host with a bad port', 'GET / HTTP/1.1\r\nHost: a.example:99999\r\n\r\n', 400],
  ['Host with an empty port', 'GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n', 400],
  ['Host with a bad literal', 'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', 400],
  ['a fragment', `GET /a#b HTTP/1.1\r\n${H}\r\n`, 400],
  ['a target beyond ASCII', `GET /\xe4 HTTP/1.1\r\n${H}\r\n`, 400],
  ['a target without a slash', `GET a HTTP/1.1\r\n${H}\r\n`, 400],
  ['authority-form without CONNECT', `GET a.example:80 HTTP/1.1\r\n${H}\r\n`, 400],
  ['CONNECT', `CONNECT a.example:80 HTTP/1.1\r\n${H}\r\n`, 501],
  ['the asterisk without OPTIONS', `GET * HTTP/1.1\r\n${H}\r\n`, 400],
  ['another scheme', `GET ftp://a.example/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['an absolute form with userinfo', `GET http://u:p@a.example/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['an absolute form without a host', `GET http:/// HTTP/1.1\r\n${H}\r\n`, 400],
  ['two spaces in the request line', `GET  / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a space at the end of the request line', `GET / HTTP/1.1 \r\n${H}\r\n`, 400],
  ['a tab in the request line', `GET\t/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['a space at the beginning', ` GET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['two empty lines first', `\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a method that is no token', `G@T / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a method longer than any', `${'M'.repeat(40)} / HTTP/1.1\r\n${H}\r\n`, 501],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`, 505],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 505],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['a version in small letters', `GET / http/1.1\r\n${H}\r\n`, 400],
  ['a version with leading zeros', `GET / HTTP/01.1\r\n${H}\r\n`, 400],
  ['an unknown expectation', `GET / HTTP/1.1\r\n${H}Expect: 200-ok\r\n\r\n`, 417],
  ['Connection with no token', `GET / HTTP/1.1\r\n${H}Connection: a b\r\n\r\n`, 400],
  ['too many fields', `GET / HTTP/1.1\r\n${H}${'X-A: 1\r\n'.repeat(30)}\r\n`, 431],
  ['too long a head', `GET / HTTP/1.1\r\n${H}X-A: ${'a'.repeat(5000)}\r\n\r\n`, 431],
  ['too long a head that does not end', `GET / HTTP/1.1\r\n${H}X-A: ${'a'.repeat(9000)}`, 431],
  ['too long a target', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${H}\r\n`, 414],
  ['too long a target that does not end', `GET /${'a'.repeat(20_000)}`, 414],
  ['an escaped slash', `GET /a%2Fb HTTP/1.1\r\n${H}\r\n`, 400],
  ['a path above the root', `GET /../a HTTP/1.1\r\n${H}\r\n`, 400],
  ['an escaped NUL', `GET /a%00 HTTP/1.1\r\n${H}\r\n`, 400],
];

for (const [what, request, status] of REFUSED) {
  test(`${what}: ${status}`, async ({ target, plane }) => {
    const before = target.arrived.length;
    const client = plane.client();
    // What follows must never be taken for a request of its own.
    client.send(`${request}GET /smuggled HTTP/1.1\r\n${H}\r\n`);
    const reply = await client.reply();
    assert.is(reply.status, status);
    assert.is(reply.header('content-type'), 'application/problem+json');
    assert.is(JSON.parse(reply.body.toString()).request_id, reply.header('x-request-id'));
    if (reply.header('connection') === 'close') {
      await client.end();
      assert.is(client.pending, '');
      assert.is(target.arrived.length, before);
    } else assert.is((await client.reply()).status, 200);
    client.destroy();
  });
}

const BAD_CHUNKS: readonly (readonly [what: string, body: string])[] = [
  ['an empty size', '\r\nhello\r\n0\r\n\r\n'],
  ['a signed size', '+5\r\nhello\r\n0\r\n\r\n'],
  ['0x before a size', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a size that overflows', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
  ['a space before a size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after a size', '5\nhello\r\n0\r\n\r\n'],
  ['a bare CR after a size', '5\rhello\r\n0\r\n\r\n'],
  ['a CR after a size that no LF follows', '5\rXhello\r\n0\r\n\r\n'],
  ['a chunk that is longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['a chunk that ends with LF alone', '5\r\nhello\n0\r\n\r\n'],
  ['an extension too long', `5;${'a'.repeat(2000)}\r\nhello\r\n0\r\n\r\n`],
  ['an extension with a control byte', '5;a\x01\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF in an extension', '5;a\nhello\r\n0\r\n\r\n'],
  ['a trailer with a space before the colon', '0\r\nA : b\r\n\r\n'],
  ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
  ['a trailer that ends with LF alone', '0\r\nA: b\n\r\n'],
  ['trailers without end', `0\r\n${'A: b\r\n'.repeat(3000)}\r\n`],
];

for (const [what, body] of BAD_CHUNKS) {
  test(`chunked body with ${what}: 400`, async ({ target, plane }) => {
    target.respond = () => {};
    const before = target.arrived.length;
    const client = plane.client();
    client.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${body}GET /smuggled HTTP/1.1\r\n${H}\r\n`);
    const reply = await client.reply();
    assert.is(reply.status, 400);
    await client.end();
    for (const arrived of target.arrived.slice(before)) {
      assert.is(arrived.url, '/');
      assert.not.ok(arrived.rest.toString('latin1').endsWith('0\r\n\r\n'));
    }
    client.destroy();
  });
}

const ACCEPTED: readonly (readonly [what: string, request: string, line: string])[] = [
  ['one empty line first', `\r\nGET /x HTTP/1.1\r\n${H}\r\n`, 'GET /x HTTP/1.1'],
  ['the absolute form', `GET http://b.example/x?y HTTP/1.1\r\n${H}\r\n`, 'GET /x?y HTTP/1.1'],
  ['an absolute form without path', `GET http://b.example?y HTTP/1.1\r\n${H}\r\n`, 'GET /?y HTTP/1.1'],
  ['odd but visible characters', `GET /a?b=|{}"^\` HTTP/1.1\r\n${H}\r\n`, 'GET /a?b=|{}"^` HTTP/1.1'],
  ['merged slashes and dot segments', `GET //a/./b/../c HTTP/1.1\r\n${H}\r\n`, 'GET /a/c HTTP/1.1'],
  ['an unknown method', `BREW /pot HTTP/1.1\r\n${H}\r\n`, 'BREW /pot HTTP/1.1'],
];

for (const [what, request, line] of ACCEPTED) {
  test(`${what} is read`, async ({ target, plane }) => {
    target.respond = raw('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    assert.is((await plane.ask(request)).status, 200);
    assert.is(target.arrived.at(-1)!.head.split('\r\n')[0], line);
  });
}

test('the authority of an absolute form replaces Host', async ({ target, plane }) => {
  target.respond = raw('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await plane.ask(`GET http://b.example:81/ HTTP/1.1\r\n${H}\r\n`);
  assert.is(target.arrived.at(-1)!.header('host'), 'b.example:81');
});

test.run();
