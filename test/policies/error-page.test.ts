import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision, Reply } from '../../src/policies/contract.js';
import { BytesReply, HeaderMap, problem } from '../../src/policies/run-kit.js';
import { compile, create, decode, exchange, lint } from './support.js';

const HTML = `html = '<h1>{reply.status} {reply.reason}</h1><p>{reply.code} {request.path}</p>'`;
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

const own = (status = 503): Reply =>
  problem({ id: 'req-1' }, { status, code: 'upstream/refused', title: 'Service unavailable' });

/** A reply of a target, with a stream. */
function ofTarget(status: number, fields: readonly (readonly [string, string])[] = []) {
  const source = { discarded: 0, discard: () => void source.discarded++ };
  const reply: Reply = { status, headers: new HeaderMap(fields), body: source };
  return { reply, source };
}

function ask(keys: string, reply: Reply, accept?: string, path = '/orders/1'): string {
  const on = exchange({ path, ...(accept === undefined ? {} : { headers: [['accept', accept]] }) });
  create('error-page', keys).after?.(on, reply);
  return `${reply.headers.get('content-type')} ${reply.body instanceof Uint8Array ? Buffer.from(reply.body).toString() : reply.body === null ? '-' : 'stream'}`;
}

test('a browser gets the page, an API client keeps the problem', () => {
  const page = 'text/html; charset=utf-8 <h1>503 Service Unavailable</h1><p>upstream/refused /orders/1</p>';
  assert.is(ask(HTML, own(), BROWSER), page);
  assert.is(ask(HTML, own(), 'text/*'), page);
  assert.is(ask(HTML, own(), 'application/json;q=0.5, text/html'), page);
  for (const accept of [
    undefined,
    '',
    '*/*',
    'application/json',
    'application/problem+json',
    'application/*',
    'image/png',
  ])
    assert.match(ask(HTML, own(), accept), 'application/problem+json {"type"', String(accept));
  assert.match(ask(HTML, own(), 'text/html;q=0.2, application/json'), 'application/problem+json');
  assert.match(ask(HTML, own(), 'text/html;q=0, */*'), 'application/problem+json');
});

test('a JSON page replaces the problem, unless the client prefers exactly that type', () => {
  const keys = `${HTML}\njson = '{"error": "{reply.code}", "status": {reply.status}}'\ntext = "no"`;
  const json = 'application/json {"error": "upstream/refused", "status": 503}';
  for (const accept of [undefined, '*/*', 'application/json', 'application/*', 'application/json, text/html'])
    assert.is(ask(keys, own(), accept), json, String(accept));
  assert.match(ask(keys, own(), 'application/problem+json, application/json;q=0.9'), 'application/problem+json');
  assert.is(ask(keys, own(), 'text/plain'), 'text/plain; charset=utf-8 no');
  assert.match(ask(keys, own(), BROWSER), 'text/html');
});

test('only the listed statuses and sources are replaced', () => {
  assert.match(ask(`statuses = [404]\n${HTML}`, own(503), BROWSER), 'problem+json');
  assert.match(ask(`statuses = [503, "4xx"]\n${HTML}`, own(503), BROWSER), 'text/html');
  assert.match(ask(`statuses = ["5xx"]\n${HTML}`, own(599), BROWSER), 'text/html');
  for (const [from, gateway, target] of [
    ['gateway', true, false],
    ['target', false, true],
    ['all', true, true],
  ] as const) {
    assert.is(/html/.test(ask(`from = "${from}"\n${HTML}`, own(), BROWSER)), gateway);
    assert.is(/html/.test(ask(`from = "${from}"\n${HTML}`, ofTarget(500).reply, BROWSER)), target);
  }
  for (const status of [200, 204, 206, 301, 304])
    assert.is(ask(`from = "all"\n${HTML}`, ofTarget(status).reply, BROWSER), 'undefined stream');
});

