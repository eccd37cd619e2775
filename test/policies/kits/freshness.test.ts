/** Freshness and storage of replies, RFC 9111. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  freshFor,
  freshnessLifetime,
  initialAge,
  notStorable,
  type ReadField,
  readDate,
  readDirectives,
  staleFor,
} from '../../../src/policies/kits/freshness.js';

const NOW = Date.UTC(2026, 10, 6, 8, 49, 37);
const fields =
  (given: { readonly [name: string]: string } = {}): ReadField =>
  (name) =>
    given[name];
const cc = (value: string, more: { readonly [name: string]: string } = {}) =>
  fields({ 'cache-control': value, ...more });
const httpDate = (ms: number): string => new Date(ms).toUTCString();
const SHARED = { shared: true };
const OWN = { shared: false };
const AT_ONCE = { requestedAt: NOW, receivedAt: NOW };

test('directives are read with tokens, quoted strings and empty members; the first of two counts', () => {
  const found = readDirectives(' Max-Age=60, , private="set-cookie, x\\"y" ,no-cache,max-age=5');
  assert.equal(
    [...found!],
    [
      ['max-age', '60'],
      ['private', 'set-cookie, x"y'],
      ['no-cache', ''],
    ],
  );
  assert.is(readDirectives('max-age 60'), undefined);
  assert.is(readDirectives('a="b'), undefined);
  assert.is(readDirectives(undefined)!.size, 0);
  assert.is(readDirectives(Array.from({ length: 100 }, (_, i) => `a${i}`).join()), undefined);
});

test('a long run of spaces is read in time proportional to its length', () => {
  const begin = performance.now();
  assert.is(readDirectives(`${' '.repeat(400_000)}@`), undefined);
  assert.equal(
    [...readDirectives(' a \t,  ,b=1 ')!],
    [
      ['a', ''],
      ['b', '1'],
    ],
  );
  assert.ok(performance.now() - begin < 2000);
});

test('dates are read in three forms; others are not', () => {
  const wanted = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.is(readDate(text, NOW), wanted, text);
  assert.is(readDate('Sunday, 06-Nov-30 08:49:37 GMT', NOW), Date.UTC(2030, 10, 6, 8, 49, 37));
  for (const text of ['', '0', '2026-11-06', 'Sun, 06 Foo 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 25:49:37 GMT', '-1'])
    assert.is(readDate(text, NOW), undefined, text);
});

test('s-maxage counts before max-age for a shared cache, max-age before Expires', () => {
  const all = cc('max-age=60, s-maxage=10', { expires: httpDate(NOW + 5000) });
  assert.is(freshnessLifetime(all, NOW, SHARED), 10_000);
  assert.is(freshnessLifetime(all, NOW, OWN), 60_000);
  assert.is(freshnessLifetime(fields({ expires: httpDate(NOW + 5000), date: httpDate(NOW - 3000) }), NOW, OWN), 8000);
  assert.is(freshnessLifetime(fields({ expires: httpDate(NOW + 5000) }), NOW, OWN), 5000);
  assert.is(freshnessLifetime(fields({ expires: '0' }), NOW, OWN), 0);
  assert.is(freshnessLifetime(fields(), NOW, OWN), undefined);
  assert.is(freshnessLifetime(cc('max-age=abc'), NOW, OWN), 0);
  assert.is(freshnessLifetime(cc('max-age=99999999999999999999'), NOW, OWN), 2_147_483_648_000);
});

test('the age of a reply is the largest that its fields and the time of the request allow', () => {
  const times = { requestedAt: NOW - 4000, receivedAt: NOW };
  assert.is(initialAge(fields({ age: '10' }), times), 14_000);
  assert.is(initialAge(fields({ age: '10', date: httpDate(NOW - 60_000) }), times), 60_000);
  assert.is(initialAge(fields({ age: 'x', date: httpDate(NOW + 60_000) }), times), 4000);
  assert.is(initialAge(fields({ age: '3, 99' }), AT_ONCE), 3000);
});

test('a reply is fresh for its lifetime less its age, and not at all if it must not be reused', () => {
  assert.is(freshFor(cc('max-age=60', { age: '20' }), AT_ONCE, SHARED), 40_000);
  assert.is(freshFor(cc('max-age=60', { age: '90' }), AT_ONCE, SHARED), 0);
  for (const value of ['no-store, max-age=60', 'no-cache, max-age=60', 'private, max-age=60', 'max-age="'])
    assert.is(freshFor(cc(value), AT_ONCE, SHARED), 0, value);
  assert.is(freshFor(cc('private, max-age=60'), AT_ONCE, OWN), 60_000);
  assert.is(freshFor(fields(), AT_ONCE, SHARED), undefined);
});

test('stale replies may be used only if nothing forbids it', () => {
  const value = 'max-age=1, stale-while-revalidate=30, stale-if-error=600';
  assert.equal(staleFor(cc(value)), { whileRevalidating: 30_000, onError: 600_000 });
  assert.equal(staleFor(cc(`${value}, must-revalidate`)), { whileRevalidating: 0, onError: 0 });
  assert.equal(staleFor(fields()), { whileRevalidating: 0, onError: 0 });
});

test('storage follows method, status, directives, Vary and Authorization', () => {
  const ask = (
    reply: ReadField,
    {
      method = 'GET',
      status = 200,
      request = fields(),
    }: { method?: string; status?: number; request?: ReadField } = {},
    options = SHARED,
  ) => notStorable({ method, request, status, reply }, options) === undefined;
  const lasting = cc('max-age=60');
  const authorized = fields({ authorization: 'Bearer t' });
  assert.ok(ask(lasting));
  assert.ok(ask(fields()));
  assert.not.ok(ask(lasting, { method: 'POST' }));
  assert.not.ok(ask(lasting, { status: 206 }));
  assert.not.ok(ask(fields(), { status: 500 }));
  assert.ok(ask(lasting, { status: 500 }));
  assert.not.ok(ask(cc('no-store')));
  assert.not.ok(ask(lasting, { request: cc('no-store') }));
  assert.not.ok(ask(cc('private, max-age=60')));
  assert.ok(ask(cc('private, max-age=60'), {}, OWN));
  assert.not.ok(ask(cc('max-age=60', { vary: 'accept, *' })));
  assert.not.ok(ask(lasting, { request: authorized }));
  assert.ok(ask(cc('public, max-age=60'), { request: authorized }));
  assert.ok(ask(lasting, { request: authorized }, OWN));
});

test.run();
