import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CachedPart, type CachedRequest, cacheFieldsOf } from '../../../src/actions/aggregate/cache-fields.js';

const NOW = Date.parse('2026-05-01T12:00:00Z');

const ANYBODY: CachedRequest = { personal: false, authorized: false };
const part = (fields: { readonly [name: string]: string }, own: readonly string[] = []): CachedPart => ({
  read: (name) => fields[name],
  requestedAt: NOW,
  receivedAt: NOW,
  own: new Set(own),
});
const control = (...values: (string | undefined)[]): string | undefined =>
  cacheFieldsOf(
    values.map((value) => part(value === undefined ? {} : { 'cache-control': value })),
    ANYBODY,
    NOW,
  ).cacheControl;

test('the shortest freshness counts, and none if a part does not say', () => {
  assert.is(control('max-age=60', 'max-age=10'), 'max-age=10');
  assert.is(control('max-age=60', undefined), undefined);
  assert.is(control('max-age=60', 'must-revalidate'), 'must-revalidate');
  assert.is(control('max-age=0', 'max-age=60'), 'max-age=0');
});

test('what has passed is not counted again: Age, and Expires against Date', () => {
  const aged = part({ 'cache-control': 'max-age=60', age: '50' });
  const expiring = part({ expires: 'Fri, 01 May 2026 12:00:30 GMT', date: 'Fri, 01 May 2026 12:00:00 GMT' });
  assert.is(cacheFieldsOf([aged], ANYBODY, NOW).cacheControl, 'max-age=10');
  assert.is(
    cacheFieldsOf([expiring, part({ 'cache-control': 'max-age=90' })], ANYBODY, NOW).cacheControl,
    'max-age=30',
  );
  assert.is(cacheFieldsOf([part({ 'cache-control': 'max-age=5', age: '9' })], ANYBODY, NOW).cacheControl, 'max-age=0');
});

test('the strictest part wins', () => {
  assert.is(control('public, max-age=60', 'private, max-age=60'), 'private, max-age=60');
  assert.is(control('max-age=60', 'no-store'), 'no-store');
  assert.is(control('max-age=60', 'no-cache'), 'no-cache');
  assert.is(control('public, max-age=9', 'public, max-age=8'), 'public, max-age=8');
  assert.is(control('public, max-age=9', 'max-age=8'), 'max-age=8');
  assert.is(control('max-age=60', 'max-age="'), 'no-store', 'malformed');
});

test('s-maxage is that of shared caches, for parts without it their max-age', () => {
  assert.is(control('max-age=60, s-maxage=600', 'max-age=90'), 'max-age=60, s-maxage=90');
  assert.is(control('s-maxage=600', 'max-age=90'), 's-maxage=90');
  assert.is(control('private, max-age=5', 's-maxage=600, max-age=9'), 'private, max-age=5');
});

test('what a part says to shared caches alone (RFC 9213) counts for them', () => {
  const targeted = (value: string, other = 'max-age=90'): string | undefined =>
    cacheFieldsOf(
      [part({ 'cache-control': 'max-age=60', 'cdn-cache-control': value }), part({ 'cache-control': other })],
      ANYBODY,
      NOW,
    ).cacheControl;
  assert.is(targeted('max-age=30'), 'max-age=60, s-maxage=30');
  assert.is(targeted('max-age=600'), 'max-age=60, s-maxage=90');
  assert.is(targeted('no-store'), 'private, max-age=60');
  assert.is(targeted('private, max-age=5'), 'private, max-age=60');
  assert.is(targeted('must-revalidate'), 'max-age=60, s-maxage=0', 'no lifetime for shared caches');
  assert.is(targeted('max-age=30', 'no-store'), 'no-store');
});

test('Vary joins those of the parts, without fields that a call sets itself', () => {
  const vary = (...parts: CachedPart[]): string | undefined => cacheFieldsOf(parts, ANYBODY, NOW).vary;
  assert.is(vary(part({ vary: 'Accept-Language' }), part({ vary: 'accept-language, x-a' })), 'accept-language, x-a');
  assert.is(vary(part({ vary: 'accept, x-a' }, ['accept'])), 'x-a');
  assert.is(vary(part({ vary: 'x-a' }), part({ vary: '*' })), '*');
  assert.is(vary(part({})), undefined);
});

test('a reply that depends on the caller is private', () => {
  assert.is(
    cacheFieldsOf([part({ 'cache-control': 'public, max-age=9' })], { ...ANYBODY, personal: true }, NOW).cacheControl,
    'private, max-age=9',
  );
});

test('only if all parts allow it may a reply to a request with Authorization be stored for all', () => {
  const authorized = (...values: string[]): string | undefined =>
    cacheFieldsOf(
      values.map((value) => part({ 'cache-control': value })),
      { ...ANYBODY, authorized: true },
      NOW,
    ).cacheControl;
  assert.is(authorized('max-age=60, must-revalidate', 'max-age=60'), 'private, max-age=60, must-revalidate');
  assert.is(authorized('s-maxage=60, max-age=90', 'max-age=90'), 'private, max-age=90');
  assert.is(authorized('public, max-age=60', 's-maxage=90, max-age=70'), 'max-age=60, s-maxage=60');
  assert.is(authorized('max-age=60', 'max-age=90'), 'max-age=60', 'RFC 9111 section 3.5 forbids it as it is');
});

test.run();
