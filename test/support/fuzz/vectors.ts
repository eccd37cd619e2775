/**
 * Known request smuggling vectors: bytes that two parsers may read differently. Each has the number of requests that gw
 * may forward. `SECRET` is the hidden request. The laws of the fuzzer hold for all of them.
 */

export interface Vector {
  readonly name: string;
  readonly text: string;
  /** Requests that reach the target: refused ones do not. */
  readonly forwarded: number;
}

const H = 'Host: a.example\r\n';
const SECRET = `GET /smuggled HTTP/1.1\r\n${H}X-Id: smuggled\r\n\r\n`;
const TE = 'Transfer-Encoding: chunked\r\n';
const POST = `POST /v HTTP/1.1\r\n${H}`;
const refused = (name: string, text: string): Vector => ({ name, text, forwarded: 0 });

/** Fields that a target may read as `Transfer-Encoding: chunked` and a proxy not, or the reverse. */
const DISGUISES = [
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;q=0',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: \x0cchunked',
  'Transfer-Encoding: chunked\x00',
  'Transfer-Encoding: ch\x00unked',
  'Transfer-Encoding: chunk\xe9d',
  'Transfer-Encoding:\n chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: \r\n\tchunked',
  'Transfer-Encoding:',
  'Transfer-Encoding: cow',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\x00Transfer-Encoding: chunked\x00',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding chunked',
  'Transfer-Encoding',
  ': chunked\r\nTransfer-Encoding: chunked',
  '\xefTransfer-Encoding: chunked',
  'Transfer_Encoding: chunked',
];

/** Spellings of Content-Length: 0, in addition to or instead of the real one. */
const LENGTHS = [
  'Content-Length: +0',
  'Content-Length: -0',
  'Content-Length: 0x0',
  'Content-Length: 0,0',
  'Content-Length: 0, 7',
  'Content-Length: 0\r\nContent-Length: 7',
  'Content-Length: 7\r\nContent-Length: 0',
  'Content-Length: 0 7',
  'Content-Length: 0_0',
  'Content-Length: 0.0',
  'Content-Length: 0e0',
  'Content-Length: "0"',
  'Content-Length: ',
  'Content-Length : 0',
  'Content-Length: 0\x00',
  'Content-Length:\r\n 0',
  'Content-Length: \x0b0',
  'Content-Length: 18446744073709551616',
  'Content-Length: 18446744073709551615',
  'Content-Length: 9007199254740993',
  'Content-Length: 0\rX: y',
  'Content-Length: 0\nX: y',
  'Content_Length: 7',
];

