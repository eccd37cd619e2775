/** Ranges of a stored reply, RFC 9110 section 14. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fieldsOf206, parseRange, planRange, type RangePlan } from '../../../../src/policies/kits/http-cache/range.js';
import { seededBelow } from '../../../support/random.js';
import { type Fields, fields, httpDate, NOW } from './kit.js';

const BODY = '0123456789A';

function plan(range: string, more: Fields = {}, reply: Fields = {}, body = BODY): RangePlan {
  const request = { method: 'GET', fields: fields({ range, ...more }) };
  return planRange(request, { status: 200, fields: fields(reply), length: body.length, receivedAt: NOW }, 'XX');
}

/** The content that a plan sends. */
function sent(of: RangePlan, body = BODY): string {
  if (of.kind === 'single') return body.slice(of.slice.start, of.slice.end);
  if (of.kind === 'multipart')
    return of.parts.map(({ prelude, slice }) => prelude + body.slice(slice.start, slice.end)).join('') + of.epilogue;
  return of.kind === 'whole' ? body : '';
}

test('RFC 9110, 14.1.2: first and last byte, first byte, suffix', () => {
  for (const [range, wanted, contentRange] of [
    ['bytes=0-1', '01', 'bytes 0-1/11'],
    ['bytes=1-', '123456789A', 'bytes 1-10/11'],
    ['bytes=-1', 'A', 'bytes 10-10/11'],
    ['bytes=-99', BODY, 'bytes 0-10/11'],
    ['bytes=5-99999999999999999999999', '56789A', 'bytes 5-10/11'],
    ['Bytes= 0-0 ,', '0', 'bytes 0-0/11'],
  ] as const) {
    const of = plan(range);
    assert.is(of.kind, 'single', range);
    assert.is(sent(of), wanted, range);
    assert.is(of.kind === 'single' && of.contentRange, contentRange, range);
    assert.is(of.kind === 'single' && of.length, wanted.length, range);
  }
});

test('RFC 9110, 14.2: a malformed field, another unit or method is ignored', () => {
  for (const range of [
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=2-1',
    'bytes=0-1,x',
    'bytes 0-1',
    'items=0-1',
    'bytes=--1',
    'bytes=0 -1',
    '',
  ])
    assert.is(plan(range).kind, 'whole', range);
  const head = { method: 'HEAD', fields: fields({ range: 'bytes=0-1' }) };
  const reply = { status: 200, fields: fields(), length: 11, receivedAt: NOW };
  assert.is(planRange(head, reply, 'XX').kind, 'whole');
  assert.is(planRange({ ...head, method: 'GET' }, { ...reply, status: 404 }, 'XX').kind, 'whole');
});

test('RFC 9110, 15.5.17: no range in the body is a 416 with the length', () => {
  for (const range of ['bytes=11-', 'bytes=99-100', 'bytes=-0', 'bytes=11-, -0'])
    assert.equal(plan(range), { kind: 'unsatisfiable', contentRange: 'bytes */11' }, range);
  assert.is(plan('bytes=0-', {}, {}, '').kind, 'unsatisfiable');
  assert.is(plan('bytes=-5', {}, {}, '').kind, 'whole');
  assert.is(sent(plan('bytes=99-, 2-3')), '23');
});

test('RFC 9110, 14.6: several ranges as parts', () => {
  const of = plan('bytes=0-1, -2', {}, { 'content-type': 'text/plain' });
  assert.is(of.kind === 'multipart' && of.contentType, 'multipart/byteranges; boundary=XX');
  const wanted = [
    '--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/11\r\n\r\n01',
    '--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 9-10/11\r\n\r\n9A',
    '--XX--\r\n',
  ].join('\r\n');
  assert.is(sent(of), wanted);
  assert.is(of.kind === 'multipart' && of.length, wanted.length);
});

test('RFC 9110, 14.2: neighbours that touch become one; too many ranges, overlaps or bytes are ignored', () => {
  assert.is(sent(plan('bytes=0-1,2-3')), '0123');
  assert.is(sent(plan('bytes=0-3,2-5')), '012345');
  assert.is(plan('bytes=0-1,1-2,2-3,3-4').kind, 'whole');
  assert.is(plan('bytes=0-,0-').kind, 'whole');
  assert.is(parseRange(`bytes=${'0-0,'.repeat(65)}`), undefined);
  assert.is(parseRange(`bytes=${'0-0,'.repeat(64)}`)?.length, 64);
});

