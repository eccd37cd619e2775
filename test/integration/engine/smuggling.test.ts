import * as assert from 'uvu/assert';
import { say } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('ambiguous requests are refused', {
  listener: 'max_headers = 20\nmax_header = "4KiB"\nmax_target = "1KiB"',
});
const H = 'Host: a.example\r\n';

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
  ['a non-ASCII name', `GET / HTTP/1.1\r\n${H}X-\xe4: 1\r\n\r\n`, 400],
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
  ['a non-ASCII target', `GET /\xe4 HTTP/1.1\r\n${H}\r\n`, 400],
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
  ['a method that is not a token', `G@T / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a method over the length limit', `${'M'.repeat(40)} / HTTP/1.1\r\n${H}\r\n`, 501],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['HTTP/2.1', `GET / HTTP/2.1\r\n${H}\r\n`, 505],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 505],
  ['a method and version of HTTP/2', 'PRI * HTTP/2.0\r\n\r\n', 505],
  ['a version in small letters', `GET / http/1.1\r\n${H}\r\n`, 400],
  ['a version with leading zeros', `GET / HTTP/01.1\r\n${H}\r\n`, 400],
  ['an unknown expectation', `GET / HTTP/1.1\r\n${H}Expect: 200-ok\r\n\r\n`, 417],
  ['Connection with no token', `GET / HTTP/1.1\r\n${H}Connection: a b\r\n\r\n`, 400],
  ['a list of Content-Lengths without spaces', `POST / HTTP/1.1\r\n${H}Content-Length: 4,4\r\n\r\nabcd`, 400],
  ['a Content-Length with an underscore', `POST / HTTP/1.1\r\n${H}Content-Length: 1_0\r\n\r\n`, 400],
  ['a Content-Length with a fraction', `POST / HTTP/1.1\r\n${H}Content-Length: 4.0\r\n\r\nabcd`, 400],
  ['a Content-Length that is quoted', `POST / HTTP/1.1\r\n${H}Content-Length: "4"\r\n\r\nabcd`, 400],
  ['a Content-Length after a vertical tab', `POST / HTTP/1.1\r\n${H}Content-Length:\x0b4\r\n\r\nabcd`, 400],
  ['a Content-Length between no-break spaces', `POST / HTTP/1.1\r\n${H}Content-Length: \xa04\xa0\r\n\r\nabcd`, 400],
  ['an alias of Content-Length', `POST / HTTP/1.1\r\n${H}Content_Length: 4\r\n\r\nabcd`, 400],
  ['an alias of Transfer-Encoding', `POST / HTTP/1.1\r\n${H}Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['an empty item before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n`, 400],
  ['an empty item after chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n`, 400],
  ['identity before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`, 501],
  ['chunked after a no-break space', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: \xa0chunked\r\n\r\n`, 400],
  [
    'chunked and a Content-Length in HTTP/1.0',
    'POST / HTTP/1.0\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
  ],
  [
    'a Transfer-Encoding that Connection lists',
    `POST / HTTP/1.1\r\n${H}Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'a Content-Length that Connection lists',
    `POST / HTTP/1.1\r\n${H}Connection: close, Content-Length\r\nContent-Length: 4\r\n\r\nabcd`,
    400,
  ],
  [
    'two Content-Types',
    `POST / HTTP/1.1\r\n${H}Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n`,
    400,
  ],
  ['two Authorizations', `GET / HTTP/1.1\r\n${H}Authorization: Basic eA==\r\nauthorization: Basic eQ==\r\n\r\n`, 400],
  ['a TRACE with a body', `TRACE / HTTP/1.1\r\n${H}Content-Length: 4\r\n\r\nabcd`, 400],
  ['a chunked TRACE', `TRACE / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['a non-numeric Max-Forwards', `OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: x\r\n\r\n`, 400],
  ['a negative Max-Forwards', `TRACE / HTTP/1.1\r\n${H}Max-Forwards: -1\r\n\r\n`, 400],
  ['two Max-Forwards', `TRACE / HTTP/1.1\r\n${H}Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n`, 400],
  ['a first field that begins with a tab', `GET / HTTP/1.1\r\n\t${H}\r\n`, 400],
  ['an empty line with spaces', `GET / HTTP/1.1\r\n${H} \r\n\r\n`, 400],
  ['a folded line of spaces alone', `GET / HTTP/1.1\r\n${H}X-A: 1\r\n \r\n\r\n`, 400],
  ['a bare CR after the request line', `GET / HTTP/1.1\r${H}\r\n`, 400],
  ['a bare CR for an empty line', `GET / HTTP/1.1\r\n${H}\rX`, 400],
  ['two CRs before the LF', `GET / HTTP/1.1\r\r\n${H}\r\n`, 400],
  ['a value that ends with two CRs', `GET / HTTP/1.1\r\n${H}X-A: 1\r\r\n\r\n`, 400],
  ['an empty line of LF alone first', `\nGET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a CR alone first', `\rGET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a NUL in a name', `GET / HTTP/1.1\r\n${H}X\x00A: 1\r\n\r\n`, 400],
  ['a NUL in the target', `GET /\x00 HTTP/1.1\r\n${H}\r\n`, 400],
  ['a form feed in the request line', `GET\x0c/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['a name in quotes', `GET / HTTP/1.1\r\n${H}"X-A": 1\r\n\r\n`, 400],
  ['a name with a space inside', `GET / HTTP/1.1\r\n${H}X A: 1\r\n\r\n`, 400],
  ['a name in brackets', `GET / HTTP/1.1\r\n${H}[X]: 1\r\n\r\n`, 400],
  ['three Hosts in a request in the absolute form', `GET http://a.example/ HTTP/1.1\r\n${H}${H}${H}\r\n`, 400],
  ['a malformed Host beside an absolute form', 'GET http://a.example/ HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['no Host beside an absolute form', 'GET http://a.example/ HTTP/1.1\r\n\r\n', 400],
  ['an empty Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost:\r\n\r\n', 400],
  ['two Hosts in two spellings', `GET / HTTP/1.1\r\n${H}hOST: a.example\r\n\r\n`, 400],
  ['Host with a backslash', 'GET / HTTP/1.1\r\nHost: a.example\\b\r\n\r\n', 400],
  ['Host with a query', 'GET / HTTP/1.1\r\nHost: a.example?x\r\n\r\n', 400],
  ['Host with a fragment', 'GET / HTTP/1.1\r\nHost: a.example#x\r\n\r\n', 400],
  ['Host with an escape', 'GET / HTTP/1.1\r\nHost: a%2eexample\r\n\r\n', 400],
  ['a non-ASCII Host', 'GET / HTTP/1.1\r\nHost: \xe4.example\r\n\r\n', 400],
  ['Host with a scheme', 'GET / HTTP/1.1\r\nHost: http://a.example\r\n\r\n', 400],
  ['Host with two ports', 'GET / HTTP/1.1\r\nHost: a.example:80:81\r\n\r\n', 400],
  ['Host with a signed port', 'GET / HTTP/1.1\r\nHost: a.example:+80\r\n\r\n', 400],
  ['Host with port 0', 'GET / HTTP/1.1\r\nHost: a.example:0\r\n\r\n', 400],
  ['Host with a zero before its port', 'GET / HTTP/1.1\r\nHost: a.example:080\r\n\r\n', 400],
  ['Host of dots', 'GET / HTTP/1.1\r\nHost: ..\r\n\r\n', 400],
  ['Host with a zone', 'GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n', 400],
  ['Host in brackets that is not an address', 'GET / HTTP/1.1\r\nHost: [::1::2]\r\n\r\n', 400],
  ['CONNECT to a path', `CONNECT /a HTTP/1.1\r\n${H}\r\n`, 400],
  ['CONNECT without a port', `CONNECT a.example HTTP/1.1\r\n${H}\r\n`, 400],
  ['CONNECT with an empty port', `CONNECT a.example: HTTP/1.1\r\n${H}\r\n`, 400],
  ['CONNECT with a path behind the port', `CONNECT a.example:80/x HTTP/1.1\r\n${H}\r\n`, 400],
  ['CONNECT in the absolute form', `CONNECT http://a.example:80/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['the asterisk with more behind it', `OPTIONS *a HTTP/1.1\r\n${H}\r\n`, 400],
  ['the asterisk with a query', `OPTIONS *?a HTTP/1.1\r\n${H}\r\n`, 400],
  ['an absolute form with a fragment', `GET http://a.example/#x HTTP/1.1\r\n${H}\r\n`, 400],
  ['an absolute form with one slash', `GET http:/a.example/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['an absolute form with a bad port', `GET http://a.example:99999/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['a backslash for a slash', `GET \\a HTTP/1.1\r\n${H}\r\n`, 400],
  ['an empty target', `GET  HTTP/1.1\r\n${H}\r\n`, 400],
  ['no target', `GET HTTP/1.1\r\n${H}\r\n`, 400],
  ['a space inside the target', `GET /a b HTTP/1.1\r\n${H}\r\n`, 400],
  ['two spaces before the version', `GET /  HTTP/1.1\r\n${H}\r\n`, 400],
  ['a tab before the version', `GET /\tHTTP/1.1\r\n${H}\r\n`, 400],
  ['a tab at the end of the request line', `GET / HTTP/1.1\t\r\n${H}\r\n`, 400],
  ['a tab at the beginning', `\tGET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['three empty lines first', `\r\n\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`, 400],
  ['HTTP/0.9 with a Host', `GET /\r\n${H}\r\n`, 400],
  ['HTTP/1', `GET / HTTP/1\r\n${H}\r\n`, 400],
  ['HTTP/1.10', `GET / HTTP/1.10\r\n${H}\r\n`, 400],
  ['HTTP/0.9 by name', `GET / HTTP/0.9\r\n${H}\r\n`, 505],
  ['HTTP/3.0', `GET / HTTP/3.0\r\n${H}\r\n`, 505],
  ['another protocol', `GET / SIP/2.0\r\n${H}\r\n`, 400],
  ['a version with a space', `GET / HTTP/ 1.1\r\n${H}\r\n`, 400],
  ['two expectations', `POST / HTTP/1.1\r\n${H}Expect: 100-continue, x\r\nContent-Length: 0\r\n\r\n`, 417],
  ['Connection with a no-break space', `GET / HTTP/1.1\r\n${H}Connection: close\xa0\r\n\r\n`, 400],
  ['a no-break space between codings', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip,\xa0chunked\r\n\r\n`, 400],
  ['a tab behind chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked \t\r\n\r\n0\r\n\r\n`, 400],
  ['a tab behind a Content-Length', `POST / HTTP/1.1\r\n${H}Content-Length: 4\t\r\n\r\nabcd`, 400],
  [
    'Connection with too many names',
    `GET / HTTP/1.1\r\n${H}${`Connection: ${'name, '.repeat(30)}b\r\n`.repeat(2)}\r\n`,
    400,
  ],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['a target one byte too long', `GET /${'a'.repeat(1024)} HTTP/1.1\r\n${H}\r\n`, 414],
  ['a query over the limit', `GET /?${'a'.repeat(1024)} HTTP/1.1\r\n${H}\r\n`, 414],
  ['too many fields', `GET / HTTP/1.1\r\n${H}${'X-A: 1\r\n'.repeat(30)}\r\n`, 431],
  ['a head over the limit', `GET / HTTP/1.1\r\n${H}X-A: ${'a'.repeat(5000)}\r\n\r\n`, 431],
  ['an unfinished head over the limit', `GET / HTTP/1.1\r\n${H}X-A: ${'a'.repeat(9000)}`, 431],
  ['a target over the limit', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${H}\r\n`, 414],
  ['an unfinished target over the limit', `GET /${'a'.repeat(20_000)}`, 414],
  ['an escaped slash', `GET /a%2Fb HTTP/1.1\r\n${H}\r\n`, 400],
  ['a path above the root', `GET /../a HTTP/1.1\r\n${H}\r\n`, 400],
  ['an escaped NUL', `GET /a%00 HTTP/1.1\r\n${H}\r\n`, 400],
];

for (const [what, request, status] of REFUSED) {
  test(`${what}: ${status}`, async ({ target, plane }) => {
    const before = target.arrived.length;
    const client = plane.client();
    // The bytes after the request must not be processed as another request.
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
  ['a CR without LF after a size', '5\rXhello\r\n0\r\n\r\n'],
  ['a chunk that is longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
  ['a chunk that ends with a bare LF', '5\r\nhello\n0\r\n\r\n'],
  ['an extension over the limit', `5;${'a'.repeat(2000)}\r\nhello\r\n0\r\n\r\n`],
  ['an extension with a control byte', '5;a\x01\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF in an extension', '5;a\nhello\r\n0\r\n\r\n'],
  ['a trailer with a space before the colon', '0\r\nA : b\r\n\r\n'],
  ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
  ['a trailer that ends with a bare LF', '0\r\nA: b\n\r\n'],
  ['an underscore in a size', '0_5\r\nhello\r\n0\r\n\r\n'],
  ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
  ['too many zeros before a size', `${'0'.repeat(40)}5\r\nhello\r\n0\r\n\r\n`],
  ['an unfinished size of zeros', '0'.repeat(40)],
  ['a space after a size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a tab before a size', '\t5\r\nhello\r\n0\r\n\r\n'],
  ['a comma in a size', '5,5\r\nhello\r\n0\r\n\r\n'],
  ['a chunk that is shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['a CR without LF after a chunk', '5\r\nhello\rX0\r\n\r\n'],
  ['a chunk without CRLF at its end', '5\r\nhello0\r\n\r\n'],
  ['an extension without a name', '5;\r\nhello\r\n0\r\n\r\n'],
  ['an extension without a value', '5;a=\r\nhello\r\n0\r\n\r\n'],
  ['two semicolons', '5;;a\r\nhello\r\n0\r\n\r\n'],
  ['words in an extension', '5;a b\r\nhello\r\n0\r\n\r\n'],
  ['a space at the end of an extension', '5;a=b \r\nhello\r\n0\r\n\r\n'],
  ['an unfinished quoted string', '5;a="b\r\nhello\r\n0\r\n\r\n'],
  ['a quoted string that ends in the next line', '5;a="\r\nhello\r\n";b\r\n0\r\n\r\n'],
  ['text after a quoted string', '5;a="b"c\r\nhello\r\n0\r\n\r\n'],
  ['a control byte in a quoted string', '5;a="\x00"\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF in a quoted string', '5;a="\n"\r\nhello\r\n0\r\n\r\n'],
  ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['non-ASCII bytes in an extension', '5;\xe4\r\nhello\r\n0\r\n\r\n'],
  ['more extensions than payload', `1;${'a'.repeat(900)}\r\nx\r\n`.repeat(30)],
  ['an extension over the limit on the last chunk', `0;${'a'.repeat(2000)}\r\n\r\n`],
  ['a trailer without a name', '0\r\n: b\r\n\r\n'],
  ['a trailer without a colon', '0\r\nb\r\n\r\n'],
  ['a trailer with a NUL', '0\r\nA: \x00\r\n\r\n'],
  ['a trailer with a bare CR', '0\r\nA: b\rc\r\n\r\n'],
  ['a trailer that begins with a space', '0\r\n A: b\r\n\r\n'],
  ['trailers that end with a bare LF', '0\r\nA: b\r\n\n'],
  ['no CRLF after the last chunk', '0\r\n\nGET'],
  ['endless trailers', `0\r\n${'A: b\r\n'.repeat(3000)}\r\n`],
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
  ['a lower-case method, which is a different method', `get /x HTTP/1.1\r\n${H}\r\n`, 'get /x HTTP/1.1'],
  ['a host in capitals with the dot of the root', 'GET /x HTTP/1.1\r\nHost: A.Example.:80\r\n\r\n', 'GET /x HTTP/1.1'],
  ['an IP address as Host', 'GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', 'GET /x HTTP/1.1'],
  ['no Host in HTTP/1.0', 'GET /x HTTP/1.0\r\n\r\n', 'GET /x HTTP/1.1'],
  ['zeros before a Content-Length', `POST /x HTTP/1.1\r\n${H}Content-Length: 0004\r\n\r\nabcd`, 'POST /x HTTP/1.1'],
  ['chunked in capitals', `POST /x HTTP/1.1\r\n${H}Transfer-Encoding: \tCHUNKED \r\n\r\n0\r\n\r\n`, 'POST /x HTTP/1.1'],
  [
    'a target of the maximum length',
    `GET /${'a'.repeat(1023)} HTTP/1.1\r\n${H}\r\n`,
    `GET /${'a'.repeat(1023)} HTTP/1.1`,
  ],
  ['a name with an underscore that is no alias', `GET /x HTTP/1.1\r\n${H}my_own: 1\r\n\r\n`, 'GET /x HTTP/1.1'],
  ['an unknown method', `BREW /pot HTTP/1.1\r\n${H}\r\n`, 'BREW /pot HTTP/1.1'],
];

for (const [what, request, line] of ACCEPTED) {
  test(`${what} is accepted`, async ({ target, plane }) => {
    target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    assert.is((await plane.ask(request)).status, 200);
    assert.is(target.arrived.at(-1)!.head.split('\r\n')[0], line);
  });
}

const GOOD_CHUNKS: readonly (readonly [what: string, body: string])[] = [
  ['an extension', '5;a\r\nhello\r\n0\r\n\r\n'],
  ['extensions with values, spaces and quotes', '5 ;a=b ; c = "d;e\\"f\\\\ \xe4" ;g\r\nhello\r\n0;h="i"\r\n\r\n'],
  ['a size in capitals', '0A\r\nxxxxxxxxxx\r\n0\r\n\r\n'],
  ['no payload', '00000\r\n\r\n'],
  ['sizes with zeros before them', '0005\r\nhello\r\n000\r\n\r\n'],
  ['as many extensions as payload', `${`400;${'a'.repeat(900)}\r\n${'x'.repeat(1024)}\r\n`.repeat(40)}0\r\n\r\n`],
  [
    'trailers that would frame, route and authenticate',
    '5\r\nhello\r\n0\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n',
  ],
];

for (const [what, body] of GOOD_CHUNKS) {
  test(`chunked body with ${what}: re-framed for the target, payload only`, async ({ target, plane }) => {
    target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const before = target.arrived.length;
    const client = plane.client();
    client.send(
      `POST /x HTTP/1.1\r\n${H}Trailer: Host\r\nTransfer-Encoding: chunked\r\n\r\n${body}GET /next HTTP/1.1\r\n${H}\r\n`,
    );
    assert.is((await client.reply()).status, 200);
    assert.is((await client.reply()).status, 200);
    client.destroy();
    const [first, second] = target.arrived.slice(before);
    assert.is(second!.url, '/next');
    assert.is(first!.header('transfer-encoding'), 'chunked');
    assert.is(first!.header('content-length'), undefined);
    assert.is(first!.header('trailer'), undefined);
    assert.match(first!.rest.toString('latin1'), /^([0-9a-f]+\r\n(hello|x+)\r\n)*0\r\n\r\n$/);
  });
}

test('the Host is forwarded in normalized form', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const reply = await plane.ask('GET /x HTTP/1.1\r\nHost: A.Example.:8080\r\n\r\n');
  assert.is(target.arrived.at(-1)!.header('host'), 'a.example:8080');
  assert.is(target.arrived.at(-1)!.header('x-forwarded-host'), 'a.example:8080');
  assert.is((await plane.record(({ id }) => id === reply.header('x-request-id'))).host, 'a.example');
});

test('the authority of an absolute form replaces Host', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await plane.ask(`GET http://b.example:81/ HTTP/1.1\r\n${H}\r\n`);
  assert.is(target.arrived.at(-1)!.header('host'), 'b.example:81');
});

test.run();
