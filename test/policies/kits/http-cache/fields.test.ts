/** Invalidation, Cache-Status and tags. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { appendCacheStatus, cacheStatusMember } from '../../../../src/policies/kits/http-cache/cache-status.js';
import { listOf, readFrom } from '../../../../src/policies/kits/http-cache/fields.js';
import { invalidatedUrls, isSafe } from '../../../../src/policies/kits/http-cache/invalidate.js';
import { invalidatedTags, tagsOf } from '../../../../src/policies/kits/http-cache/tags.js';
import { readDictionary, readList } from '../../../../src/policies/kits/structured-fields.js';
import { seededBelow } from '../../../support/random.js';
import { type Fields, fields } from './kit.js';

const TARGET = 'https://a.example/x/y?q=1';
const invalid = (reply: Fields, method = 'POST', status = 200) =>
  invalidatedUrls(method, status, TARGET, fields(reply));

test('RFC 9111, 4.4: an unsafe request that succeeds invalidates its target, also with an unknown method', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'get'])
    assert.equal(invalid({}, method), [TARGET], method);
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']) assert.equal(invalid({}, method), [], method);
  for (const status of [201, 204, 303]) assert.equal(invalid({}, 'PUT', status), [TARGET]);
  for (const status of [101, 400, 404, 500]) assert.equal(invalid({}, 'PUT', status), [], String(status));
  assert.ok(isSafe('GET') && !isSafe('LOCK'));
});

test('RFC 9111, 4.4: Location and Content-Location of the same origin', () => {
  assert.equal(invalid({ location: 'z#f', 'content-location': '/c' }), [
    TARGET,
    'https://a.example/x/z',
    'https://a.example/c',
  ]);
  assert.equal(invalid({ location: 'https://u:p@A.example:443/z' }), [TARGET, 'https://a.example/z']);
  for (const location of [
    'https://b.example/z',
    'http://a.example/z',
    'https://a.example:444/z',
    '//b.example/',
    'https://[',
    'data:,x',
  ])
    assert.equal(invalid({ location }), [TARGET], location);
  assert.equal(invalid({ location: `/${'a'.repeat(9000)}` }), [TARGET]);
  assert.equal(invalidatedUrls('POST', 200, '*', fields()), []);
  const odd = 'http://a.example/{x}|"?q=<';
  assert.equal(invalidatedUrls('POST', 200, odd, fields()), [odd], 'as it is stored');
});

test('RFC 9111, 4.4: a target of any length, and one whose host is no host of a URL', () => {
  for (const target of [`https://a.example/?${'x'.repeat(20_000)}`, 'http://svc.1/a'])
    assert.equal(invalidatedUrls('POST', 200, target, fields({ location: 'https://b.example/' })), [target]);
});

test('RFC 9111, 4.4: Location in another spelling of the same path, and a query as it is written', () => {
  for (const [location, url] of [
    ['/%7Eann/%2b', 'https://a.example/~ann/%2B'],
    ['/x|y', 'https://a.example/x%7Cy'],
    ["b/../z?n='x'#f", "https://a.example/x/z?n='x'"],
  ])
    assert.equal(invalid({ location: location! }), [TARGET, url]);
});

test('RFC 9211: members and their parameters', () => {
  assert.is(cacheStatusMember('gw', { hit: true, ttl: 30, key: 'a"b\\ü' }), 'gw; hit; ttl=30; key="a\\"b\\\\?"');
  assert.is(
    cacheStatusMember('my cache', {
      fwd: 'stale',
      fwdStatus: 304,
      ttl: -4.5,
      stored: true,
      collapsed: true,
      detail: 'x\r\ny',
    }),
    '"my cache"; fwd=stale; fwd-status=304; ttl=-4; stored; collapsed; detail="x??y"',
  );
  assert.is(cacheStatusMember('gw', { fwd: 'uri-miss', collapsed: false }), 'gw; fwd=uri-miss; collapsed=?0');
  assert.is(appendCacheStatus(undefined, 'gw; hit'), 'gw; hit');
  assert.is(appendCacheStatus(' ', 'gw; hit'), 'gw; hit');
  assert.is(appendCacheStatus('origin; hit', 'gw; fwd=miss'), 'origin; hit, gw; fwd=miss');
  const next = seededBelow(1);
  for (let run = 0; run < 500; run++) {
    const text = Array.from({ length: next(300) }, () => String.fromCharCode(next(300))).join('');
    assert.ok(
      readList(cacheStatusMember(text, { hit: true, key: text, ttl: 1e18 })) !== undefined,
      JSON.stringify(text),
    );
  }
});

const ORIGIN = 'https://a.example';
const tags = (reply: Fields) => tagsOf(fields(reply), ORIGIN);

test('tags: Surrogate-Key between spaces, Cache-Tag between commas', () => {
  assert.equal(tags({ 'surrogate-key': 'a  b, a', 'cache-tag': 'c d,, e ,a' }), ['a', 'b', 'c d', 'e']);
  assert.equal(tags({}), []);
  assert.is(tags({ 'cache-tag': Array.from({ length: 500 }, (_, i) => `t${i}`).join() }).length, 128);
  assert.equal(tags({ 'surrogate-key': `${'x'.repeat(257)} y` }), ['y']);
});

test('RFC 9875, 2: the strings of Cache-Groups, also as groups of the origin', () => {
  const groups = { 'cache-groups': '"f g";x=1, tok, "h", ("i"), 5, "h"', 'cache-tag': 'c' };
  assert.equal(tags(groups), ['f g', `${ORIGIN} f g`, 'h', `${ORIGIN} h`, 'c']);
  assert.equal(tags({ 'cache-groups': '"f", x=' }), [], 'malformed');
  const many = Array.from({ length: 40 }, (_, i) => `"${'x'.repeat(32)}${i}"`).join();
  assert.is(
    tags({ 'cache-groups': many, 'cache-tag': Array.from({ length: 500 }, (_, i) => `t${i}`).join() }).length,
    128,
  );
  assert.is(tags({ 'cache-groups': many }).length, 64);
});

test('RFC 9875, 3: Cache-Group-Invalidation counts for unsafe methods, and for the same origin only', () => {
  const reply = fields({ 'cache-group-invalidation': '"a", "B", "a", t' });
  const invalidated = (method: string, status: number) => invalidatedTags(method, status, ORIGIN, reply);
  assert.equal(invalidated('POST', 200), [`${ORIGIN} a`, `${ORIGIN} B`]);
  assert.equal(invalidated('GET', 200), []);
  assert.equal(invalidated('POST', 500), []);
  assert.equal(invalidatedTags('POST', 200, ORIGIN, fields({ 'cache-group-invalidation': 'a"' })), []);
  assert.equal(invalidatedTags('POST', 200, ORIGIN, fields()), []);
});

test('lists are bounded and read in time proportional to their length', () => {
  assert.equal(listOf(' a ,, b\t,', 2), ['a', 'b']);
  assert.is(listOf('a,b,c', 2), undefined);
  const begin = performance.now();
  for (const part of [' ', ',', ' a', '\t,'])
    tags({
      'surrogate-key': part.repeat(200_000),
      'cache-tag': part.repeat(200_000),
      'cache-groups': part.repeat(10_000),
    });
  assert.ok(performance.now() - begin < 2000);
  assert.is(
    readFrom([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ])('a'),
    '1, 3',
  );
  assert.is(readFrom([])('a'), undefined);
});

test('a dictionary with a name twice: the last one counts if the field allows it', () => {
  assert.is(readDictionary('a=1, a=2'), undefined);
  assert.is(readDictionary('a=1, a=2', 'last')?.get('a')?.[0], 2);
});

test.run();