test('RFC 9110, 13.1.5: If-Range wants a strong ETag, or exactly a strong Last-Modified', () => {
  const modified = httpDate(NOW - 5000);
  const kind = (condition: string, reply: Fields) => plan('bytes=0-1', { 'if-range': condition }, reply).kind;
  assert.is(kind('"a"', { etag: '"a"' }), 'single');
  for (const [condition, etag] of [
    ['"a"', '"b"'],
    ['W/"a"', '"a"'],
    ['"a"', 'W/"a"'],
    ['W/"a"', 'W/"a"'],
    ['a', 'a'],
  ])
    assert.is(kind(condition!, { etag: etag! }), 'whole', condition);
  const dated = { 'last-modified': modified, date: httpDate(NOW) };
  assert.is(kind(modified, dated), 'single');
  assert.is(kind(httpDate(NOW - 4000), dated), 'whole');
  assert.is(kind(modified, { 'last-modified': modified, date: modified }), 'whole');
  assert.is(kind(modified, {}), 'whole');
});

test('RFC 9110, 15.3.7: the fields of a 206', () => {
  const stored = [
    ['content-type', 'text/plain'],
    ['content-length', '11'],
    ['etag', '"a"'],
    ['last-modified', 'x'],
    ['x-other', '1'],
  ] as const;
  const names = (range: string, ifRange: boolean) => fieldsOf206(stored, plan(range), ifRange).map(([name]) => name);
  assert.equal(names('bytes=0-1', false), ['content-type', 'etag', 'last-modified', 'x-other']);
  assert.equal(names('bytes=0-1,5-6', false), ['etag', 'last-modified', 'x-other']);
  assert.equal(names('bytes=0-1', true), ['etag', 'x-other']);
});

/** A range as text, and the bytes of the body that it names. */
function randomRange(next: (n: number) => number, body: string): readonly [text: string, bytes: string] {
  const [first, size] = [next(24), next(6)];
  const kind = next(3);
  if (kind === 0) return [`-${first}`, first === 0 ? '' : body.slice(-first)];
  if (kind === 1) return [`${first}-`, body.slice(first)];
  return [`${first}-${first + size}`, body.slice(first, first + size + 1)];
}

test('law: a plan sends the bytes of naive slices and no others', () => {
  const next = seededBelow(13);
  const kinds = new Set<string>();
  for (let run = 0; run < 5000; run++) {
    // Each byte occurs once.
    const body = 'abcdefghijklmnopqrst'.slice(0, next(20));
    const ranges = Array.from({ length: 1 + next(4) }, () => randomRange(next, body));
    const of = plan(`bytes=${ranges.map(([text]) => text).join(', ')}`, {}, {}, body);
    kinds.add(of.kind);
    const about = JSON.stringify([ranges, body]);
    if (of.kind === 'whole') continue;
    const slices =
      of.kind === 'single' ? [of.slice] : of.kind === 'multipart' ? of.parts.map(({ slice }) => slice) : [];
    const asked = new Set(ranges.map(([, bytes]) => bytes).join(''));
    const got = new Set(slices.map(({ start, end }) => body.slice(start, end)).join(''));
    assert.equal([...got].sort(), [...asked].sort(), about);
    for (const { start, end } of slices) assert.ok(start >= 0 && start < end && end <= body.length, about);
    if (of.kind === 'multipart') assert.is(sent(of, body).length, of.length, about);
  }
  assert.is(kinds.size, 4);
});

test('law: random ranges never throw and take time proportional to their length', () => {
  const next = seededBelow(17);
  const alphabet = '0123-, =bytes\xff';
  for (let run = 0; run < 3000; run++)
    plan(`bytes=${Array.from({ length: next(16) }, () => alphabet[next(alphabet.length)]).join('')}`);
  const begin = performance.now();
  for (const part of ['0-0,', '1', '-', ' ', ',', '1-1 ']) plan(`bytes=${part.repeat(200_000)}`);
  assert.ok(performance.now() - begin < 1000);
});

test.run();
