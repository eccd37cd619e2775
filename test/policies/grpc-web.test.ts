import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BodyStage, Decision, HeaderFields, Reply, StageOut } from '../../src/policies/contract.js';
import { webType } from '../../src/policies/grpc-web/media.js';
import { PROBLEMS } from '../../src/policies/grpc-web/problems.js';
import { ReplyStage, RequestStage } from '../../src/policies/grpc-web/stages.js';
import { BytesReply, HeaderMap, problem } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { contractChecks } from '../../src/testing/checks.js';
import type { Subject } from '../../src/testing/subject.js';
import { fromBase64, grpcFrame, readGrpcFrames } from '../support/grpc-frames.js';
import { seededBelow } from '../support/random.js';
import { before, create, exchange, type Given, targetReply } from './support.js';

const TEXT = 'application/grpc-web-text';
const BINARY = 'application/grpc-web+proto';

const post = (contentType: string, more: readonly (readonly [string, string])[] = []): Given => ({
  method: 'POST',
  headers: [['content-type', contentType], ...more],
});

/** What a stage writes. */
class Sink implements StageOut {
  readonly parts: Buffer[] = [];
  trailers: HeaderFields | undefined;
  ended = false;
  refused: string | undefined;
  reply: Reply | undefined;

  write(bytes: Uint8Array): boolean {
    assert.not.ok(this.ended, 'write after the end');
    this.parts.push(Buffer.from(bytes));
    return true;
  }
  end(trailers?: HeaderFields): void {
    // As in a chain, nothing counts behind a refusal.
    if (this.refused !== undefined) return;
    this.ended = true;
    this.trailers = trailers;
  }
  fail(cause: string): void {
    throw new Error(cause);
  }
  refuse(cause: string, reply?: Reply): void {
    this.refused ??= cause;
    this.reply ??= reply;
  }
  onWritable(): void {}
  resume(): void {}
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Random parts of a body, some of them empty. A part is overwritten once the stage has had it. */
function pour(stage: BodyStage, body: Uint8Array, below: (most: number) => number, trailers?: HeaderFields): void {
  for (let at = 0; at < body.length; ) {
    const part = Uint8Array.from(body.subarray(at, at + below(below(2) === 0 ? 4 : 40)));
    at += part.length;
    stage.write(part);
    part.fill(0x3d);
  }
  stage.end(trailers);
}

const refusal = (): Reply => new BytesReply(400);

const trailersOf = (...fields: (readonly [string, string])[]): HeaderMap => new HeaderMap(fields);

// ---------------------------------------------------------------- stages

test('base64 in any parts, padded wherever the client flushed, becomes the same bytes', () => {
  for (let seed = 0; seed < 300; seed++) {
    const below = seededBelow(seed);
    const pieces = Array.from({ length: below(5) }, () =>
      Buffer.from(Array.from({ length: below(30) }, () => below(256))),
    );
    const text = Buffer.from(pieces.map((piece) => piece.toString('base64')).join(''));
    const sink = new Sink();
    pour(new RequestStage(sink, refusal), text, below, trailersOf(['x-a', '1']));
    assert.is(sink.refused, undefined, `seed ${seed}`);
    assert.equal(sink.bytes, Buffer.concat(pieces), `seed ${seed}`);
    assert.is(sink.trailers?.get('x-a'), '1');
  }
});

test('what is not base64 is refused, in whatever parts it comes', () => {
  for (const text of [
    'A',
    'AA',
    'AAA',
    'AAAAA',
    '=',
    'A=',
    'A===',
    'AA=A',
    'AA=',
    'AAA=A',
    '====',
    'AAAA=',
    'A A=',
    'AA-_',
    'AA==\n',
    'AB==',
    'AAB=',
    'é',
  ])
    for (let seed = 0; seed < 5; seed++) {
      const sink = new Sink();
      pour(new RequestStage(sink, refusal), Buffer.from(text), seededBelow(seed));
      assert.ok(sink.refused, JSON.stringify(text));
      assert.is(sink.reply?.status, 400);
      assert.not.ok(sink.ended, JSON.stringify(text));
    }
});

test('a reply in any parts keeps its messages, and its trailers are the last frame', () => {
  for (let seed = 0; seed < 300; seed++) {
    const below = seededBelow(seed);
    const messages = Array.from({ length: below(5) }, () => 'm'.repeat(below(60)));
    const body = Buffer.concat(messages.map((message) => grpcFrame(message, below(2))));
    for (const text of [false, true]) {
      const sink = new Sink();
      const trailers = trailersOf(['grpc-status', '0'], ['x-b-bin', 'AAE='], ['x-b-bin', 'AAI=']);
      pour(new ReplyStage(sink, { text, hasStatus: false }), body, below, trailers);
      const output = text ? fromBase64(sink.bytes.toString()) : sink.bytes;
      const frames = readGrpcFrames(output);
      assert.equal(frames.messages, messages, `seed ${seed}`);
      assert.is(frames.trailers, 'grpc-status: 0\r\nx-b-bin: AAE=\r\nx-b-bin: AAI=\r\n');
      assert.ok(sink.ended);
      assert.is(sink.trailers, undefined);
      assert.equal(output.subarray(0, body.length), body);
    }
  }
});

test('a whole message is readable at once as text, and padding stands only behind messages', () => {
  const sink = new Sink();
  const stage = new ReplyStage(sink, { text: true, hasStatus: false });
  const message = grpcFrame('ab');
  stage.write(message.subarray(0, 4));
  stage.write(message.subarray(4));
  assert.equal(sink.parts.map(String), [message.toString('base64').slice(0, 4), message.toString('base64').slice(4)]);
  stage.write(Buffer.concat([message, message.subarray(0, 2)]));
  assert.is(String(sink.parts.at(-1)), message.toString('base64'));
});

test('a reply without a grpc-status ends with UNKNOWN; one with it in the head has no frame', () => {
  const ends = (trailers: HeaderFields | undefined, hasStatus: boolean): string => {
    const sink = new Sink();
    new ReplyStage(sink, { text: false, hasStatus }).end(trailers);
    assert.ok(sink.ended);
    return sink.bytes.toString('latin1', 5);
  };
  const unknown = 'grpc-status: 2\r\ngrpc-message: the reply has no grpc-status\r\n';
  assert.is(ends(undefined, false), unknown);
  assert.is(ends(trailersOf(['x-a', '1']), false), `x-a: 1\r\n${unknown}`);
  assert.is(ends(undefined, true), '');
});

test('a reply that is not gRPC, ends within a message, or has huge trailers is refused', () => {
  const refused = (write: (stage: ReplyStage) => void): string | undefined => {
    const sink = new Sink();
    write(new ReplyStage(sink, { text: true, hasStatus: false }));
    assert.not.ok(sink.ended);
    return sink.refused;
  };
  assert.match(refused((stage) => stage.write(grpcFrame('x', 0x80))) ?? '', 'not gRPC');
  const halves = (stage: ReplyStage): void => {
    stage.write(grpcFrame('abc').subarray(0, 6));
    stage.end(trailersOf(['grpc-status', '0']));
  };
  assert.match(refused(halves) ?? '', 'within a message');
  const huge = trailersOf(['grpc-status', '0'], ['x-a', 'a'.repeat(70_000)]);
  assert.match(refused((stage) => stage.end(huge)) ?? '', 'too long');
});

// ---------------------------------------------------------------- heads

test('only the media types of gRPC-Web are translated', () => {
  assert.equal(webType('application/grpc-web'), { text: false, suffix: '' });
  assert.equal(webType('Application/gRPC-Web+proto; charset=utf-8'), { text: false, suffix: '+proto' });
  assert.equal(webType('application/grpc-web-text+thrift'), { text: true, suffix: '+thrift' });
  assert.equal(webType('application/grpc-web-text-base64'), { text: true, suffix: '' });
  for (const other of [
    undefined,
    '',
    'application/grpc',
    'application/grpc+proto',
    'application/grpc-webx',
    'application/grpc-web/x',
  ])
    assert.is(webType(other), undefined);
});

test('the head of a request becomes one of gRPC', () => {
  const decisions: Decision[] = [];
  const on = exchange({
    ...post('application/grpc-web-text+proto', [
      ['accept', TEXT],
      ['x-grpc-web', '1'],
      ['x-user-agent', 'grpc-web-javascript/0.1'],
      ['user-agent', 'Mozilla/5.0'],
      ['x-tenant', 'a'],
    ]),
    decisions,
  });
  const policy = create('grpc-web', '');
  assert.is(before(policy, on), undefined);
  assert.equal([...on.headers.entries()].sort(), [
    ['content-type', 'application/grpc+proto'],
    ['user-agent', 'grpc-web-javascript/0.1 Mozilla/5.0'],
    ['x-tenant', 'a'],
  ]);
  assert.is(policy.readsRequest?.(on), 'stream');
  assert.match(decisions[0]!.why, 'text gRPC-Web to gRPC');
});

test('other requests, and replies to them, pass', () => {
  const policy = create('grpc-web', '');
  for (const given of [{ ...post(BINARY), method: 'GET' }, post('application/grpc'), post('application/json')]) {
    const on = exchange(given);
    assert.is(before(policy, on), undefined);
    assert.equal([...on.headers.entries()], given.headers);
    const reply = targetReply([['content-type', 'application/grpc']]);
    policy.after?.(on, reply);
    assert.is(reply.headers.get('content-type'), 'application/grpc');
    assert.is(policy.readsRequest?.(on), false);
    assert.is(policy.readsReply?.(on, reply), false);
  }
});

test('the media type of a reply follows Accept, and otherwise that of the request', () => {
  const policy = create('grpc-web', '');
  const typeOf = (sent: string, accept: string | undefined, given = 'application/grpc'): string | undefined => {
    const on = exchange(post(sent, accept === undefined ? [] : [['accept', accept]]));
    assert.is(before(policy, on), undefined);
    const reply = targetReply([['content-type', given]]);
    policy.after?.(on, reply);
    assert.is(policy.readsReply?.(on, reply), 'stream');
    return reply.headers.get('content-type');
  };
  assert.is(typeOf(BINARY, undefined), BINARY);
  assert.is(typeOf(BINARY, '*/*'), BINARY);
  assert.is(typeOf(BINARY, TEXT), `${TEXT}+proto`);
  assert.is(typeOf(TEXT, '*/*', 'application/grpc+proto'), `${TEXT}+proto`);
  assert.is(typeOf(TEXT, 'application/grpc-web'), 'application/grpc-web');
});

test('errors of gw have status 200 and a status of gRPC; replies of targets that are not gRPC pass', () => {
  const policy = create('grpc-web', '');
  const on = exchange(post(TEXT));
  const refused = problem(on, {
    status: 429,
    code: 'limit/exceeded',
    title: 'Too many',
    detail: '100 % of 5 €',
    headers: { 'retry-after': '3' },
  });
  policy.after?.(on, refused);
  assert.is(refused.status, 200);
  assert.is(refused.body, null);
  assert.equal([...refused.headers.entries()].sort(), [
    ['cache-control', 'no-store'],
    ['content-type', TEXT],
    ['grpc-message', 'Too many: 100 %25 of 5 %E2%82%AC'],
    ['grpc-status', '8'],
    ['retry-after', '3'],
  ]);
  const page = new BytesReply(503, { body: 'down' });
  policy.after?.(on, page);
  assert.is(page.status, 503);
  assert.is(policy.readsReply?.(on, page), false);
});

test('a content coding of the request is refused', () => {
  const reply = before(create('grpc-web', ''), exchange(post(BINARY, [['content-encoding', 'gzip']])))!;
  assert.is(reply.status, 200);
  assert.is(reply.code, 'grpc-web/content-coding');
  assert.is(reply.headers.get('grpc-status'), '12');
  assert.is(reply.headers.get('content-type'), BINARY);
});

// ---------------------------------------------------------------- the contract

const BODY = Buffer.concat([grpcFrame('first'), grpcFrame(''), grpcFrame('m'.repeat(700))]);

/** Calls and replies that reach the stages. */
const CASES = {
  requests: [
    { method: 'POST', headers: { 'content-type': TEXT, 'x-user-agent': 'a' }, body: BODY.toString('base64') },
    { method: 'POST', headers: { 'content-type': BINARY, 'content-encoding': 'br' }, body: BODY },
  ],
  replies: [
    { headers: { 'content-type': 'application/grpc' }, body: BODY, trailers: { 'grpc-status': '0' } },
    { headers: { 'content-type': 'application/grpc', 'grpc-status': '5' } },
  ],
};

const subject: Subject = {
  name: 'web',
  settings: {},
  create: runHalves['grpc-web']!,
  codes: new Set(Object.values(PROBLEMS).map(({ code }) => code)),
  calls: [],
  members: new Map(),
  collects: { request: false, reply: false },
};

for (const { name, run } of contractChecks(subject, CASES)) test(`with calls: ${name}`, run);

test.run();
