/** Dates, age and freshness, RFC 9111 section 4.2. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initialAge, readAge } from '../../../../src/policies/kits/http-cache/age.js';
import { readDate, writeDate } from '../../../../src/policies/kits/http-cache/date.js';
import { freshFor } from '../../../../src/policies/kits/http-cache/freshness.js';
import { seededBelow } from '../../../support/random.js';
import { AT_ONCE, assessed, cc, fields, httpDate, NOW, OWN, SHARED } from './kit.js';

test('RFC 9110, 5.6.7: dates are read in three forms', () => {
  const wanted = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.is(readDate(text, NOW), wanted, text);
  assert.is(readDate('Sunday, 06-Nov-30 08:49:37 GMT', NOW), Date.UTC(2030, 10, 6, 8, 49, 37));
  assert.is(readDate('Friday, 06-Nov-76 08:49:37 GMT', NOW), Date.UTC(2076, 10, 6, 8, 49, 37));
  assert.is(readDate('Sunday, 06-Nov-77 08:49:37 GMT', NOW), Date.UTC(1977, 10, 6, 8, 49, 37));
  assert.is(readDate('Thu, 01 Jan 0050 00:00:00 GMT', NOW), new Date('0050-01-01T00:00:00Z').getTime());
  assert.is(readDate(writeDate(NOW), NOW), NOW);
});

test('RFC 9111, 4.2: dates are read without regard to case, in no other zone than GMT', () => {
  const wanted = Date.UTC(2050, 7, 18, 2, 1, 18);
  for (const text of [
    'THU, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 AUG 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 gMT',
  ])
    assert.is(readDate(text, NOW), wanted, text);
  for (const text of [
    ...['', '0', '-1', '2026-11-06', 'Thu, 18 Aug 2050 02:01:18 UTC', 'Thu, 18 Aug 50 02:01:18 GMT'],
    ...['Thu 18 Aug 2050 02:01:18 GMT', 'Thu, 18  Aug  2050 02:01:18 GMT', 'Thu, 18-Aug-2050 02:01:18 GMT'],
    ...['Thu, 18 Aug 2050 02.01.18 GMT', 'Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 18 Aug 2050 24:01:18 GMT'],
    ...['Thu, 31 Feb 2050 02:01:18 GMT', 'Thu, 00 Aug 2050 02:01:18 GMT', 'Xyz, 18 Aug 2050 02:01:18 GMT'],
    ...['Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT', 'Thu, 18 Foo 2050 02:01:18 GMT'],
  ])
    assert.is(readDate(text, NOW), undefined, text);
});

test('RFC 9111, 5.1: of several values of Age the first counts, and an invalid one is ignored', () => {
  assert.is(readAge('7200'), 7_200_000);
  assert.is(readAge('7200,0'), 7_200_000);
  assert.is(readAge(' 0 , 7200'), 0);
  for (const age of ['abc', '-7200', '7200.0', '', ',7200', '1 2']) assert.is(readAge(age), undefined, age);
  assert.is(readAge('99999999999999999999'), 2_147_483_648_000);
});

test('RFC 9111, 4.2.3: the age of a reply is the largest that its fields and the time of the request allow', () => {
  const times = { requestedAt: NOW - 4000, receivedAt: NOW };
  assert.is(initialAge(fields({ age: '10' }), times), 14_000);
  assert.is(initialAge(fields({ age: '10', date: httpDate(NOW - 60_000) }), times), 60_000);
  assert.is(initialAge(fields({ age: 'x', date: httpDate(NOW + 60_000) }), times), 4000);
  assert.is(initialAge(fields({ age: '3, 99' }), AT_ONCE), 3000);
  assert.is(initialAge(fields({ age: '3' }), { requestedAt: NOW + 9000, receivedAt: NOW }), 3000);
});

test('RFC 9111, 4.2.1: s-maxage, then max-age, then Expires', () => {
  const lifetime = (...given: Parameters<typeof assessed>) => assessed(...given).lifetimeMs;
  const all = cc('max-age=60, s-maxage=10', { expires: httpDate(NOW + 5000) });
  assert.is(lifetime(all), 10_000);
  assert.is(lifetime(all, {}, OWN), 60_000);
  assert.is(lifetime(cc('max-age=60', { expires: '0' })), 60_000);
  assert.is(lifetime(fields({ expires: httpDate(NOW + 5000), date: httpDate(NOW - 3000) })), 8000);
  assert.is(lifetime(fields({ expires: httpDate(NOW + 5000) })), 5000);
  assert.is(lifetime(fields({ expires: httpDate(NOW + 300_000), date: httpDate(NOW + 400_000) })), 0);
  assert.is(lifetime(fields({ expires: httpDate(NOW + 10_000), date: 'foo' })), 10_000);
  assert.is(assessed(fields()).lifetimeFrom, 'none');
});

test('RFC 9111, 4.2.1 and 5.3: invalid freshness is stale', () => {
  for (const reply of [
    cc('max-age=abc'),
    cc('s-maxage=x, max-age=60'),
    fields({ expires: '0' }),
    fields({ expires: 'soon' }),
  ])
    assert.is(assessed(reply).lifetimeMs, 0);
});

test('RFC 9213, 2.2: with a targeted field, Cache-Control and Expires do not count', () => {
  const targeted = (value: string, more: { readonly [name: string]: string }) =>
    assessed(fields({ 'cdn-cache-control': value, ...more }));
  const past = { expires: httpDate(NOW - 1000), 'cache-control': 'max-age=1' };
  assert.is(targeted('max-age=3600', past).lifetimeMs, 3_600_000);
  assert.is(targeted('no-store', { 'cache-control': 'max-age=60' }).store, false);
  assert.is(targeted('private', { 'cache-control': 'max-age=60' }).store, false);
  assert.is(targeted('max-age=60', { 'cache-control': 'no-store' }).store, true);
  assert.is(targeted('foo', { expires: httpDate(NOW + 9000) }).lifetimeFrom, 'none');
  assert.is(targeted('max-age=60, &&&', { 'cache-control': 'no-store' }).store, false);
  assert.is(targeted('max-age="60"', { 'cache-control': 'no-store' }).store, false);
  assert.is(targeted('max-age=60', { age: '90' }).initialAgeMs, 90_000);
});

test('RFC 9111, 4.2.2: a heuristic lifetime only if it is asked for, without an explicit one, by status', () => {
  const heuristic = { ...SHARED, heuristic: { fraction: 0.1, mostMs: 3_600_000 } };
  const old = fields({ 'last-modified': httpDate(NOW - 600_000) });
  assert.is(assessed(old).lifetimeMs, 0);
  assert.is(assessed(old, {}, heuristic).lifetimeMs, 60_000);
  assert.is(assessed(fields({ 'last-modified': httpDate(NOW - 864e5) }), {}, heuristic).lifetimeMs, 3_600_000);
  assert.is(assessed(cc('max-age=5', { 'last-modified': httpDate(NOW - 864e5) }), {}, heuristic).lifetimeMs, 5000);
  for (const status of [201, 202, 302, 403, 502, 503, 504, 599])
    assert.is(assessed(old, { status }, heuristic).store, false);
  for (const status of [200, 203, 204, 404, 405, 410, 414, 501])
    assert.is(assessed(old, { status }, heuristic).lifetimeMs, 60_000);
  const open = cc('public', { 'last-modified': httpDate(NOW - 600_000) });
  assert.is(assessed(open, { status: 599 }, heuristic).lifetimeMs, 60_000);
  for (const modified of [httpDate(NOW), httpDate(NOW + 5000), 'x'])
    assert.is(assessed(fields({ 'last-modified': modified }), {}, heuristic).lifetimeMs, 0);
});

test('a value in memory is fresh for its lifetime less its age, and not at all if it must not be reused', () => {
  assert.is(freshFor(cc('max-age=60', { age: '20' }), AT_ONCE, SHARED), 40_000);
  assert.is(freshFor(cc('max-age=60', { age: '90' }), AT_ONCE, SHARED), 0);
  for (const value of ['no-store, max-age=60', 'no-cache, max-age=60', 'private, max-age=60', 'max-age="'])
    assert.is(freshFor(cc(value), AT_ONCE, SHARED), 0, value);
  assert.is(freshFor(cc('private, max-age=60'), AT_ONCE, OWN), 60_000);
  assert.is(freshFor(fields(), AT_ONCE, SHARED), undefined);
});

test('law: random dates and ages never throw, and a greater Age never makes fresher', () => {
  const next = seededBelow(11);
  const alphabet = 'Sun, 06 Nov 1994 08:49:37 GMT-\xff\x00';
  for (let run = 0; run < 2000; run++) {
    const text = Array.from({ length: next(45) }, () => alphabet[next(alphabet.length)]).join('');
    readDate(text, NOW);
    readAge(text);
    const age = next(10_000);
    const reply = (given: number) => assessed(cc(`max-age=${next(10_000)}`, { age: String(given), date: text }));
    const [younger, older] = [reply(age), reply(age + next(1000))];
    assert.ok(older.initialAgeMs >= younger.initialAgeMs);
  }
});

test.run();
