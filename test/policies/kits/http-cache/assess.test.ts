/** Which replies are stored, RFC 9111 section 3, and what is known about them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FOREVER_MS, usefulUntil } from '../../../../src/policies/kits/http-cache/assess.js';
import { evaluate } from '../../../../src/policies/kits/http-cache/conditional.js';
import { requestDirectives } from '../../../../src/policies/kits/http-cache/directives.js';
import { planRange } from '../../../../src/policies/kits/http-cache/range.js';
import { decide } from '../../../../src/policies/kits/http-cache/reuse.js';
import { variantKey } from '../../../../src/policies/kits/http-cache/vary.js';
import { seededBelow } from '../../../support/random.js';
import { assessed, type Case, cc, fields, httpDate, NOW, OWN, SHARED } from './kit.js';

const lasting = cc('max-age=60');
const stored = (reply = lasting, one: Case = {}, options = SHARED): boolean => assessed(reply, one, options).store;

test('RFC 9111, 3: only replies to GET, only final statuses, no parts and no answers to conditions', () => {
  assert.ok(stored());
  for (const method of ['HEAD', 'POST', 'PUT', 'OPTIONS', 'get']) assert.not.ok(stored(lasting, { method }), method);
  for (const status of [100, 103, 206, 304, 412, 416]) assert.not.ok(stored(lasting, { status }), String(status));
  for (const status of [200, 204, 299, 302, 307, 400, 404, 499, 500, 503, 599]) assert.ok(stored(lasting, { status }));
});

test('RFC 6585: 428, 429, 431 and 511 are never stored', () => {
  for (const status of [428, 429, 431, 511]) assert.not.ok(stored(lasting, { status }));
});

test('RFC 9111, 5.2.2.5: no-store', () => {
  for (const value of ['no-store', 'No-StOrE', 'max-age=10000, no-store']) assert.not.ok(stored(cc(value)), value);
  assert.not.ok(stored(cc('max-age="')), 'malformed');
});

test('RFC 9111, 5.2.1.5: no-store of the request, if directives of clients count', () => {
  assert.not.ok(stored(lasting, { request: cc('no-store') }));
  assert.not.ok(stored(lasting, { request: cc('max-age="') }));
  assert.ok(stored(lasting, { request: cc('no-store') }, { ...SHARED, clientDirectives: false }));
});

test('RFC 9111, 5.2.2.3: must-understand lifts no-store for statuses that are understood', () => {
  assert.ok(stored(cc('must-understand, no-store, max-age=60')));
  assert.ok(stored(cc('must-understand, max-age=60'), { status: 404 }));
  assert.not.ok(stored(cc('must-understand, no-store, max-age=60'), { status: 299 }));
  assert.not.ok(stored(cc('must-understand, max-age=60'), { status: 599 }));
  assert.not.ok(stored(cc('must-understand=1, no-store, max-age=60')));
});

test('RFC 9111, 5.2.2.7: private is not stored by a shared cache; with names, only those fields are withheld', () => {
  assert.not.ok(stored(cc('private, max-age=60')));
  assert.ok(stored(cc('private, max-age=60'), {}, OWN));
  const partly = assessed(cc('private="X-User, set-cookie", no-cache="x-other", max-age=60'));
  assert.ok(partly.store);
  assert.equal(partly.withheldFields, ['x-other', 'x-user', 'set-cookie']);
  assert.equal(assessed(cc('private="x-user", max-age=60'), {}, OWN).withheldFields, []);
});

test('RFC 9111, 5.2.2.4: no-cache is stored if it can be validated; with names, it is as fresh as without', () => {
  assert.not.ok(stored(cc('no-cache, max-age=60')));
  const tagged = assessed(cc('no-cache, max-age=60', { etag: '"a"' }));
  assert.ok(tagged.store && tagged.noCache && tagged.mustRevalidate);
  const partly = assessed(cc('no-cache="a", max-age=60'));
  assert.ok(partly.store && !partly.noCache && !partly.mustRevalidate);
});

test('RFC 9111, 3.5: a reply to a request with credentials needs public, s-maxage or must-revalidate', () => {
  for (const one of [{ request: fields({ authorization: 'Bearer t' }) }, { authorized: true }]) {
    assert.not.ok(stored(lasting, one));
    assert.not.ok(stored(fields({ expires: httpDate(NOW + 9000) }), one));
    assert.not.ok(stored(cc('s-maxage=x, max-age=60'), one));
    for (const value of ['public, max-age=60', 'must-revalidate, max-age=60', 's-maxage=60'])
      assert.ok(stored(cc(value), one), value);
    assert.ok(stored(lasting, one, OWN));
  }
});

test('a reply to a request with credentials or no-store is for that request only', () => {
  assert.ok(assessed(cc('no-store'), { authorized: true }).requestOnly);
  assert.ok(assessed(lasting, { request: cc('no-store') }).requestOnly);
  assert.not.ok(assessed(cc('no-store')).requestOnly);
  assert.not.ok(assessed(cc('public, no-store'), { authorized: true }).requestOnly);
});

test('RFC 9111, 4.1: a reply with Vary: * fits no other request and is not stored', () => {
  for (const vary of ['*', '*, *', ', *', '*, Foo', 'Foo, *', 'a b'])
    assert.not.ok(stored(cc('max-age=60', { vary })), vary);
  assert.equal(assessed(cc('max-age=60', { vary: 'Foo, accept, foo' })).vary, ['accept', 'foo']);
  assert.not.ok(stored(cc('max-age=60', { vary: 'accept-encoding', 'content-encoding': 'own' })));
  assert.ok(stored(cc('max-age=60', { vary: 'accept-encoding', 'content-encoding': 'GZIP' })));
});

test('a reply without lifetime is stored by status if it can be validated', () => {
  assert.not.ok(stored(fields()));
  assert.ok(stored(fields({ etag: '"a"' })));
  assert.not.ok(stored(fields({ etag: 'a' })), 'malformed');
  assert.not.ok(stored(fields({ etag: '"a"' }), { status: 500 }));
  assert.ok(stored(cc('public', { etag: '"a"' }), { status: 500 }));
  assert.ok(stored(cc('max-age=60'), { status: 500 }));
  assert.ok(stored(cc('max-age=0, stale-while-revalidate=5')));
  assert.ok(stored(cc('max-age=0, stale-if-error=5')));
  assert.not.ok(stored(cc('max-age=10', { age: '20' })));
});

test('RFC 5861 and RFC 9111, 4.2.4: stale replies may be used only if nothing forbids it', () => {
  const value = 'max-age=1, stale-while-revalidate=30, stale-if-error=600';
  const of = (field: string, options = SHARED) => {
    const { staleWhileRevalidateMs, staleIfErrorMs } = assessed(cc(field), {}, options);
    return [staleWhileRevalidateMs, staleIfErrorMs];
  };
  assert.equal(of(value), [30_000, 600_000]);
  for (const no of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'])
    assert.equal(of(`${value}, ${no}`), [0, 0], no);
  assert.equal(of(`${value}, proxy-revalidate`, OWN), [30_000, 600_000]);
  const given = { ...SHARED, staleWhileRevalidateMs: 7, staleIfErrorMs: 8 };
  assert.equal(of('max-age=1', given), [7, 8]);
  assert.equal(of('max-age=1, stale-if-error=0, stale-while-revalidate=x', given), [0, 0]);
  assert.equal(of('max-age=1, must-revalidate', given), [0, 0]);
});

test('ttl replaces the lifetime, counted from arrival, and overrides no prohibition', () => {
  const ttl = { ...SHARED, ttl: { ms: 5000 } };
  for (const reply of [fields(), lasting, cc('s-maxage=1', { age: '90' }), fields({ expires: '0' })]) {
    const { store, lifetimeMs, initialAgeMs } = assessed(reply, {}, ttl);
    assert.ok(store);
    assert.is(lifetimeMs - initialAgeMs, 5000);
  }
  for (const value of ['no-store', 'private', 'private, max-age=5']) assert.not.ok(stored(cc(value), {}, ttl), value);
  assert.ok(assessed(cc('no-cache', { etag: '"a"' }), {}, ttl).noCache);
  assert.ok(assessed(cc('must-revalidate'), {}, ttl).mustRevalidate);
  assert.not.ok(stored(fields(), { authorized: true }, ttl));
  assert.not.ok(stored(fields({ vary: '*' }), {}, ttl));
  assert.not.ok(stored(cc('max-age=5', { 'set-cookie': 'a=b' }), {}, ttl));
  assert.ok(stored(cc('max-age=5', { 'set-cookie': 'a=b' })), 'the origin decides without ttl');
});

test('ttl is for successes and permanent redirects unless statuses are named', () => {
  const of = (status: number, statuses?: number[]) =>
    assessed(fields(), { status }, { ...SHARED, ttl: statuses ? { ms: 5000, statuses } : { ms: 5000 } }).store;
  for (const status of [200, 203, 204, 300, 301, 308]) assert.ok(of(status));
  for (const status of [201, 302, 307, 404, 500, 503]) assert.not.ok(of(status));
  assert.ok(of(404, [404]));
  assert.not.ok(of(503, [404]));
});

test('an assessment is plain data, for ever included', () => {
  const one = assessed(cc('immutable, private="a"', { vary: 'b' }), {}, { ...SHARED, ttl: { ms: FOREVER_MS } });
  assert.equal(JSON.parse(JSON.stringify(one)), one);
  assert.ok(one.immutable);
  assert.is(usefulUntil(one, 0), NOW + FOREVER_MS);
});

test('a reply is of use while it is fresh, while it may be used stale, and for some time after', () => {
  const until = (value: string, more = {}) => usefulUntil(assessed(cc(value, more)), 1000) - NOW;
  assert.is(until('max-age=60'), 61_000);
  assert.is(until('max-age=60, stale-if-error=10, stale-while-revalidate=5'), 70_000);
  assert.is(until('max-age=60', { age: '50' }), 11_000);
  assert.is(until('max-age=60', { age: '90' }), 0);
});

const NAMES = ['cache-control', 'cdn-cache-control', 'expires', 'date', 'age', 'vary', 'etag', 'last-modified'];

test('law: whatever the fields are, nothing throws, and an assessment is plain data', () => {
  const next = seededBelow(19);
  const alphabet = 'max-age=60,no-store private="a" W/*\\\x00\xff\t06 Nov 1994 08:49:37 GMT';
  const text = () => Array.from({ length: next(24) }, () => alphabet[next(alphabet.length)]).join('');
  const some = () => fields(Object.fromEntries(NAMES.filter(() => next(2) === 0).map((name) => [name, text()])));
  const ranges = () => fields({ range: `bytes=${next(9)}-${text()}`, 'if-range': text(), 'if-none-match': text() });
  for (let run = 0; run < 3000; run++) {
    const [request, reply] = [some(), some()];
    const heuristic = { fraction: 0.1, mostMs: 1000 };
    const one = assessed(reply, { request, status: 200 + next(400) }, { ...SHARED, heuristic });
    assert.equal(JSON.parse(JSON.stringify(one)), one);
    for (const ms of [one.lifetimeMs, one.initialAgeMs, one.staleIfErrorMs, one.staleWhileRevalidateMs])
      assert.ok(Number.isFinite(ms) && ms >= 0, String(ms));
    decide(one, requestDirectives(request), NOW + next(10_000), { clientDirectives: true, soft: false });
    const selected = { status: 200, fields: reply, receivedAt: NOW, length: next(50) };
    evaluate(ranges(), selected, 'origin');
    planRange({ method: 'GET', fields: ranges() }, selected, 'b');
    variantKey(one.vary, request);
  }
});

test.run();
