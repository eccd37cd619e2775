import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BodyStage, Reply } from '../../src/policies/contract.js';
import { declarationOf } from '../../src/policies/registry.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { EventUnits, LineUnits, type Units } from '../../src/policies/transform/body/units.js';
import { until } from '../support/until.js';
import { create, decode, exchange, lint } from './support.js';

const cut = (units: Units, parts: readonly string[]): string[] => {
  const found: string[] = [];
  for (const part of parts) {
    const bytes = Buffer.from(part);
    const complete = units.add(bytes);
    if (complete === undefined) return [...found, '(too long)'];
    // The caller uses its memory again.
    bytes.fill('#');
    found.push(...complete.map((unit) => Buffer.from(unit).toString()));
  }
  const rest = units.rest();
  return rest === undefined ? found : [...found, `(${Buffer.from(rest).toString()})`];
};

test('lines and events are cut in the same places, however their bytes come', () => {
  for (const [make, text, units] of [
    [() => new LineUnits(50), 'a\nbc\r\n\nd', ['a\n', 'bc\r\n', '\n', '(d)']],
    [
      () => new EventUnits(50),
      'data: a\n\n: c\r\n\r\ndata: b\r\rdata:x\ndata:y\n\nevent: z',
      ['data: a\n\n', ': c\r\n\r\n', 'data: b\r\r', 'data:x\ndata:y\n\n', '(event: z)'],
    ],
  ] as const) {
    assert.equal(cut(make(), [text]), units);
    assert.equal(cut(make(), [...text]), units);
    for (let at = 1; at < text.length; at++) assert.equal(cut(make(), [text.slice(0, at), text.slice(at)]), units);
  }
  assert.equal(cut(new LineUnits(3), ['ab\nabc\n']), ['(too long)']);
  assert.equal(cut(new LineUnits(3), ['ab', 'cd']), ['(too long)']);
});

test('the data of an event', () => {
  const units = new EventUnits(100);
  const documentOf = (event: string): string | undefined => {
    const found = units.document(Buffer.from(event));
    return found === undefined ? undefined : Buffer.from(found).toString();
  };
  for (const [event, data] of [
    ['data: 1\n\n', '1'],
    ['data:1\n\n', '1'],
    ['\ufeffdata:1\n\n', '1'],
    ['data: [1,\ndata\ndata: 2]\n\n', '[1,\n\n2]'],
    ['event: x\n\n', undefined],
    [': data: 1\n\n', undefined],
    ['data: [DONE]\n\n', undefined],
    ['datax: 1\n\n', undefined],
  ] as const)
    assert.is(documentOf(event), data, event);
  assert.throws(() => units.document(Buffer.from([0x64, 0xff])), /not UTF-8/);
  const written = units.written(Buffer.from('id: 1\r\ndata: a\r\ndata: b\r\nevent: x\r\n\r\n'), '{}');
  assert.is(Buffer.from(written).toString(), 'id: 1\ndata: {}\nevent: x\n\n');
});

/** A stage of a reply, and what it has written. */
function stageOf(text: string, type = 'application/x-ndjson') {
  const policy = create('transform', text);
  const headers = new HeaderMap([['content-type', type]]);
  const reply: Reply = new BytesReply(200, { headers });
  const on = exchange();
  policy.after!(on, reply);
  const state = {
    written: '',
    ended: false,
    refused: '',
    resumed: 0,
    room: true,
    onRoom: undefined as (() => void) | undefined,
  };
  const out = {
    write(bytes: Uint8Array) {
      state.written += Buffer.from(bytes).toString();
      return state.room;
    },
    end() {
      state.ended = true;
    },
    fail() {},
    refuse(cause: string) {
      state.refused = cause;
    },
    onWritable(callback: () => void) {
      state.onRoom = callback;
    },
    resume() {
      state.resumed++;
    },
  };
  assert.is(policy.readsReply!(on, reply), 'stream');
  return { stage: policy.replyStage!(on, reply, out) as BodyStage, state };
}