/** Chunked bodies whose end parsers find at different places. */
const CHUNKS: readonly (readonly [name: string, body: string])[] = [
  ['a bare LF in an extension', `5;\nxx\r\n4c\r\n0\r\n\r\n${SECRET}`],
  ['a bare LF in an empty extension before the chunk', `2;\nab\r\n0\r\n\r\n${SECRET}`],
  ['a bare LF after an extension', `2;a=b\nab\r\n0\r\n\r\n${SECRET}`],
  ['a bare CR after an extension', `2;a=b\rab\r\n0\r\n\r\n${SECRET}`],
  ['a bare LF in the extension of the last chunk', `0;a\n\r\n${SECRET}`],
  ['a chunk that ends with a wrong byte and LF', `2\r\nabX\n0\r\n\r\n${SECRET}`],
  ['a chunk that ends with CR and a wrong byte', `2\r\nab\rX0\r\n\r\n${SECRET}`],
  ['a chunk that ends with LF twice', `2\r\nab\n\n0\r\n\r\n${SECRET}`],
  ['a bare LF after a size', `2\nxx\n0\n\n${SECRET}`],
  ['a bare CR in an extension', `2;\rxx\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a bare CR after a size', `2\rxx\r\n0\r\n\r\n${SECRET}`],
  ['a chunk that ends with a bare LF', `2\r\nab\n0\r\n\r\n${SECRET}`],
  ['a chunk that ends with a bare CR', `2\r\nab\r0\r\n\r\n${SECRET}`],
  ['a chunk that ends with two wrong bytes', `2\r\nabXX0\r\n\r\n${SECRET}`],
  ['a chunk that ends with one byte', `2\r\nabX0\r\n\r\n${SECRET}`],
  ['a chunk that does not end', `2\r\nab0\r\n\r\n${SECRET}`],
  ['a chunk longer than its size', `2\r\nabc\r\n0\r\n\r\n${SECRET}`],
  ['the last chunk with a bare LF', `0\n\r\n${SECRET}`],
  ['the end with a bare LF', `0\r\n\n${SECRET}`],
  ['the end with a bare CR', `0\r\n\r${SECRET}`],
  ['an empty size', `\r\n${SECRET}`],
  ['an extension without a size', `;x\r\n\r\n${SECRET}`],
  ['a signed size', `+0\r\n\r\n${SECRET}`],
  ['a negative size', `-1\r\n\r\n${SECRET}`],
  ['0x before a size', `0x0\r\n\r\n${SECRET}`],
  ['a size with an underscore', `1_0\r\n${'a'.repeat(16)}\r\n0\r\n\r\n${SECRET}`],
  ['a space before a size', ` 0\r\n\r\n${SECRET}`],
  ['a size that wraps at 32 bits', `100000002\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a size that wraps at 64 bits', `10000000000000002\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a size of many zeros', `${'0'.repeat(64)}2\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a NUL after a size', `2\x00\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a comma after a size', `2,2\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['an extension over the limit', `2;${'a'.repeat(20_000)}\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['short extensions that together exceed the limit', `${`1;${'a'.repeat(900)}\r\nx\r\n`.repeat(64)}0\r\n\r\n`],
  ['a NUL in an extension', `2;a\x00\r\nab\r\n0\r\n\r\n${SECRET}`],
  ['a trailer with a bare LF', `0\r\nX: y\n\r\n${SECRET}`],
  ['a trailer with a bare CR', `0\r\nX: y\rZ: 1\r\n\r\n${SECRET}`],
  ['a folded trailer', `0\r\nX: y\r\n z\r\n\r\n${SECRET}`],
  ['a trailer without a colon', `0\r\nGET /smuggled HTTP/1.1\r\nX\r\n\r\n${SECRET}`],
  ['a trailer with a space before the colon', `0\r\nX : y\r\n\r\n${SECRET}`],
  ['a trailer without a name', `0\r\n: y\r\n\r\n${SECRET}`],
  ['endless trailers', `0\r\n${'X: y\r\n'.repeat(20_000)}`],
];

/** Heads that parsers read differently. */
const HEADS: readonly (readonly [name: string, text: string])[] = [
  ['HTTP/0.9', `GET /v\r\n${SECRET}`],
  ['HTTP/0.9 with a version', `GET /v HTTP/0.9\r\n${H}\r\n`],
  ['no version', `GET /v \r\n${H}\r\n`],
  ['HTTP/1.1 and more', `GET /v HTTP/1.1x\r\n${H}\r\n`],
  ['two versions', `GET /v HTTP/1.0 HTTP/1.1\r\n${H}\r\n`],
  ['HTTP/11', `GET /v HTTP/11\r\n${H}\r\n`],
  ['HTTP/1.10', `GET /v HTTP/1.10\r\n${H}\r\n`],
  ['a method and version of HTTP/2', `PRI * HTTP/2.0\r\n\r\n${SECRET}`],
  ['a bare LF as the line’s end', `GET /v HTTP/1.1\n${H}\r\n`],
  ['bare LFs throughout', 'GET /v HTTP/1.1\nHost: a.example\n\n'],
  ['a bare CR as the line’s end', `GET /v HTTP/1.1\r${H}\r\n`],
  ['CR CR LF', `GET /v HTTP/1.1\r\r\n${H}\r\n`],
  ['a tab in the request line', `GET\t/v\tHTTP/1.1\r\n${H}\r\n`],
  ['a form feed in the request line', `GET\x0c/v HTTP/1.1\r\n${H}\r\n`],
  ['a CR in the request line', `GET /v\rHTTP/1.1\r\n${H}\r\n`],
  ['two spaces in the request line', `GET  /v HTTP/1.1\r\n${H}\r\n`],
  ['a space in the target', `GET /v x HTTP/1.1\r\n${H}\r\n`],
  ['a NUL in the target', `GET /v\x00 HTTP/1.1\r\n${H}\r\n`],
  ['a fragment of a query', `GET /v?a#x HTTP/1.1\r\n${H}\r\n`],
  ['a fragment', `GET /v#x HTTP/1.1\r\n${H}\r\n`],
  ['a backslash first', `GET \\v HTTP/1.1\r\n${H}\r\n`],
  ['raw UTF-8 in the target', `GET /\xc3\xa4 HTTP/1.1\r\n${H}\r\n`],
  ['obs-fold at the first field', `GET /v HTTP/1.1\r\n X: y\r\n${H}\r\n`],
  ['obs-fold of Host', 'GET /v HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n'],
  ['two Hosts', `GET /v HTTP/1.1\r\n${H}Host: b.example\r\n\r\n`],
  ['two equal Hosts', `GET /v HTTP/1.1\r\n${H}${H}\r\n`],
  ['no Host', 'GET /v HTTP/1.1\r\nX: y\r\n\r\n'],
  ['an empty Host', 'GET /v HTTP/1.1\r\nHost:\r\n\r\n'],
  ['a list of Hosts', 'GET /v HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n'],
  ['a Host with a space before the colon', 'GET /v HTTP/1.1\r\nHost : a.example\r\n\r\n'],
  ['a Host with userinfo', 'GET /v HTTP/1.1\r\nHost: u@a.example\r\n\r\n'],
  ['a Host with a path', 'GET /v HTTP/1.1\r\nHost: a.example/x\r\n\r\n'],
  ['a Host with a bad port', 'GET /v HTTP/1.1\r\nHost: a.example:80x\r\n\r\n'],
  ['a Host with a fragment', 'GET /v HTTP/1.1\r\nHost: a.example#x\r\n\r\n'],
  ['an absolute target with userinfo', `GET http://a@b.example/v HTTP/1.1\r\n${H}\r\n`],
  ['an absolute target without a host', `GET http:///v HTTP/1.1\r\n${H}\r\n`],
  ['an absolute target of another scheme', `GET file:///v HTTP/1.1\r\n${H}\r\n`],
  ['authority-form', `GET a.example:80 HTTP/1.1\r\n${H}\r\n`],
  ['CONNECT', `CONNECT a.example:80 HTTP/1.1\r\n${H}\r\n${SECRET}`],
  ['an asterisk', `GET * HTTP/1.1\r\n${H}\r\n`],
  ['a method of separators', `G(T /v HTTP/1.1\r\n${H}\r\n`],
  ['an empty method', ` /v HTTP/1.1\r\n${H}\r\n`],
  ['chunked in HTTP/1.0', `POST /v HTTP/1.0\r\n${H}${TE}Connection: keep-alive\r\n\r\n0\r\n\r\n${SECRET}`],
  ['Connection: Content-Length', `${POST}Connection: content-length\r\nContent-Length: 2\r\n\r\nab`],
  ['Connection: Transfer-Encoding', `${POST}Connection: transfer-encoding\r\n${TE}\r\n0\r\n\r\n`],
  ['Connection: Host', `GET /v HTTP/1.1\r\n${H}Connection: host\r\n\r\n`],
  ['Connection: X-Forwarded-For', `GET /v HTTP/1.1\r\n${H}Connection: x-forwarded-for\r\n\r\n`],
  ['an unknown expectation', `POST /v HTTP/1.1\r\n${H}Expect: x\r\nContent-Length: 2\r\n\r\nab`],
];

const body = (text: string): string => `Content-Length: ${text.length}\r\n\r\n${text}`;

/** Valid messages that a faulty parser may read differently. */
const FAIR: readonly Vector[] = [
  { name: 'CL.0', text: `${POST}${body(SECRET)}`, forwarded: 1 },
  { name: '0.CL: a body of GET', text: `GET /v HTTP/1.1\r\n${H}${body(SECRET)}`, forwarded: 1 },
  { name: 'a body of HEAD', text: `HEAD /v HTTP/1.1\r\n${H}${body(SECRET)}`, forwarded: 1 },
  { name: 'a body of OPTIONS *', text: `OPTIONS * HTTP/1.1\r\n${H}${body(SECRET)}`, forwarded: 0 },
  {
    name: 'a request in a chunk',
    text: `${POST}${TE}\r\n${SECRET.length.toString(16)}\r\n${SECRET}\r\n0\r\n\r\n`,
    forwarded: 1,
  },
  {
    name: 'Connection: close, then more',
    text: `GET /v HTTP/1.1\r\n${H}Connection: close\r\n\r\n${SECRET}`,
    forwarded: 1,
  },
  { name: 'HTTP/1.0, then more', text: `GET /v HTTP/1.0\r\n${H}\r\n${SECRET}`, forwarded: 1 },
  { name: 'an absolute target and another Host', text: `GET http://b.example/v HTTP/1.1\r\n${H}\r\n`, forwarded: 1 },
  { name: 'Expect, and the body at once', text: `${POST}Expect: 100-continue\r\n${body(SECRET)}`, forwarded: 1 },
  { name: 'Expect without a body', text: `GET /v HTTP/1.1\r\n${H}Expect: 100-continue\r\n\r\n`, forwarded: 1 },
  { name: 'an extension with quotes', text: `${POST}${TE}\r\n2;a="b c"\r\nab\r\n0;x\r\n\r\n`, forwarded: 1 },
  {
    name: 'an upgrade to h2c',
    text: `GET /v HTTP/1.1\r\n${H}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n`,
    forwarded: 1,
  },
  { name: 'TE', text: `GET /v HTTP/1.1\r\n${H}TE: trailers, chunked\r\nConnection: te\r\n\r\n`, forwarded: 1 },
  { name: 'an empty line between', text: `GET /v HTTP/1.1\r\n${H}\r\n\r\nGET /v HTTP/1.1\r\n${H}\r\n`, forwarded: 2 },
];

/** Trailers that a target might treat as header fields. */
const TRAILERS = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: b.example',
  'Authorization: x',
  'X-Forwarded-For: 1.1.1.1',
];

