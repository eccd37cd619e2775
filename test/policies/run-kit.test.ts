import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addToken,
  BytesReply,
  decodeQuery,
  fieldSafe,
  HeaderMap,
  problem,
  readyField,
  statusText,
  Template,
  takeQueryParam,
} from '../../src/policies/run-kit.js';
import { bodyOf, exchange, targetReply } from './support.js';

test('header fields: names are case-insensitive, may have several values, and keep their order', () => {
  const map = new HeaderMap([
    ['Accept', 'a'],
    ['X-One', '1'],
    ['accept', 'b'],
  ]);
  assert.is(map.get('ACCEPT'), 'a, b');
  assert.is(map.get('missing'), undefined);
  map.append('x-one', '2');
  map.set('Accept', 'c');
  assert.equal(
    [...map.entries()],
    [
      ['x-one', '1'],
      ['x-one', '2'],
      ['accept', 'c'],
    ],
  );
  map.remove('X-ONE');
  map.remove('never-there');
  assert.equal([...map.entries()], [['accept', 'c']]);
});

test('header fields: a ready field is checked when it is created, and keeps its position', () => {
  const field = readyField('X-Two', 'b');
  assert.equal({ ...field }, { name: 'x-two', value: 'b', line: 'x-two: b\r\n' });
  const map = new HeaderMap([['x-two', 'a']]);
  map.add(field);
  assert.is(map.get('x-two'), 'a, b');
  assert.throws(() => readyField('x two', 'b'), TypeError);
  assert.throws(() => readyField('x-two', 'b\r\nx-three: c'), TypeError);
});

test('header fields: injection by name or value is refused, obs-text and tabs are allowed', () => {
  const map = new HeaderMap();
  for (const value of ['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\x7f', 'snow\u2603']) {
    assert.throws(() => map.set('x', value), TypeError);
    assert.throws(() => map.append('x', value), TypeError);
  }
  for (const name of ['', 'a b', 'a:', 'é', 'a\r\n']) assert.throws(() => map.set(name, 'x'), TypeError);
  map.set('x', 'caf\xe9\t!');
  assert.is(map.get('x'), 'caf\xe9\t!');
});

