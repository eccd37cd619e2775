import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GRPC_STATUSES, grpcStatusName } from '../../../src/grpc-statuses.js';
import {
  BytesReply,
  grpcCodeIn,
  grpcCodeOf,
  grpcErrorReply,
  grpcMessage,
  HeaderMap,
  problem,
} from '../../../src/policies/run-kit.js';

test('HTTP statuses as gRPC statuses', () => {
  const names = [400, 401, 403, 404, 413, 429, 431, 502, 503, 504, 408, 500, 302].map((status) =>
    grpcStatusName(grpcCodeOf(status)),
  );
  assert.equal(names, [
    'INTERNAL',
    'UNAUTHENTICATED',
    'PERMISSION_DENIED',
    'UNIMPLEMENTED',
    'RESOURCE_EXHAUSTED',
    'RESOURCE_EXHAUSTED',
    'INTERNAL',
    'UNAVAILABLE',
    'UNAVAILABLE',
    'DEADLINE_EXCEEDED',
    'UNKNOWN',
    'UNKNOWN',
    'UNKNOWN',
  ]);
  assert.is(GRPC_STATUSES.indexOf('UNAUTHENTICATED'), 16);
  assert.is(grpcStatusName(77), '77');
});

test('messages are percent-encoded UTF-8', () => {
  assert.is(grpcMessage('plain ~text!'), 'plain ~text!');
  assert.is(grpcMessage('50 % of\r\n\u{1f608}\x7f'), '50 %25 of%0D%0A%F0%9F%98%88%7F');
});

test('codes in fields', () => {
  assert.equal(['0', '14', '99', '', 'x', '-1', '1000', ' 1'].map(grpcCodeIn), [0, 14, 99, -1, -1, -1, -1, -1]);
  assert.is(grpcCodeIn(undefined), -1);
});

test('a problem becomes a reply without a body, with its other fields', () => {
  const given = problem(
    { id: 'a' },
    { code: 'a/b', status: 429, title: 'Too many', detail: 'Wait.', headers: { 'retry-after': '3' } },
  );
  const reply = grpcErrorReply(given);
  assert.equal(
    [...reply.headers.entries()],
    [
      ['cache-control', 'no-store'],
      ['retry-after', '3'],
      ['content-type', 'application/grpc'],
      ['grpc-status', '8'],
      ['grpc-message', 'Too many: Wait.'],
    ],
  );
  assert.equal([reply.status, reply.body, reply.code], [200, null, 'a/b']);
});

test('fields of a body go, and a status that was there does not count', () => {
  const headers = new HeaderMap([
    ['Content-Type', 'text/html'],
    ['Content-Encoding', 'br'],
    ['ETag', '"1"'],
    ['grpc-status', '0'],
    ['www-authenticate', 'Basic'],
    ['www-authenticate', 'Bearer'],
  ]);
  const reply = grpcErrorReply(new BytesReply(401, { headers, body: 'x' }));
  assert.equal(
    [...reply.headers.entries()],
    [
      ['www-authenticate', 'Basic'],
      ['www-authenticate', 'Bearer'],
      ['content-type', 'application/grpc'],
      ['grpc-status', '16'],
      ['grpc-message', 'Unauthorized'],
    ],
  );
});

test.run();
