/** Conditional requests, RFC 9110 section 13, and validation, RFC 9111 section 4.3. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate, fieldsOf304, validationFields } from '../../../../src/policies/kits/http-cache/conditional.js';
import { isStrongDate, parseEntityTag, parseEntityTags } from '../../../../src/policies/kits/http-cache/validators.js';
import { seededBelow } from '../../../support/random.js';
import { type Fields, fields, httpDate, NOW } from './kit.js';

const outcome = (request: Fields, reply: Fields, as: 'cache' | 'origin' = 'cache', status = 200) =>
  evaluate(fields(request), { status, fields: fields(reply), receivedAt: NOW }, as);
const HOUR = 3_600_000;

test('RFC 9110, 8.8.3: entity tags', () => {
  assert.equal(parseEntityTag('"abc"'), { weak: false, opaque: 'abc' });
  assert.equal(parseEntityTag(' W/"" '), { weak: true, opaque: '' });
  assert.equal(parseEntityTag('"a\\,b\xfc"'), { weak: false, opaque: 'a\\,b\xfc' });
  for (const text of ['abc', 'w/"a"', 'W"a"', 'W\\"a"', '"a', '"a"b', '"a b"', '', '"a", "b"', '"\x7f"'])
    assert.is(parseEntityTag(text), undefined, text);
  assert.equal(parseEntityTags('"a" ,, W/"b,c",')?.length, 2);
  assert.is(parseEntityTags(' * '), '*');
  for (const text of ['"a" "b"', 'a', '*, "a"']) assert.is(parseEntityTags(text), undefined, text);
});

test('RFC 9110, 13.1.2: If-None-Match compares weakly', () => {
  for (const condition of ['"a"', 'W/"a"', '"x", "a", "y"', '*']) {
    assert.is(outcome({ 'if-none-match': condition }, { etag: '"a"' }), 304, condition);
    assert.is(outcome({ 'if-none-match': condition }, { etag: 'W/"a"' }), 304, condition);
  }
  for (const condition of ['"b"', 'a', '"a" x', ''])
    assert.is(outcome({ 'if-none-match': condition }, { etag: '"a"' }), 'pass', condition);
  assert.is(outcome({ 'if-none-match': 'a' }, { etag: 'a' }), 'pass', 'malformed');
  assert.is(outcome({ 'if-none-match': '"a"' }, {}), 'pass');
});

test('RFC 9110, 13.1.3 and 13.2.2: If-Modified-Since counts without If-None-Match', () => {
  const reply = { 'last-modified': httpDate(NOW - HOUR), etag: '"a"' };
  const at = (ms: number): Fields => ({ 'if-modified-since': httpDate(ms) });
  assert.is(outcome(at(NOW - HOUR), reply), 304);
  assert.is(outcome(at(NOW), reply), 304);
  assert.is(outcome(at(NOW - HOUR - 1000), reply), 'pass');
  assert.is(outcome({ ...at(NOW), 'if-none-match': '"b"' }, reply), 'pass');
  assert.is(outcome({ ...at(0), 'if-none-match': '"a"' }, reply), 304);
  assert.is(outcome({ 'if-modified-since': 'x' }, reply), 'pass');
});

test('RFC 9111, 4.3.2: without Last-Modified, Date or the time of arrival counts', () => {
  const condition = { 'if-modified-since': httpDate(NOW - HOUR) };
  assert.is(outcome(condition, { date: httpDate(NOW - HOUR) }), 304);
  assert.is(outcome(condition, { date: httpDate(NOW) }), 'pass');
  assert.is(outcome(condition, {}), 'pass');
  assert.is(outcome({ 'if-modified-since': httpDate(NOW) }, {}), 304);
});

test('RFC 9111, 4.3.2: a cache forwards If-Match and If-Unmodified-Since', () => {
  assert.is(outcome({ 'if-match': '"a"' }, { etag: '"a"' }), 'forward');
  assert.is(outcome({ 'if-unmodified-since': httpDate(NOW) }, {}), 'forward');
});

test('RFC 9110, 13.1.1: If-Match compares strongly, and comes before If-Unmodified-Since', () => {
  const reply = { etag: '"a"', 'last-modified': httpDate(NOW) };
  const of = (request: Fields, one: Fields = reply) => outcome(request, one, 'origin');
  for (const condition of ['"a"', '"b", "a"', '*']) assert.is(of({ 'if-match': condition }), 'pass', condition);
  for (const condition of ['"b"', 'W/"a"', 'a', '']) assert.is(of({ 'if-match': condition }), 412, condition);
  assert.is(of({ 'if-match': '"a"' }, { etag: 'W/"a"' }), 412);
  assert.is(of({ 'if-match': '"a"', 'if-unmodified-since': httpDate(0) }), 'pass');
  assert.is(of({ 'if-match': '"a"', 'if-none-match': '"a"' }), 304);
});

test('RFC 9110, 13.1.4: If-Unmodified-Since', () => {
  const reply = { 'last-modified': httpDate(NOW) };
  assert.is(outcome({ 'if-unmodified-since': httpDate(NOW) }, reply, 'origin'), 'pass');
  assert.is(outcome({ 'if-unmodified-since': httpDate(NOW - 1000) }, reply, 'origin'), 412);
  assert.is(outcome({ 'if-unmodified-since': 'x' }, reply, 'origin'), 'pass');
});

test('RFC 9110, 13.2.1: conditions count only for a 2xx', () => {
  assert.is(outcome({ 'if-none-match': '*' }, {}, 'cache', 404), 'pass');
  assert.is(outcome({ 'if-match': '"b"' }, {}, 'origin', 404), 'pass');
});

test('RFC 9110, 15.4.5: a 304 has no metadata of the content, and Last-Modified only without ETag', () => {
  const names = (extra: string) =>
    fieldsOf304([
      ['cache-control', 'a'],
      ['content-type', 'a'],
      ['content-length', '1'],
      ['content-location', '/a'],
      ['content-security-policy', 'a'],
      ['date', 'a'],
      ['last-modified', 'a'],
      ['vary', 'a'],
      [extra, '"a"'],
    ]).map(([name]) => name);
  const always = ['cache-control', 'content-location', 'content-security-policy', 'date'];
  assert.equal(names('etag'), [...always, 'vary', 'etag']);
  assert.equal(names('x'), [...always, 'last-modified', 'vary', 'x']);
});

test('RFC 9111, 4.3.1: validators of a validation request', () => {
  const modified = httpDate(NOW - HOUR);
  assert.equal(validationFields(fields({ etag: 'W/"a"', 'last-modified': modified }), NOW), [
    ['if-none-match', 'W/"a"'],
    ['if-modified-since', modified],
  ]);
  assert.equal(validationFields(fields({ etag: '"a"' }), NOW, ['"b"', '"a"', 'c']), [['if-none-match', '"a", "b"']]);
  assert.equal(validationFields(fields({ etag: '"a"', 'last-modified': modified }), NOW, ['"b"']), [
    ['if-none-match', '"a", "b"'],
  ]);
  assert.is(validationFields(fields({ etag: 'a', 'last-modified': 'x' }), NOW), undefined);
});

test('RFC 9110, 8.8.2.2: Last-Modified is strong if the reply was created at least a second later', () => {
  const strong = (date: number | undefined) =>
    isStrongDate(
      fields({ 'last-modified': httpDate(NOW), ...(date === undefined ? {} : { date: httpDate(date) }) }),
      NOW,
    );
  assert.ok(strong(NOW + 1000));
  assert.not.ok(strong(NOW));
  assert.not.ok(strong(undefined));
});

test('law: random conditions never throw and take time proportional to their length', () => {
  const next = seededBelow(9);
  const alphabet = 'W/"a, *\\\x7f\xff';
  for (let run = 0; run < 3000; run++) {
    const text = Array.from({ length: next(20) }, () => alphabet[next(alphabet.length)]).join('');
    outcome({ 'if-none-match': text, 'if-match': text }, { etag: text }, 'origin');
  }
  const begin = performance.now();
  for (const part of ['"a",', '"', 'W/', ' ', ', '])
    outcome({ 'if-none-match': part.repeat(200_000) }, { etag: '"a"' });
  assert.ok(performance.now() - begin < 1000);
});

test.run();
