/** Cache directives, RFC 9111 section 5.2, and targeted fields, RFC 9213. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  hasDirective,
  hasFlag,
  namedFields,
  readDirectives,
  requestDirectives,
  spanOf,
} from '../../../../src/policies/kits/http-cache/directives.js';
import { readTargeted, replyDirectives } from '../../../../src/policies/kits/http-cache/targeted.js';
import { seededBelow } from '../../../support/random.js';
import { cc, fields } from './kit.js';

const span = (field: string, name = 'max-age') => spanOf(readDirectives(field), name);

test('RFC 9111, 5.2: names have no case, values are tokens or quoted strings, empty members are skipped', () => {
  const { values, malformed } = readDirectives(' Max-Age=60, , private="set-cookie, x\\"y" ,no-cache,a="b,c",');
  assert.is(malformed, false);
  assert.equal(
    [...values],
    [
      ['max-age', '60'],
      ['private', 'set-cookie, x"y'],
      ['no-cache', true],
      ['a', 'b,c'],
    ],
  );
  assert.is(readDirectives(undefined).values.size, 0);
});

test('RFC 9111, 5.2: a directive in the quoted value of another one does not count', () => {
  assert.is(span('extension="max-age=3600", max-age=1'), 1000);
  assert.is(span('max-age=1, extension="max-age=3600"'), 1000);
  assert.not.ok(hasDirective(readDirectives('a="no-store"'), 'no-store'));
});

test('RFC 9111, 4.2.1: the first of two values counts, and an invalid one makes stale', () => {
  assert.is(span('max-age=1800, max-age=1'), 1_800_000);
  assert.is(span('max-age=1, max-age=1800'), 1000);
  for (const value of [
    'max-age=a60',
    'max-age=60a',
    "max-age='60'",
    'max-age=-1',
    'max-age=60.0',
    'max-age',
    'max-age=',
  ])
    assert.is(span(value), 'invalid', value);
  for (const value of ['max-age =60', 'max-age= 60', 'max-age=60 s', 'max-age=60;x'])
    assert.is(span(value), 'invalid', value);
  assert.is(span('max-age="60"'), 60_000);
  assert.is(span('max-age=0060'), 60_000);
  assert.is(span('s-maxage=1'), undefined);
});

test('RFC 9111, 1.2.2: numbers of seconds beyond 2^31 count as 2^31', () => {
  assert.is(span('max-age=99999999999999999999'), 2_147_483_648_000);
  assert.is(span(`max-age=${'9'.repeat(400)}`), 2_147_483_648_000);
});

test('directives that forbid count with any value, directives that allow only without one', () => {
  assert.ok(hasDirective(readDirectives('no-store=yes'), 'no-store'));
  assert.ok(hasDirective(readDirectives('no-store foo'), 'no-store'));
  assert.not.ok(hasFlag(readDirectives('public=1'), 'public'));
  assert.ok(hasFlag(readDirectives('Public'), 'public'));
});

test('a directive that forbids something is not lost behind another one without a comma', () => {
  for (const value of [
    'max-age=60; private',
    'max-age=60 NO-STORE',
    'public no-cache',
    '@@ private',
    'a=b;must-revalidate',
  ])
    assert.is(readDirectives(value).malformed, true, value);
  for (const value of ['max-age=60; privately', 'max-age=60 s', 'public immutable', 'no-store foo'])
    assert.is(readDirectives(value).malformed, false, value);
});

test('a field whose members cannot be told apart is malformed', () => {
  for (const value of ['a="b', 'a="b, no-store', 'max-age=1 "x, no-store', 'a="b\\"'])
    assert.is(readDirectives(value).malformed, true, value);
  assert.is(readDirectives(Array.from({ length: 65 }, (_, i) => `a${i}`).join()).malformed, true);
  assert.is(readDirectives(Array.from({ length: 64 }, (_, i) => `a${i}`).join()).malformed, false);
  // Their end is known.
  assert.is(readDirectives('@@, max-age=1').malformed, false);
});

test('RFC 9111, 5.2.2.4 and 5.2.2.7: no-cache and private name fields, or mean the whole reply', () => {
  const names = (field: string) => namedFields(readDirectives(field), 'private');
  assert.equal(names('private="Set-Cookie, x"'), ['set-cookie', 'x']);
  assert.equal(names('private=x'), ['x']);
  assert.equal(names('private="a", private="b"'), ['a', 'b']);
  for (const field of [
    'private',
    'private=""',
    'private="a", private',
    'private, private="a"',
    'private="a b"',
    'private=@',
  ])
    assert.is(names(field), 'all', field);
  assert.is(names(`private="${'a,'.repeat(65)}"`), 'all');
  assert.is(names('max-age=1'), undefined);
});

test('RFC 9111, 5.4: Pragma counts without Cache-Control; a malformed Cache-Control counts as no-cache', () => {
  assert.ok(hasDirective(requestDirectives(fields({ pragma: 'No-Cache' })), 'no-cache'));
  assert.not.ok(hasDirective(requestDirectives(fields({ pragma: 'x' })), 'no-cache'));
  assert.not.ok(hasDirective(requestDirectives(cc('max-age=1', { pragma: 'no-cache' })), 'no-cache'));
  assert.ok(hasDirective(requestDirectives(cc('max-stale="')), 'no-cache'));
  assert.is(requestDirectives(fields()).values.size, 0);
});

test('RFC 9213, 2.1: a targeted field is a dictionary; an empty or malformed one is ignored', () => {
  const found = readTargeted('max-age=60, no-store, private="a, B", x=?0, s-maxage=5;q=1, max-age=70');
  assert.is(spanOf(found!, 'max-age'), 70_000);
  assert.is(spanOf(found!, 's-maxage'), 5000);
  assert.equal(namedFields(found!, 'private'), ['a', 'b']);
  assert.ok(hasDirective(found!, 'no-store'));
  assert.not.ok(hasDirective(found!, 'x'));
  for (const field of ['', ' ', 'max-age=60, &&&&&', 'MaX-aGe=60', 'max-age =60', 'max-age= 60'])
    assert.is(readTargeted(field), undefined, field);
  for (const field of ['max-age="60"', 'max-age=1.5', 'max-age', 'max-age=(60)', 'max-age=abc'])
    assert.is(spanOf(readTargeted(field)!, 'max-age'), 'invalid', field);
  assert.is(spanOf(readTargeted('max-age=-1')!, 'max-age'), 'invalid');
  assert.equal(namedFields(readTargeted('no-cache="a, b"')!, 'no-cache'), ['a', 'b']);
  for (const field of ['no-cache', 'no-cache=("a" "b")', 'no-cache=5'])
    assert.is(namedFields(readTargeted(field)!, 'no-cache'), 'all', field);
});

test('RFC 9213, 2.2: the first targeted field that can be read counts, otherwise Cache-Control', () => {
  const from = (given: { readonly [name: string]: string }) =>
    replyDirectives(fields({ 'cache-control': 'max-age=1', ...given }), ['a-cache-control', 'cdn-cache-control']).from;
  assert.is(from({}), 'cache-control');
  assert.is(from({ 'cdn-cache-control': 'max-age=5' }), 'cdn-cache-control');
  assert.is(from({ 'cdn-cache-control': 'max-age=5', 'a-cache-control': 'no-store' }), 'a-cache-control');
  assert.is(from({ 'cdn-cache-control': 'max-age=5', 'a-cache-control': 'No-Store' }), 'cdn-cache-control');
});

test('law: reading random bytes never throws, and what is before a member does not change it', () => {
  const next = seededBelow(7);
  const alphabet = 'aZ9-=",\\ \t;\x00\xff@max-age=60no-store';
  for (let run = 0; run < 3000; run++) {
    const text = Array.from({ length: next(30) }, () => alphabet[next(alphabet.length)]).join('');
    const { values, malformed } = readDirectives(text);
    if (malformed) continue;
    const more = readDirectives(`${text},zzz=1`);
    assert.is(more.malformed, false, JSON.stringify(text));
    assert.is(more.values.get('zzz'), values.has('zzz') ? values.get('zzz') : '1', JSON.stringify(text));
    readTargeted(text);
  }
});

test('law: reading takes time proportional to the length', () => {
  const hostile = [' ', ',', 'a="', '\\', 'a=,', 'a"', '"', 'max-age =', '\t,'];
  const begin = performance.now();
  for (const part of hostile) {
    readDirectives(part.repeat(200_000));
    namedFields(readDirectives(`private="${part.replace(/["\\]/g, 'x').repeat(200_000)}"`), 'private');
  }
  assert.ok(performance.now() - begin < 2000);
});

test.run();