const STALE = [
  ['content-type', 'text/plain'],
  ['content-encoding', 'br'],
  ['content-length', '7'],
  ['etag', '"a"'],
  ['last-modified', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  ['content-digest', 'sha-256=:AAAA:'],
  ['repr-digest', 'sha-256=:AAAA:'],
  ['digest', 'sha-256=AAAA'],
  ['content-md5', 'AAAA'],
  ['content-language', 'de'],
  ['content-location', '/x'],
  ['content-disposition', 'attachment'],
  ['accept-ranges', 'bytes'],
  ['trailer', 'x-t'],
] as const;

test('fields that describe the old body go, the body is released', () => {
  const { reply, source } = ofTarget(500, [...STALE, ['retry-after', '7'], ['x-powered-by', 'y'], ['vary', 'Origin']]);
  assert.match(ask(`from = "all"\n${HTML}`, reply, BROWSER), 'text/html');
  assert.is(source.discarded, 1);
  assert.equal(
    [...reply.headers.entries()],
    [
      ['retry-after', '7'],
      ['x-powered-by', 'y'],
      ['vary', 'Origin, Accept'],
      ['content-type', 'text/html; charset=utf-8'],
    ],
  );
});

test('with keep, only the chosen fields stay, and those that the status requires', () => {
  const { reply } = ofTarget(401, [
    ['x-powered-by', 'y'],
    ['retry-after', '7'],
    ['www-authenticate', 'Basic'],
    ['set-cookie', 'a=b'],
  ]);
  ask(`from = "all"\nkeep = ["Retry-After"]\n${HTML}`, reply, BROWSER);
  assert.equal(
    [...reply.headers.entries()].map(([name]) => name),
    ['retry-after', 'www-authenticate', 'vary', 'content-type'],
  );
});

test('a reply that keeps its body keeps its fields, but says that they were negotiated', () => {
  const { reply, source } = ofTarget(500, [
    ['content-type', 'application/json'],
    ['etag', '"a"'],
  ]);
  assert.is(ask(`from = "all"\n${HTML}`, reply, 'application/json'), 'application/json stream');
  assert.is(source.discarded, 0);
  assert.is(reply.headers.get('etag'), '"a"');
  assert.is(reply.headers.get('vary'), 'Accept');
});

test('text of the client cannot become markup or end a JSON string', () => {
  const path = `/"><script>'\\&`;
  assert.match(ask(HTML, own(), BROWSER, path), '/&#34;&#62;&#60;script&#62;&#39;\\&#38;</p>');
  const json = ask(`json = '{"path": "{request.path}"}'`, own(), 'application/json', path);
  assert.is((JSON.parse(json.slice(json.indexOf('{'))) as { path: string }).path, path);
});

test('a page is not replaced again by another policy of this kind', () => {
  const on = exchange({ headers: [['accept', BROWSER]] });
  const reply = own();
  create('error-page', `html = "inner"`).after?.(on, reply);
  create('error-page', `html = "outer"\nfrom = "all"`).after?.(on, reply);
  assert.is(Buffer.from(reply.body as Uint8Array).toString(), 'inner');
  // Another reply in the same exchange is another matter.
  const later = own();
  create('error-page', `html = "outer"`).after?.(on, later);
  assert.is(Buffer.from(later.body as Uint8Array).toString(), 'outer');
});

test('decisions say what happened', () => {
  const decisions: Decision[] = [];
  const policy = create('error-page', HTML);
  policy.after?.(exchange({ decisions, headers: [['accept', BROWSER]] }), own());
  policy.after?.(exchange({ decisions }), own());
  policy.after?.(exchange({ decisions }), new BytesReply(200));
  assert.equal(
    decisions.map(({ outcome, why }) => `${outcome}: ${why}`),
    ['edit: the 503 has a page in html', 'pass: the client prefers the body of the 503'],
  );
});

test('lint: what is wrong with a page', () => {
  const files = (text: string) => ({ readFile: () => ({ text }) });
  assert.equal(lint('error-page', ''), ['error-page/none']);
  assert.equal(lint('error-page', 'html = { file = "gone.html" }'), ['error-page/file html.file']);
  assert.equal(lint('error-page', 'html = { file = "x" }', files('x'.repeat(300_000))), ['error-page/file html.file']);
  assert.equal(lint('error-page', 'html = { file = "x" }', files('<p>{request.nothing}</p>')), [
    'template/unknown-variable html.file',
  ]);
  assert.equal(lint('error-page', `json = '{"a": {reply.status}, "b": "{request.id}", "c": [{id}]}'`), []);
  for (const json of ['{', '{"a": }', '{request.id} {request.id}'])
    assert.equal(lint('error-page', `json = '${json}'`), ['error-page/not-json json'], json);
});

test('lint: a page is checked for places where escaping does not protect', () => {
  const at = (html: string) => lint('error-page', 'html = { file = "x" }', { readFile: () => ({ text: html }) });
  assert.equal(at('<a title="{request.path}">{request.path}</a>'), []);
  assert.equal(at('<script>a("{request.path}")</script>'), ['template/unsafe-place html.file']);
  assert.equal(lint('error-page', `text = '<script>{request.path}'`), []);
  const many = '<p>{request.id}</p>'.repeat(500);
  assert.equal(at(`${many}<p title={request.id}>`), ['template/unsafe-place html.file'], 'the last of many variables');
});

test('statuses outside of 400 to 599 are refused', () => {
  for (const status of ['200', '600', '"3xx"', '"40x"', '304'])
    assert.ok(decode('error-page', `statuses = [${status}]\n${HTML}`).errors.length > 0, status);
});

test('a file is part of the compiled policy', () => {
  const settings = compile('error-page', 'html = { file = "x" }', { readFile: () => ({ text: 'a {id} {b}' }) });
  assert.equal((settings as { pages: object }).pages, { html: ['a ', { var: 'param.id' }, ' {b}'] });
});

test.run();
