import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BodyReader } from '../../../src/proxy/http/body.js';
import { HeadFields } from '../../../src/proxy/http/fields.js';
import { Authority, readAuthority } from '../../../src/proxy/http/host.js';
import { type HeadLimits, RequestHead } from '../../../src/proxy/http/request-head.js';
import { ResponseHead } from '../../../src/proxy/http/response-head.js';
import { Seen } from '../../../src/proxy/http/seen.js';

const LIMITS: HeadLimits = {
  maxHeaderBytes: 8192,
  maxHeaders: 50,
  maxTargetBytes: 4096,
  underscores: 'refuse-aliases',
};

test('a request head split at any byte is incomplete, then parsed the same', () => {
  const text =
    'POST /a/b?c=d HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-A:  1 \r\nContent-Length: 12\r\nConnection: keep-alive, x-b\r\n\r\n';
  const head = new RequestHead();
  for (let at = 0; at < text.length; at++) assert.is(head.parse(text.slice(0, at), LIMITS), 0, `cut at ${at}`);
  assert.is(head.parse(`${text}rest`, LIMITS), text.length);
  assert.is(head.method, 'POST');
  assert.is(head.path, '/a/b');
  assert.is(head.query, 'c=d');
  assert.is(head.host, 'shop.example');
  assert.is(head.authority, 'shop.example:8080');
  assert.is(head.contentLength, 12);
  assert.is(head.listed, 'x-b');
  assert.is(head.kept, 'X-A: 1\r\n');
  assert.ok(head.seen & Seen.KeepAlive);
});

test('dropping fields with underscores keeps the original length of the head, split at any byte', () => {
  const text = 'GET / HTTP/1.1\r\na_b: 1\r\nHost: x\r\n_:2\r\nC: 3\r\nd_:\r\n\r\n';
  const limits: HeadLimits = { ...LIMITS, underscores: 'drop' };
  const head = new RequestHead();
  for (let at = 0; at < text.length; at++) assert.is(head.parse(text.slice(0, at), limits), 0, `cut at ${at}`);
  assert.is(head.parse(`${text}rest`, limits), text.length);
  assert.is(head.kept, 'C: 3\r\n');
  assert.is(head.text.slice(head.fieldsAt, head.fieldsEnd), 'Host: x\r\nC: 3\r\n');
  assert.is(head.parse(text, { ...limits, maxHeaders: 4 }), -1);
  assert.is(head.error, 'request/head-too-large');
  assert.is(head.parse(text, { ...limits, underscores: 'keep' }), text.length);
  assert.is(head.kept, 'a_b: 1\r\n_: 2\r\nC: 3\r\nd_: \r\n');
});

test('aliases are detected for fields of gw and of policies', () => {
  const head = new RequestHead();
  const parse = (name: string): number => head.parse(`GET / HTTP/1.1\r\nHost: x\r\n${name}: 1\r\n\r\n`, LIMITS);
  assert.ok(parse('X_Tenant') > 0);
  head.written = new Set(['x-tenant']);
  assert.is(parse('X_Tenant'), -1);
  assert.is(head.error, 'request/field-name');
  assert.ok(parse('X-Tenant') > 0);
  assert.is(parse('X_Forwarded_Anything'), -1);
});

test('canonical field lines are forwarded as one slice', () => {
  const head = new RequestHead();
  head.parse('GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nHost: x\r\nC:3\r\nD: 4\r\nTE: trailers\r\nE: 5\r\n\r\n', LIMITS);
  assert.is(head.kept, 'A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n');
});

test('a parser keeps no state between heads', () => {
  const head = new RequestHead();
  head.parse('POST http://a/ HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nConnection: close, z\r\n\r\n', LIMITS);
  head.parse('GET /x HTTP/1.0\r\n\r\n', LIMITS);
  assert.is(head.contentLength, -1);
  assert.is(head.seen, 0);
  assert.is(head.listed, '');
  assert.is(head.host, '');
  assert.is(head.query, '');
});

test('a response head split at any byte is parsed the same', () => {
  const text = 'HTTP/1.1 404 Not Found\r\nDate: x\r\nContent-Length: 3\r\nConnection: close\r\nX-A:1\r\n\r\n';
  const head = new ResponseHead();
  for (let at = 0; at < text.length; at++) assert.is(head.parse(text.slice(0, at)), 0, `cut at ${at}`);
  assert.is(head.parse(`${text}abc`), text.length);
  assert.is(head.statusText, '404 Not Found');
  assert.is(head.kept, 'Date: x\r\nX-A: 1\r\n');
  assert.ok(head.close && head.hasDate && !head.chunked);
  assert.is(head.parse('HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\n'), 40);
  assert.not.ok(head.close);
  assert.is(head.parse('HTTP/1.0 200 \r\n\r\n'), 17);
  assert.ok(head.close);
});

