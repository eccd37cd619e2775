/** Calls of policies and actions: whole and streamed replies, bounds, timeouts, retries, counters. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BodyOut, CallRequest, Exchange } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { MOST_DETACHED, MOST_OF_EXCHANGE } from '../../../src/proxy/upstream/call/calls.js';
import { CallBed, failureOf } from '../../support/calls.js';
import {
  afterRequests,
  type Fault,
  FaultTarget,
  flood,
  never,
  ok,
  refusingPort,
  say,
  sayAndClose,
  sayInTurn,
  whole,
} from '../../support/fault-target.js';
import { until } from '../../support/until.js';

const test = suite('calls');
const caller = { name: 'auth' };
const get: CallRequest = { method: 'GET', path: '/check?a=1' };
let open: { close(): unknown }[] = [];

test.after.each(async () => {
  for (const one of open) await one.close();
  open = [];
});

async function bed(fault: Fault, settings = '', bodyMemory?: number): Promise<{ bed: CallBed; target: FaultTarget }> {
  const target = await FaultTarget.start(fault);
  const made = new CallBed(`[service.auth]\ntargets = ["${target.url}/base"]\n${settings}`, bodyMemory);
  open.push(made, target);
  return { bed: made, target };
}

const withExchange = (request: CallRequest, parent: object): CallRequest => ({
  ...request,
  exchange: parent as Exchange,
});

test('sends method, path, fields and body, and gives the whole reply', async () => {
  let body = '';
  const { bed: b, target } = await bed(
    whole((bytes) => {
      body = bytes.toString();
    }, say(
      'HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\nX-Hop: 1\r\nConnection: x-hop\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    )),
  );
  const headers = [
    ['Authorization', 'Bearer t'],
    ['connection', 'x-own'],
    ['transfer-encoding', 'chunked'],
    ['content-length', '99'],
    ['x-request-id', 'forged'],
    ['via', 'forged'],
  ] as const;
  const reply = await b.calls.call(caller, 'auth', { method: 'POST', path: '/check?a=1', headers, body: 'hi €' });
  assert.is(reply.status, 201);
  assert.is(Buffer.from(reply.body).toString(), 'abc');
  assert.is(reply.headers.get('x-a'), '1, 2');
  assert.is(reply.headers.get('x-hop'), undefined);
  assert.is(reply.headers.get('transfer-encoding'), undefined);
  assert.is(body, 'hi €');
  const [request] = target.arrived;
  assert.is(request!.head.split('\r\n')[0], 'POST /base/check?a=1 HTTP/1.1');
  assert.is(request!.header('host'), new URL(target.url).host);
  assert.is(request!.header('authorization'), 'Bearer t');
  assert.is(request!.header('content-length'), '6');
  assert.is(request!.header('connection'), undefined);
  assert.is(request!.header('transfer-encoding'), undefined);
  assert.is(request!.header('via'), '1.1 gw');
  assert.is.not(request!.header('x-request-id'), 'forged');
  const { requests, bytesIn, bytesOut, status } = b.sums('auth');
  assert.equal([requests, bytesIn, bytesOut, status[1]], [1, 6, 3, 1]);
});

test('a call of an exchange has its id, and is among its decisions without the query', async () => {
  const { bed: b, target } = await bed(ok('yes'));
  const parent = b.parent();
  await b.calls.call(caller, 'auth', withExchange(get, parent));
  assert.is(target.arrived[0]!.header('x-request-id'), 'exchange-1');
  assert.is(parent.attached.size, 0);
  const [decision] = parent.decisions;
  assert.equal([decision!.step, decision!.use, decision!.outcome], ['auth', 'call', 'call']);
  assert.match(decision!.why, /^auth: GET \/check: 200 in /);
});

test('requests that cannot be sent are refused before a connection is opened', async () => {
  const { bed: b, target } = await bed(ok('yes'));
  const wrong: CallRequest[] = [
    { method: 'GE T', path: '/' },
    { method: 'CONNECT', path: '/' },
    { method: 'GET', path: 'check' },
    { method: 'GET', path: '/a b' },
    { method: 'GET', path: '/a\r\nx: y' },
    { method: 'GET', path: '/é' },
    { method: 'GET', path: '/', headers: [['x-a', 'b\r\nx-c: d']] },
    { method: 'GET', path: '/', headers: [['x a', 'b']] },
    { method: 'GET', path: '/', headers: [['host', 'a b']] },
  ];
  for (const request of wrong) {
    try {
      await b.calls.call(caller, 'auth', request);
      assert.unreachable(JSON.stringify(request));
    } catch (error) {
      assert.instance(error, TypeError, JSON.stringify(request));
    }
  }
  assert.is(target.connections, 0);
  assert.is((await failureOf(b.calls.call(caller, 'other', get))).error, 'upstream/none');
});

test('a reply beyond the bound fails, announced or not, and frees its connection', async () => {
  const announced = await bed(flood(1_000_000));
  const error = await failureOf(announced.bed.calls.call(caller, 'auth', { ...get, maxReply: 1000 }));
  assert.is(error.error, 'upstream/too-large');
  assert.match(error.cause, /Content-Length 1000000, at most 1000 /);
  await until(() => announced.target.open === 0, 'the connection to close');
  const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`;
  const streamed = await bed(say(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}`));
  const parent = streamed.bed.parent();
  const request = withExchange({ ...get, maxReply: 1000 }, parent);
  assert.is((await failureOf(streamed.bed.calls.call(caller, 'auth', request))).error, 'upstream/too-large');
  assert.is(parent.attached.size, 0);
  assert.is(streamed.bed.engine.bodies.used, 0);
  assert.is(streamed.bed.sums('auth').inFlight, 0);
  assert.is(streamed.bed.sums('auth').failures, 1);
});

test('a reply that the memory for bodies cannot hold fails with gateway/overloaded', async () => {
  const { bed: b } = await bed(flood(500_000), '', 100_000);
  assert.is((await failureOf(b.calls.call(caller, 'auth', get))).error, 'gateway/overloaded');
  assert.is(b.engine.bodies.used, 0);
});

test('a call times out as a whole, also within its reply', async () => {
  const slow = await bed(never);
  const call = failureOf(slow.bed.calls.call(caller, 'auth', { ...get, timeout: 2000 }));
  await until(() => slow.target.arrived.length === 1, 'the request');
  slow.bed.pass(2001);
  assert.equal((({ error, cause }) => [error, cause])(await call), [
    'upstream/timeout',
    'call timeout before the reply',
  ]);
  const half = await bed(say('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
  const begun = failureOf(half.bed.calls.call(caller, 'auth', { ...get, timeout: 2000 }));
  await until(() => half.bed.engine.bodies.used > 0, 'a part of the reply');
  half.bed.pass(2001);
  assert.is((await begun).cause, 'call timeout within the reply');
  assert.is(half.bed.engine.bodies.used, 0);
  assert.is(half.bed.sums('auth').inFlight, 0);
});

test('the end of its exchange cancels a call; a detached one goes on', async () => {
  const { bed: b, target } = await bed(never);
  const parent = b.parent();
  const call = failureOf(b.calls.call(caller, 'auth', withExchange(get, parent)));
  const detached = failureOf(b.calls.call(caller, 'auth', get));
  await until(() => target.arrived.length === 2, 'both requests');
  parent.end();
  assert.is((await call).error, 'downstream/aborted');
  assert.is(b.calls.detached, 1);
  assert.is((await failureOf(b.calls.call(caller, 'auth', withExchange(get, parent)))).error, 'downstream/aborted');
  b.calls.close();
  assert.is((await detached).error, 'gateway/drained');
  assert.is(b.calls.detached, 0);
  assert.is((await failureOf(b.calls.call(caller, 'auth', get))).error, 'gateway/drained');
});

test('calls in progress are bounded, for an exchange and without one', async () => {
  const { bed: b } = await bed(never);
  const parent = b.parent();
  const ends: Promise<unknown>[] = [];
  for (let i = 0; i < MOST_OF_EXCHANGE; i++)
    ends.push(failureOf(b.calls.call(caller, 'auth', withExchange(get, parent))));
  assert.is((await failureOf(b.calls.call(caller, 'auth', withExchange(get, parent)))).error, 'upstream/calls-full');
  for (let i = 0; i < MOST_DETACHED; i++) ends.push(failureOf(b.calls.call(caller, 'auth', get)));
  assert.is((await failureOf(b.calls.call(caller, 'auth', get))).error, 'upstream/calls-full');
  b.calls.close();
  await Promise.all(ends);
});

test('an idempotent call is sent again after a reused connection closed, also with a body; others are not', async () => {
  const { bed: b, target } = await bed(afterRequests(1, ok('first'), sayAndClose()));
  await b.calls.call(caller, 'auth', get);
  const again = await b.calls.call(caller, 'auth', { method: 'PUT', path: '/x', body: 'value' });
  assert.is(Buffer.from(again.body).toString(), 'first');
  assert.is(target.connections, 2);
  const failed = await failureOf(b.calls.call(caller, 'auth', { method: 'POST', path: '/x', body: 'value' }));
  assert.is(failed.error, 'upstream/reset');
  assert.is(target.count('POST'), 1);
});

test('another target takes the call if the first one refuses connections', async () => {
  const target = await FaultTarget.start(ok('here'));
  const made = new CallBed(`[service.auth]\ntargets = ["http://127.0.0.1:${await refusingPort()}", "${target.url}"]\n`);
  open.push(made, target);
  const reply = await made.calls.call(caller, 'auth', get);
  assert.is(Buffer.from(reply.body).toString(), 'here');
  assert.is(made.sums('auth').failures, 1);
});

test('a service without a reachable target fails with its cause', async () => {
  const made = new CallBed(`[service.auth]\ntargets = ["http://127.0.0.1:${await refusingPort()}"]\n`);
  open.push(made);
  const { error, cause } = await failureOf(made.calls.call(caller, 'auth', get));
  assert.equal([error, cause], ['upstream/unreachable', 'connection refused']);
});

test('calls share a pipeline where the service has one', async () => {
  const { bed: b, target } = await bed(ok('yes'), 'pipelining = 8\nmax_connections = 1\n');
  const replies = await Promise.all([1, 2, 3, 4].map(() => b.calls.call(caller, 'auth', get)));
  assert.equal(
    replies.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.is(target.connections, 1);
});

class Sink implements BodyOut {
  bytes = 0;
  text = '';
  ended = false;
  failure: string | undefined;
  full = false;
  more: (() => void) | undefined;
  write(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.bytes < 1000) this.text += Buffer.from(bytes).toString();
    return !this.full;
  }
  end(): void {
    this.ended = true;
  }
  fail(cause: string): void {
    this.failure = cause;
  }
  onWritable(callback: () => void): void {
    this.more = callback;
  }
}

test('a streamed reply waits for start(), and the receiver holds the target back', async () => {
  const length = 40_000_000;
  let written = 0;
  const { bed: b } = await bed(
    flood(length, (count) => {
      written = count;
    }),
  );
  const { status, body } = await b.calls.callStream(caller, 'auth', get);
  assert.equal([status, body.length], [200, length]);
  const out = new Sink();
  out.full = true;
  body.start(out);
  await until(() => out.more !== undefined, 'a full receiver');
  assert.ok(out.bytes < 1_000_000);
  let before = -1;
  await until(() => {
    const still = written === before;
    before = written;
    return still;
  }, 'the target to stop');
  assert.ok(written < length);
  out.full = false;
  out.more!();
  await until(() => out.ended, 'the end');
  assert.is(out.bytes, length);
  assert.is(b.sums('auth').inFlight, 0);
});

test('a streamed reply may last longer than the response timeout; one that is never started ends', async () => {
  const { bed: b, target } = await bed(
    sayInTurn('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc', 'def'),
    'response_timeout = "5s"\n',
  );
  const { body } = await b.calls.callStream(caller, 'auth', get);
  const out = new Sink();
  body.start(out);
  b.pass(4000);
  await until(() => out.ended, 'the end');
  assert.is(out.text, 'abcdef');
  await b.calls.callStream(caller, 'auth', get);
  assert.is(b.calls.detached, 1);
  b.pass(5001);
  assert.is(b.calls.detached, 0);
  await until(() => target.open === 0, 'the connection to close');
});

test('a streamed reply that breaks off fails its receiver, before and after start()', async () => {
  const { bed: b } = await bed(sayAndClose('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc'));
  const early = await b.calls.callStream(caller, 'auth', get);
  const out = new Sink();
  early.body.start(out);
  await until(() => out.failure, 'the failure');
  assert.match(out.failure!, /closed by the target within the body/);
  const late = await b.calls.callStream(caller, 'auth', get);
  b.calls.close();
  const second = new Sink();
  late.body.start(second);
  assert.is(second.failure, 'the gateway has stopped');
});

test('a streamed reply that is discarded frees its connection', async () => {
  const { bed: b, target } = await bed(flood(1_000_000));
  const { body } = await b.calls.callStream(caller, 'auth', get);
  body.discard();
  body.discard();
  await until(() => target.open === 0, 'the connection to close');
  assert.equal([b.calls.detached, b.sums('auth').inFlight], [0, 0]);
});

test('the reply to HEAD has no body, whatever length it announces', async () => {
  const { bed: b } = await bed(say('HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n'));
  const reply = await b.calls.call(caller, 'auth', { method: 'HEAD', path: '/' });
  assert.equal([reply.status, reply.body.length], [200, 0]);
});

// ---------------------------------------------------------------- signed by the policies of the service

const post: CallRequest = { method: 'POST', path: '/check?a=1', headers: [['x-own', '1']], body: 'asked' };
const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';
const DONE = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone';

test('policies of a service sign a call, with its target, path, fields and body', async () => {
  const { bed: b, target } = await bed(ok('done'));
  const seen: unknown[] = [];
  b.show = (attempt) => {
    const { number, service, target: url, method, path, host, hasBody, unauthorized } = attempt;
    const facts = [number, service, url, method, path, host, hasBody, unauthorized];
    seen.push([...facts, attempt.header('x-own'), Buffer.from(attempt.body ?? '').toString()]);
    attempt.set('Authorization', 'Basic Z3c6c2VjcmV0');
    return undefined;
  };
  const parent = b.parent();
  assert.is((await b.calls.call(caller, 'auth', withExchange(post, parent))).status, 200);
  const { host } = new URL(target.url);
  assert.equal(seen, [[1, 'auth', target.url, 'POST', '/base/check?a=1', host, true, false, '1', 'asked']]);
  assert.is(target.arrived[0]!.header('authorization'), 'Basic Z3c6c2VjcmV0');
  assert.match(parent.decisions[0]!.why, /^auth: POST \/check \(authorization added\): 200 in /);
  assert.not.match(JSON.stringify(parent.decisions), 'Z3c6');
});

test('a signed call is repeated once after a 401, with its body, and a second 401 is its reply', async () => {
  const answers = [UNAUTHORIZED, DONE, UNAUTHORIZED, UNAUTHORIZED];
  const { bed: b, target } = await bed(
    whole(
      () => {},
      (_request, socket) => void socket.write(answers.shift()!),
    ),
  );
  b.show = async (attempt) => {
    attempt.set('authorization', `Bearer ${attempt.unauthorized ? 'new' : 'old'}`);
    attempt.repeatAfter401();
    return undefined;
  };
  assert.is((await b.calls.call(caller, 'auth', post)).status, 200);
  assert.is((await b.calls.call(caller, 'auth', post)).status, 401);
  assert.equal(
    target.arrived.map((request) => `${request.header('authorization')} ${request.header('content-length')}`),
    ['Bearer old 5', 'Bearer new 5', 'Bearer old 5', 'Bearer new 5'],
  );
});

test('a call that cannot be signed fails before it takes a connection, and counts nothing against the target', async () => {
  const { bed: b, target } = await bed(ok('done'), 'eject_after = 1');
  const refusals: [NonNullable<CallBed['show']>, string][] = [
    [() => refusal, 'refused by a policy: no token'],
    [async () => refusal, 'refused by a policy: no token'],
    [
      () => {
        throw new Error('no key');
      },
      'a policy failed before an attempt: no key',
    ],
    [() => Promise.reject(new Error('no key')), 'a policy failed before an attempt: no key'],
  ];
  for (const [show, cause] of refusals) {
    b.show = show;
    const failure = await failureOf(b.calls.call(caller, 'auth', get));
    assert.equal([failure.error, failure.cause], ['policy/failed', cause]);
  }
  assert.is(target.connections, 0);
  assert.is(b.sums('auth').failures, 0);
  b.show = undefined;
  assert.is((await b.calls.call(caller, 'auth', get)).status, 200);
});

const refusal = new BytesReply(503, { code: 'upstream/credentials', cause: 'no token' });

test('the time of a call includes its signing, and a late signature sends nothing', async () => {
  const { bed: b, target } = await bed(ok('done'));
  let sign = (): void => {};
  b.show = () =>
    new Promise((resolve) => {
      sign = () => resolve(undefined);
    });
  const failing = failureOf(b.calls.call(caller, 'auth', { ...get, timeout: 1000 }));
  b.pass(2000);
  const failure = await failing;
  assert.equal([failure.error, failure.cause], ['upstream/timeout', 'call timeout while a policy signs the request']);
  const parent = b.parent();
  const ended = failureOf(b.calls.call(caller, 'auth', withExchange(get, parent)));
  parent.end();
  assert.is((await ended).error, 'downstream/aborted');
  sign();
  await Promise.resolve();
  assert.is(target.connections, 0);
  assert.is(b.sums('auth').failures, 0);
});

test('a credential of gw does not take the place of a field that a policy has given to its call', async () => {
  const { bed: b, target } = await bed(ok('done'));
  b.show = (attempt) => {
    attempt.set('authorization', 'Basic of-gw');
    return undefined;
  };
  const own: CallRequest = { ...get, headers: [['Authorization', 'Bearer of-client']] };
  const failure = await failureOf(b.calls.call(caller, 'auth', own));
  const cause = 'a policy failed before an attempt: the call has a field authorization of its own';
  assert.equal([failure.error, failure.cause, target.arrived.length], ['policy/failed', cause, 0]);
  // An action passes on what its client sent.
  await b.calls.call({ name: 'action', acts: true }, 'auth', own);
  assert.is(target.arrived[0]!.header('authorization'), 'Basic of-gw');
});

test.run();