test('a stage pauses its source while a program runs, and while the receiver is full', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "n"');
  assert.is(stage.write(Buffer.from('{"n":1}\n{"n":2}\n')), false);
  await until(() => state.resumed === 1, 'the source to go on');
  assert.is(state.written, '1\n2\n');
  state.room = false;
  assert.is(stage.write(Buffer.from('{"n":3}\n')), false);
  await until(() => state.onRoom !== undefined, 'the stage to wait for room');
  assert.is(state.resumed, 1);
  state.room = true;
  state.onRoom!();
  assert.is(state.resumed, 2);
  stage.end(undefined);
  assert.ok(state.ended);
});

test('a stage that is aborted while a program runs writes nothing more', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "n"');
  stage.write(Buffer.from('{"n":1}\n'));
  stage.abort('the client has left');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal([state.written, state.ended, state.resumed], ['', false, 0]);
});

test('the end of a body waits for the program', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "n"', 'text/event-stream');
  stage.write(Buffer.from('data: {"n":1}\n\ndata: {"n":'));
  stage.end(undefined);
  await until(() => state.refused !== '', 'the stage to refuse');
  assert.is(state.written, 'data: 1\n\n');
  assert.match(state.refused, /not valid JSON/);
  assert.is(state.ended, false);
});

test('programs are checked where they are written', () => {
  for (const [text, ...found] of [
    ['request.body.jsonata = "$request.headers.x"'],
    ['request.body.jsonata = "$reply.status"', 'transform/jsonata request.body.jsonata'],
    ['reply.body.jsonata = "$reply.status + $request.body"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.jsonata = "$claims.any.thing"'],
    ['reply.body.jsonata = "$eval(x)"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.jsonata = "{"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.on_invalid = "pass"', 'transform/no-edit reply.body'],
  ] as const)
    assert.equal(lint('transform', text, { routes: [] }), found, text);
  const route = { name: 'r', params: [], path: '/r', schemes: ['http'] as const };
  for (const [methods, ...found] of [[['GET'], 'transform/no-body request.body'], [['GET', 'POST']], [[]]] as const)
    assert.equal(lint('transform', 'request.body.jsonata = "1"', { routes: [{ ...route, methods }] }), found);
});

test('requestFacts: what programs read of requests', () => {
  const { config } = decode(
    'transform',
    `request.body.jsonata = '[$request.headers."x-a", $request.headers.host, $request.query.q, $request.path, $claims.sub, $client.ip]'
reply.body.jsonata = '[$request.headers, $request.params.id, $consumer, $reply.status, $route.name, $request.id]'`,
  );
  assert.equal(
    declarationOf('transform')!.requestFacts!(config).map(({ kind, name, at }) => [kind, name, at[0]]),
    [
      ['field', 'x-a', 'request'],
      ['host', undefined, 'request'],
      ['query', 'q', 'request'],
      ['claims', 'sub', 'request'],
      ['client', undefined, 'request'],
      ['field', undefined, 'reply'],
      ['param', 'id', 'reply'],
      ['consumer', undefined, 'reply'],
      ['id', undefined, 'reply'],
    ],
  );
  const whole = decode('transform', 'reply.body.jsonata = "$request"').config;
  assert.equal(
    declarationOf('transform')!.requestFacts!(whole).map(({ kind }) => kind),
    ['anything'],
  );
});

test('bodies that may pass unchanged need not reach the hooks', () => {
  const bodyOf = (text: string) => declarationOf('transform')!.body!(decode('transform', text).config);
  assert.equal(bodyOf('request.path = "/x"'), {});
  assert.equal(bodyOf('reply.body = { jsonata = "1", max_body = "1KiB" }'), { reply: { max: 1024, mandatory: true } });
  assert.equal(bodyOf('request.body = { jsonata = "1", on_invalid = "pass" }'), {
    request: { max: 1048576, mandatory: false },
  });
});

test.run();