test('hosts are validated and normalized', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['', undefined],
    ['Example.COM', 'example.com'],
    ['a:80', 'a'],
    ['a:65535', 'a'],
    ['a:65536', undefined],
    ['a:', undefined],
    [':80', undefined],
    ['[::1]', '[::1]'],
    ['[FE80::1]:8080', '[fe80::1]'],
    ['[1.2.3.4]', undefined],
    ['[::g]', undefined],
    ['[::1]x', undefined],
    ['a b', undefined],
    ['a,b', undefined],
    ['a_b', 'a_b'],
    ['A.Example.', 'a.example'],
    ['a.example.:80', 'a.example'],
    ['a..', undefined],
    ['.', undefined],
    ['.a', undefined],
    ['a:080', undefined],
    ['a:0', undefined],
    ['a%2eb', undefined],
    ['[fe80::1%25eth0]', undefined],
    ['[1:2]', undefined],
    ['[::1:::]', undefined],
    ['[v1.a:b]', undefined],
    ['[::ffff:1.2.3.4]', '[::ffff:1.2.3.4]'],
    ['a'.repeat(256), undefined],
  ];
  for (const [text, host] of cases) {
    const authority = new Authority();
    assert.is(readAuthority(authority, text, 0, text.length) ? authority.host : undefined, host, text);
  }
});

test('a chunked body gives the same payload for every split', () => {
  const text = '3;a=b\r\nabc\r\n00A \t;x\r\n0123456789\r\n0\r\nT: 1\r\nU: 2\r\n\r\nNEXT';
  for (let first = 1; first < text.length; first++) {
    const body = new BodyReader();
    body.begin('chunked', 0);
    let payload = '';
    let used = 0;
    for (const [from, to] of [
      [0, first],
      [first, text.length],
    ] as const) {
      if (body.done) break;
      const buffer = Buffer.from(text.slice(from, to));
      used = from + body.take(buffer, 0, buffer.length);
      payload += buffer.toString('latin1', body.start, body.end);
    }
    assert.is(payload, 'abc0123456789');
    assert.ok(body.done && !body.failed);
    assert.is(used, text.length - 4);
  }
});

test('a body of known length ends after its length', () => {
  const body = new BodyReader();
  body.begin('length', 5);
  assert.is(body.take(Buffer.from('abc'), 0, 3), 3);
  assert.is(body.take(Buffer.from('defgh'), 0, 5), 2);
  assert.ok(body.done);
  assert.is(body.total, 5);
  body.begin('length', 0);
  assert.ok(body.done);
});

test('fields: lookup ignores case, edits are layered, order is kept', () => {
  const text = 'A: 1\r\nCookie: x\r\na: 2\r\nAB: 3\r\n';
  const fields = new HeadFields(text, 0, text.length, text, 'ab');
  assert.is(fields.get('A'), '1, 2');
  assert.is(fields.get('b'), undefined);
  assert.not.ok(fields.edited);
  fields.set('b', 'new');
  fields.append('A', '4');
  fields.remove('Cookie');
  assert.is(fields.get('a'), '1, 2, 4');
  assert.is(fields.get('cookie'), undefined);
  assert.ok(fields.touched('cookie') && fields.touched('b') && !fields.touched('ab'));
  fields.set('connection', 'x');
  assert.is(fields.lines('Via: 1.1 gw\r\n'), 'A: 1\r\na: 2\r\nVia: 1.1 gw\r\nb: new\r\na: 4\r\n');
  assert.equal(
    [...fields.entries()].map(([name]) => name),
    ['a', 'a', 'ab', 'b', 'a', 'connection'],
  );
  for (const [name, value] of [
    ['a b', 'x'],
    ['a', 'x\r\ny: z'],
    ['a', '\u0100'],
    ['', 'x'],
  ] as const)
    assert.throws(
      () => fields.set(name, value),
      (error: unknown) => error instanceof TypeError,
    );
});

test('fields: a policy can remove and replace lines that gw adds', () => {
  const text = 'Cookie: x\r\nVia: 1.0 a\r\nB: 2\r\n';
  const own = 'x-forwarded-for: ::1\r\nvia: 1.1 gw\r\n';
  const some = new HeadFields(text, 0, text.length, text, '');
  const listed = new HeadFields(text, 0, text.length, text, 'b');
  some.remove('Cookie');
  assert.is(some.lines(own), `Via: 1.0 a\r\nB: 2\r\n${own}`);
  some.remove('VIA');
  assert.is(some.lines(own), 'B: 2\r\nx-forwarded-for: ::1\r\n');
  for (const name of ['Cookie', 'VIA']) listed.remove(name);
  listed.set('x-forwarded-for', 'hidden');
  assert.is(listed.lines(own), 'x-forwarded-for: hidden\r\n');
});

test('a field that readyField() has not made is not added to a request', () => {
  const fields = new HeadFields('A: 1\r\n', 0, 6, 'A: 1\r\n', '');
  const forged = { name: 'x-a', value: 'a\r\nx-b: c', line: 'x-a: a\r\nx-b: c\r\n' };
  assert.throws(() => fields.add(forged), /a field that readyField\(\) has made/);
  assert.throws(() => fields.set('x-a', new Error('a\r\nx-b: c') as unknown as string), /must be a string/);
  assert.not(fields.edited);
});

test.run();
