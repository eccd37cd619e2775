import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { teBits } from '../../../src/proxy/http/field-values.js';
import { Seen } from '../../../src/proxy/http/seen.js';
import { lastChunk, replyTrailers, requestTrailers } from '../../../src/proxy/http/trailers.js';

const test = suite('trailers');

const NAMES = ['grpc-status', 'x-sum', 'etag', 'server-timing'];
const FORBIDDEN = [
  ...['transfer-encoding', 'content-length', 'connection', 'te', 'trailer', 'upgrade', 'x-request-id', 'keep-alive'],
  ...['host', 'max-forwards', 'x-forwarded-for', 'forwarded', 'via', 'expect', 'cache-control', 'range', 'if-match'],
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'www-authenticate'],
  ...['content-type', 'content-encoding', 'content-range', 'age', 'expires', 'date', 'location', 'retry-after', 'vary'],
];

const lines = (names: readonly string[]): string => names.map((name) => `${name}: v\r\n`).join('');
const namesOf = (fields: { entries(): Iterable<readonly [string, string]> }): string[] =>
  [...fields.entries()].map(([name]) => name);

test('fields that must precede the content are never trailers', () => {
  for (const name of FORBIDDEN) {
    for (const spelled of [name, name.toUpperCase()]) {
      assert.equal(namesOf(replyTrailers(lines([spelled, 'x-a']))), ['x-a'], spelled);
      assert.equal(namesOf(requestTrailers(lines([spelled, 'x-a']), new Set())), ['x-a'], spelled);
    }
  }
  assert.equal(namesOf(replyTrailers(lines(NAMES))), NAMES);
  assert.equal(namesOf(requestTrailers(lines(NAMES), new Set())), NAMES);
});

test('a request has no trailers that could be taken for fields that policies write', () => {
  const written = new Set(['x-tenant']);
  for (const name of ['x-tenant', 'X-Tenant', 'x_tenant', 'x-consumer-name', 'x.tenant', 'x_other', 'content_type'])
    assert.equal(namesOf(requestTrailers(lines([name, 'x-a']), written)), ['x-a'], name);
  assert.equal(namesOf(requestTrailers(lines(['x-tenants', 'x.a']), written)), ['x-tenants', 'x.a']);
});

test('the last chunk contains the trailer fields', () => {
  assert.is(lastChunk(undefined), '0\r\n\r\n');
  assert.is(lastChunk(replyTrailers('X-A:1\r\nx-b:  2 \r\nHost: x\r\n')), '0\r\nx-a: 1\r\nx-b: 2\r\n\r\n');
});

test('TE names trailers among others', () => {
  for (const value of ['trailers', 'deflate;q=0.5, Trailers', ' trailers ,x']) assert.is(teBits(value), Seen.Trailers);
  for (const value of ['', 'trailer', 'trailers;q=0.5x', 'deflate']) assert.is(teBits(value), 0);
});

test.run();
