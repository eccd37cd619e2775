import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseCoding, chooseMediaType, matchesMediaRange, mediaType } from '../../../src/policies/kits/negotiate.js';

const AVAILABLE = ['zstd', 'br', 'gzip', 'deflate'];

const CODINGS: readonly [field: string | undefined, coding: string, identityRefused?: boolean][] = [
  [undefined, 'identity'],
  ['', 'identity'],
  ['gzip', 'gzip'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, deflate, br', 'br'],
  ['GZIP;Q=1.0', 'gzip'],
  ['x-gzip', 'gzip'],
  ['gzip;q=0.9, br;q=0.8', 'gzip'],
  ['gzip;q=0.8;q=0.1', 'gzip'],
  ['gzip;q=0', 'identity'],
  ['gzip;q=0, *', 'zstd'],
  ['*', 'zstd'],
  ['*;q=0.5, br;q=0.4', 'zstd'],
  ['*;q=0', 'identity', true],
  ['*;q=0, gzip', 'gzip', true],
  ['*;q=0, identity', 'identity'],
  ['identity;q=0', 'identity', true],
  ['identity;q=0, gzip;q=0.1', 'gzip', true],
  ['identity;q=0, *;q=0.1', 'zstd', true],
  ['identity', 'identity'],
  ['identity;q=1, gzip;q=0.5', 'identity'],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['identity, *;q=0.1', 'identity'],
  ['snappy', 'identity'],
  ['snappy, gzip;q=0.001', 'gzip'],
  // Not valid, so ignored.
  ['gzip;q=2', 'identity'],
  ['gzip;q=-1, br;q=0.2', 'br'],
  ['gzip;q=0.1234', 'identity'],
  ['gzip;q=', 'identity'],
  [';;;, ,,, gzip', 'gzip'],
  ['gz ip, "br"', 'identity'],
];

for (const [field, coding, identityRefused = false] of CODINGS) {
  test(`Accept-Encoding ${field ?? '(none)'} gives ${coding}`, () => {
    assert.equal(chooseCoding(field, AVAILABLE), { coding, identityRefused });
  });
}

test('members of an Accept-Encoding beyond the maximum are ignored', () => {
  assert.is(chooseCoding(`${'a,'.repeat(63)}gzip`, AVAILABLE).coding, 'gzip');
  assert.is(chooseCoding(`${'a,'.repeat(64)}gzip`, AVAILABLE).coding, 'identity');
});

const TYPES = ['application/problem+json', 'text/html', 'text/plain'];

const ACCEPTS: readonly [field: string | undefined, chosen: string | undefined][] = [
  [undefined, 'application/problem+json'],
  ['', 'application/problem+json'],
  ['*/*', 'application/problem+json'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
  ['text/*', 'text/html'],
  ['text/*;q=0.5, text/html;q=0.1', 'text/plain'],
  ['*/*;q=0.1, application/problem+json;q=0', 'text/html'],
  ['text/plain;charset=utf-8', 'text/plain'],
  ['text/plain;format=flowed;q=0.2, text/plain', 'text/plain'],
  ['image/png', undefined],
  ['text/html;q=0', undefined],
  ['nonsense', undefined],
];

for (const [field, chosen] of ACCEPTS) {
  test(`Accept ${field ?? '(none)'} gives ${chosen ?? 'nothing'}`, () => {
    assert.is(chooseMediaType(field, TYPES), chosen);
  });
}

test('a media type has no parameters and no capitals', () => {
  assert.is(mediaType('Text/HTML; charset=UTF-8'), 'text/html');
  assert.is(mediaType(' application/json '), 'application/json');
  assert.is(mediaType(undefined), '');
});

test('media ranges match by type, suffix and wildcard', () => {
  assert.ok(matchesMediaRange('application/json', 'application/json'));
  assert.ok(matchesMediaRange('text/css', 'text/*'));
  assert.ok(matchesMediaRange('application/vnd.api+json', 'application/*+json'));
  assert.ok(matchesMediaRange('image/png', '*/*'));
  assert.not.ok(matchesMediaRange('', '*/*'));
  assert.not.ok(matchesMediaRange('text/', 'text/*'));
  assert.not.ok(matchesMediaRange('application/+json', 'application/*+json'));
  assert.not.ok(matchesMediaRange('application/json', 'application/*+json'));
});

test.run();