export const VECTORS: readonly Vector[] = [
  refused('CL.TE', `${POST}Content-Length: 6\r\n${TE}\r\n0\r\n\r\n${SECRET}`),
  refused('TE.CL', `${POST}${TE}Content-Length: 4\r\n\r\n5c\r\n${SECRET}\r\n0\r\n\r\n`),
  ...DISGUISES.flatMap((field) => [
    refused(`TE, ${JSON.stringify(field)}`, `${POST}${field}\r\n\r\n0\r\n\r\n${SECRET}`),
    refused(`TE.TE, ${JSON.stringify(field)}`, `${POST}${field}\r\n${TE}\r\n0\r\n\r\n${SECRET}`),
    refused(`CL.TE, ${JSON.stringify(field)}`, `${POST}Content-Length: 6\r\n${field}\r\n\r\n0\r\n\r\n${SECRET}`),
  ]),
  ...LENGTHS.map((field) => refused(`lengths, ${JSON.stringify(field)}`, `${POST}${field}\r\n\r\n${SECRET}`)),
  ...LENGTHS.map((field) => refused(`CL.CL, ${JSON.stringify(field)}`, `${POST}${field}\r\n${body('ab')}${SECRET}`)),
  ...CHUNKS.map(([name, text]) => refused(`chunks, ${name}`, `${POST}${TE}\r\n${text}`)),
  ...HEADS.map(([name, text]) => refused(`head, ${name}`, text)),
  ...TRAILERS.map((field) => ({
    name: `trailer ${field}`,
    text: `${POST}${TE}\r\n0\r\n${field}\r\n\r\n`,
    forwarded: 1,
  })),
  ...FAIR,
];
