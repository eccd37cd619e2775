import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BytesReply, HeaderMap } from '../../../../src/policies/run-kit.js';
import { GrpcCall, receivedCall, translatedCall } from '../../../../src/proxy/exchange/grpc/call.js';

const timed = (value: string | undefined, route: { timeout: number; stream?: boolean } = { timeout: 1000 }) => {
  const set = new Map<string, string>();
  return {
    set,
    startMs: 100,
    deadline: 7,
    route,
    headers: { received: () => value, set: (name: string, to: string) => void set.set(name, to) },
  };
};

test('the deadline is that of the client; of the route only if its replies are no streams', () => {
  for (const [value, route, deadline, timeout] of [
    [undefined, { timeout: 1000 }, 0, 0],
    ['5S', { timeout: 1000 }, 5100, 5000],
    ['5S', { timeout: 1000, stream: false }, 1100, 0],
    ['5m', { timeout: 1000, stream: false }, 105, 5],
    [undefined, { timeout: 1000, stream: false }, 1100, 0],
    [undefined, { timeout: 0, stream: false }, 0, 0],
  ] as const) {
    const exchange = timed(value, route);
    const call = new GrpcCall(true);
    assert.ok(call.begin(exchange));
    assert.equal([exchange.deadline, call.timeout], [deadline, timeout]);
  }
  for (const [value, route, deadline, timeout] of [
    [undefined, { timeout: 1000 }, 1100, 0],
    ['5S', { timeout: 1000 }, 1100, 0],
    ['5m', { timeout: 1000 }, 105, 5],
    ['5S', { timeout: 1000, stream: true }, 5100, 5000],
  ] as const) {
    const exchange = timed(value, route);
    const call = new GrpcCall(false);
    assert.ok(call.begin(exchange));
    assert.equal([exchange.deadline, call.timeout], [deadline, timeout], 'a call that does not last');
  }
  assert.not.ok(new GrpcCall(true).begin(timed('5')));
});

test('an attempt begins with what is left, and without what the last one has left', () => {
  const exchange = timed('5S');
  const call = new GrpcCall(true);
  call.begin(exchange);
  call.resetCode = 8;
  call.ended('14');
  call.forward(exchange, 1100);
  assert.equal([exchange.set.get('grpc-timeout'), call.resetCode, call.status], ['4000000u', undefined, -1]);
  const without = timed(undefined);
  call.begin(without);
  call.forward(without, 1100);
  assert.is(without.set.size, 0);
});

test('replies with an error become those of gRPC, others stay', () => {
  const call = new GrpcCall(true);
  const fine = new BytesReply(204);
  assert.is(call.outgoing(fine, false), fine);
  const moved = call.outgoing(new BytesReply(302, { headers: new HeaderMap([['location', '/a']]) }), false);
  assert.equal([moved.headers.get('grpc-status'), moved.headers.get('location'), call.name], ['2', '/a', 'UNKNOWN']);
  const web = new BytesReply(503);
  assert.is(new GrpcCall(true, true).outgoing(web, false), web);
});

test('the code of a reset says more than the error', () => {
  for (const [code, name] of [
    [0, 'INTERNAL'],
    [2, 'INTERNAL'],
    [7, 'UNAVAILABLE'],
    [8, 'CANCELLED'],
    [11, 'RESOURCE_EXHAUSTED'],
    [12, 'PERMISSION_DENIED'],
  ] as const) {
    const call = new GrpcCall(true);
    call.resetCode = code;
    call.outgoing(new BytesReply(502, { code: 'upstream/reset' }), false);
    assert.is(call.name, name);
    call.outgoing(new BytesReply(504, { code: 'upstream/timeout' }), false);
    assert.is(call.name, 'DEADLINE_EXCEEDED');
  }
});

test('a call without a status has one for the log', () => {
  const closed = (error: string | null, http: number): string => {
    const call = new GrpcCall(true);
    call.close(error, http);
    return call.name;
  };
  assert.is(closed('downstream/aborted', 200), 'CANCELLED');
  assert.is(closed('exchange/timeout', 200), 'DEADLINE_EXCEEDED');
  assert.is(closed('gateway/drained', 200), 'UNAVAILABLE');
  assert.is(closed('my-policy/code', 0), 'UNAVAILABLE');
  assert.is(closed(null, 200), 'UNKNOWN');
  assert.is(closed(null, 429), 'UNAVAILABLE');
  assert.is(closed(null, 401), 'UNAUTHENTICATED');
  const known = new GrpcCall(true);
  known.ended('5');
  known.close('downstream/aborted', 200);
  assert.is(known.name, 'NOT_FOUND');
});

test('what a reply counts as', () => {
  const call = new GrpcCall(true);
  assert.equal([call.counts(200), call.counts(503)], [0, 503]);
  const counts = Array.from({ length: 17 }, (_, code) => {
    call.ended(String(code));
    return call.counts(200);
  });
  assert.equal(
    counts.flatMap((count, code) => (count === 500 ? [code] : [])),
    [2, 13, 14, 15],
  );
});

test('nothing follows a reply that has not begun or is not of gRPC', () => {
  assert.is(new GrpcCall(true).cutBy('upstream/aborted'), undefined);
});

const TO_HTTP2 = { service: { entry: { http2: {} } } };
const TO_HTTP1 = { service: { entry: {} } };

test('a request is a call if one side speaks HTTP/2, and lasts if both do', () => {
  const lasts = (http2: boolean, compiled: Parameters<typeof receivedCall>[0]['compiled']) =>
    receivedCall({ peer: { http2 }, compiled })?.lasts;
  assert.equal(
    [TO_HTTP2, TO_HTTP1, { service: undefined }, undefined].map((to) => [lasts(true, to), lasts(false, to)]),
    [
      [true, false],
      [false, undefined],
      [false, undefined],
      [false, undefined],
    ],
  );
});

test('calls that a policy has translated', () => {
  const of = (type: string | undefined, compiled = TO_HTTP2 as typeof TO_HTTP1) =>
    translatedCall({ headers: { get: () => type }, compiled });
  assert.is(of('application/grpc')?.lasts, true);
  assert.is(of('application/grpc', TO_HTTP1)?.lasts, false);
  assert.ok(of('application/grpc+proto'));
  for (const type of [undefined, 'application/json', 'application/grpc-web+proto']) assert.is(of(type), undefined);
});

test.run();