test('every character: names are tokens, values what RFC 9110 allows', () => {
  for (let unit = 0; unit < 0x180; unit++) {
    const char = String.fromCharCode(unit);
    const accepts = (name: string, value: string): boolean => {
      try {
        new HeaderMap().set(name, value);
        return true;
      } catch (error) {
        assert.instance(error, TypeError);
        return false;
      }
    };
    assert.is(accepts(`x${char}`, 'v'), /^[A-Za-z0-9!#$%&'*+.^_`|~-]$/.test(char), `name ${unit}`);
    assert.is(accepts('x', `v${char}`), /^[\t\x20-\x7e\x80-\xff]$/.test(char), `value ${unit}`);
  }
});

test('names of Object.prototype are ordinary fields', () => {
  const map = new HeaderMap();
  assert.is(map.get('constructor'), undefined);
  map.set('__proto__', 'x');
  assert.is(map.get('__proto__'), 'x');
});

test('addToken adds a word once', () => {
  const map = new HeaderMap();
  addToken(map, 'vary', 'Origin');
  addToken(map, 'vary', 'origin');
  addToken(map, 'vary', 'Accept');
  assert.is(map.get('vary'), 'Origin, Accept');
  const all = new HeaderMap([['vary', '*']]);
  addToken(all, 'vary', 'Origin');
  assert.is(all.get('vary'), '*');
  const blank = new HeaderMap([['vary', ' ']]);
  addToken(blank, 'vary', 'Origin');
  assert.is(blank.get('vary'), 'Origin');
});

test('a problem follows RFC 9457 and contains the id of the exchange', () => {
  const reply = problem(
    { id: 'id 1' },
    { status: 404, code: 'route/none', title: 'T', detail: 'D', headers: { allow: 'GET' }, extensions: { more: [1] } },
  );
  assert.is(reply.status, 404);
  assert.is(reply.code, 'route/none');
  assert.is(reply.headers.get('content-type'), 'application/problem+json');
  assert.is(reply.headers.get('cache-control'), 'no-store');
  assert.is(reply.headers.get('allow'), 'GET');
  assert.equal(bodyOf(reply), {
    type: 'urn:gw:problem:route/none',
    title: 'T',
    status: 404,
    detail: 'D',
    instance: 'urn:gw:request:id%201',
    request_id: 'id 1',
    more: [1],
  });
  assert.equal(bodyOf(problem(undefined, { status: 400, code: 'x', type: 'urn:y', title: 'T' })), {
    type: 'urn:y',
    title: 'T',
    status: 400,
  });
});

test('BytesReply encodes its body, and statusText names statuses', () => {
  assert.is(new BytesReply(204).body, null);
  assert.equal(new BytesReply(200, { body: 'é' }).body, Buffer.from('é'));
  const bytes = new Uint8Array([1]);
  assert.is(new BytesReply(200, { body: bytes }).body, bytes);
  assert.is(statusText(404), 'Not Found');
  assert.is(statusText(299), '299');
});

test('every variable of a template has its value', () => {
  const on = exchange({
    method: 'PUT',
    path: '/p',
    query: 'q=1',
    params: { id: '7' },
    headers: [['x-a', 'A']],
    consumer: { name: 'acme', plan: 'gold', groups: [], credentials: [], tags: { tier: 'one' } },
    claims: { sub: 'ann', level: 3, admin: false, roles: ['a', 'b'], org: { id: 9 }, 'a.b': 'dotted', none: null },
  });
  const reply = targetReply([['x-b', 'B']]);
  const all = [
    ['param.id', '7'],
    ['consumer.name', 'acme'],
    ['consumer.plan', 'gold'],
    ['consumer.tags.tier', 'one'],
    ['consumer.tags.constructor', ''],
    ['claims.sub', 'ann'],
    ['claims.level', '3'],
    ['claims.admin', 'false'],
    ['claims.roles', '["a","b"]'],
    ['claims.org', '{"id":9}'],
    ['claims.org.id', '9'],
    ['claims.org.constructor', ''],
    ['claims.a.b', 'dotted'],
    ['claims.none', ''],
    ['claims.other', ''],
    ['claims.constructor', ''],
    ['request.id', 'req-1'],
    ['request.method', 'PUT'],
    ['request.path', '/p'],
    ['request.query', 'q=1'],
    ['request.host', 'api.example.com'],
    ['request.scheme', 'http'],
    ['request.header.x-a', 'A'],
    ['route.name', 'get-order'],
    ['client.ip', '192.0.2.1'],
    ['reply.status', '200'],
    ['reply.header.x-b', 'B'],
  ] as const;
  for (const [name, value] of all) assert.is(new Template([{ var: name }]).render(on, reply), value, name);
  const parts = ['a ', { var: 'param.id' }, ' b'];
  assert.is(new Template(parts).render(on), 'a 7 b');
  assert.is(new Template(['only', ' text']).render(on), 'only text');
  assert.is(new Template([{ var: 'reply.status' }, { var: 'reply.header.x' }, { var: 'param.none' }]).render(on), '');
});

test('an unknown variable throws when the template is created', () => {
  assert.throws(() => new Template([{ var: 'consumer.nam' }]), TypeError);
  assert.throws(() => new Template([{ var: 'constructor' }]), TypeError);
});

test('in fields, header variables are copied as bytes and other variables are escaped', () => {
  const on = exchange({ params: { id: 'é\n' }, headers: [['x-a', 'caf\xe9']] });
  const template = new Template(['<', { var: 'request.header.x-a' }, '>', { var: 'param.id' }, { var: 'param.none' }]);
  assert.is(template.renderField(on), '<caf\xe9>%C3%A9%0A');
  assert.is(new Template(['plain']).renderField(on), 'plain');
  assert.is(new Template([{ var: 'reply.header.x' }]).renderField(on), '');
  assert.is(fieldSafe('tab\tand text'), 'tab\tand text');
});

test('takeQueryParam removes every occurrence and does not change the rest', () => {
  assert.equal(takeQueryParam('', 'k'), { rest: '', values: [] });
  assert.equal(takeQueryParam('a=1&b=%zz', 'k'), { rest: 'a=1&b=%zz', values: [] });
  assert.equal(takeQueryParam('k=1&a=+x&%6B=2&k&=3&k=a%20b', 'k'), { rest: 'a=+x&=3', values: ['1', '2', '', 'a b'] });
  assert.equal(takeQueryParam('k=%zz', 'k'), { rest: '', values: ['%zz'] });
});

test('decodeQuery decodes plus and percent, and keeps invalid escapes', () => {
  assert.is(decodeQuery('a+b%2Bc'), 'a b+c');
  assert.is(decodeQuery('%zz+'), '%zz ');
});

/** What plain JavaScript may pass as a field: an error in place of its message, an object in place of a prepared field. */
const MULTI_LINE = new Error('first\r\nset-cookie: a=b') as unknown as string;

test('a field value that is no string adds no line to a message', () => {
  const map = new HeaderMap();
  for (const add of [() => map.set('x-a', MULTI_LINE), () => map.append('x-a', MULTI_LINE)])
    assert.throws(add, /The value of x-a must be a string/);
  const forged = { name: 'x-a', value: 'a\r\nx-b: c', line: 'x-a: a\r\nx-b: c\r\n' };
  assert.throws(() => map.add(forged), /a field that readyField\(\) has made/);
  map.add(readyField('X-A', 'a'));
  assert.equal([...map.entries()], [['x-a', 'a']]);
});

test.run();
