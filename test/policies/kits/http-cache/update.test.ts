/** Stored fields and their updates, RFC 9111 sections 3.1, 3.2, 4.3.4 and 4.3.5. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFrom } from '../../../../src/policies/kits/http-cache/fields.js';
import {
  fieldsToStore,
  headEffect,
  isAbout,
  passedFields,
  updatedFields,
  updatedView,
} from '../../../../src/policies/kits/http-cache/update.js';
import { type Fields, fields, httpDate, NOW } from './kit.js';

const DATE = ['date', httpDate(NOW)] as const;

test('RFC 9111, 3.1: fields of the connection, of proxies and withheld ones are not stored', () => {
  const stored = fieldsToStore(
    [
      DATE,
      ['connection', 'A, close, b'],
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d', '4'],
      ['set-cookie', 'x'],
      ['set-cookie', 'y'],
      ['age', '5'],
      ...['keep-alive', 'proxy-authenticate', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'].map(
        (name) => [name, 'x'] as const,
      ),
    ],
    ['d'],
    NOW,
  );
  assert.equal(stored, [DATE, ['c', '3'], ['set-cookie', 'x'], ['set-cookie', 'y']]);
});

test('RFC 9110, 6.6.1: a reply without a valid Date gets one', () => {
  assert.equal(fieldsToStore([['a', '1']], [], NOW), [['a', '1'], DATE]);
  assert.equal(
    fieldsToStore(
      [
        ['date', 'x'],
        ['a', '1'],
      ],
      [],
      NOW,
    ),
    [['a', '1'], DATE],
  );
});

test('RFC 9111, 3.2: a 304 replaces the fields that it has, but not what describes the stored bytes', () => {
  const stored = [
    ['date', httpDate(NOW - 5000)],
    ['content-type', 'text/plain'],
    ['content-length', '5'],
    ['content-encoding', 'gzip'],
    ['set-cookie', 'a'],
    ['x-old', '1'],
    ['x-user', 'u'],
  ] as const;
  const fresh = [
    DATE,
    ['connection', 'x-hop'],
    ['x-hop', '1'],
    ['content-type', 'text/html'],
    ['content-length', '0'],
    ['content-encoding', 'br'],
    ['content-range', 'x'],
    ['content-md5', 'b'],
    ['set-cookie', 'b'],
    ['set-cookie', 'c'],
    ['etag', '"b"'],
  ] as const;
  assert.equal(updatedFields(stored, fresh, ['x-user'], NOW), [
    ['content-length', '5'],
    ['content-encoding', 'gzip'],
    ['x-old', '1'],
    DATE,
    ['content-type', 'text/html'],
    ['set-cookie', 'b'],
    ['set-cookie', 'c'],
    ['etag', '"b"'],
  ]);
  const view = updatedView(
    stored,
    readFrom([
      ['age', '3'],
      ['content-type', 'a'],
    ]),
  );
  assert.is(view('age'), '3');
  assert.is(view('x-old'), '1');
  assert.is(view('content-type'), 'a');
  assert.is(view('date'), undefined, 'the old one would make the reply old');
});

test('RFC 9111, 4.3.4: a 304 is about the stored reply with the same validator', () => {
  const about = (stored: Fields, fresh: Fields) => isAbout(fields(stored), fields(fresh));
  assert.ok(about({ etag: '"a"' }, { etag: '"a"' }));
  assert.not.ok(about({ etag: '"a"' }, { etag: '"b"' }));
  assert.not.ok(about({ etag: 'W/"a"' }, { etag: '"a"' }), 'a strong one wants a strong one');
  assert.ok(about({ etag: '"a"' }, { etag: 'W/"a"' }));
  assert.not.ok(about({ 'last-modified': 'x' }, { etag: '"a"' }));
  assert.ok(about({ etag: '"a"', 'last-modified': 'x' }, { etag: '"a"', 'last-modified': 'y' }));
  assert.ok(about({ 'last-modified': 'x' }, { 'last-modified': 'x' }));
  assert.not.ok(about({ 'last-modified': 'x' }, { 'last-modified': 'y' }));
  assert.ok(about({ etag: '"a"' }, {}));
});

test('RFC 9111, 4.3.5: a reply to HEAD updates or invalidates', () => {
  const stored = { etag: '"a"', 'content-length': '5' };
  const effect = (status: number, fresh: Fields) => headEffect(status, fields(stored), 5, fields(fresh));
  assert.is(effect(200, {}), 'update');
  assert.is(effect(200, { etag: '"a"', 'content-length': '5' }), 'update');
  assert.is(effect(200, { 'content-length': '6' }), 'invalidate');
  assert.is(effect(200, { etag: '"b"' }), 'invalidate');
  assert.is(effect(200, { 'last-modified': 'x' }), 'invalidate');
  for (const status of [304, 404, 410, 500]) assert.is(effect(status, { etag: '"b"' }), 'none');
  const chunked = (length: string) => headEffect(200, fields({}), 5, fields({ 'content-length': length }));
  assert.is(chunked('5'), 'update');
  assert.is(chunked('6'), 'invalidate');
});

test('RFC 9111, 5.2.2.4: fields that are not stored are for the client of the validation', () => {
  const fresh = [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['content-length', '0'],
    ['connection', 'x'],
    ['x-a', '1'],
  ] as const;
  assert.equal(passedFields(fresh, ['set-cookie', 'content-length', 'connection']), [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ]);
  assert.equal(passedFields(fresh, []), []);
});

test.run();
