import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BodyStage, Reply } from '../../src/policies/contract.js';
import { parsePath } from '../../src/policies/kits/json-edit/index.js';
import { declarationOf } from '../../src/policies/registry.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { mapTexts } from '../../src/policies/transform/body/members.js';
import { turn, until } from '../support/until.js';
import { create, decode, exchange, lint, type World, world } from './support.js';

test('simple forms: pick, omit, rename, set, in this order', async () => {
  const consumer = { name: 'acme', groups: [], credentials: [], tags: {} };
  const run = async (edits: string, body: string, known = false): Promise<string> => {
    const policy = create('transform', edits.replaceAll(/^/gm, 'request.body.'));
    const on = exchange({
      method: 'POST',
      headers: [['content-type', 'application/json']],
      params: { id: '7' },
      ...(known ? { consumer } : {}),
    });
    Object.assign(on, { hasBody: true });
    policy.before!(on);
    const made = await policy.onRequestBody!(on, Buffer.from(body));
    return made instanceof Uint8Array ? Buffer.from(made).toString() : JSON.stringify(made);
  };
  const body =
    '{"id":9007199254740993,"user":{"name":"n","password":"p"},"items":[{"price":1.10,"x":1},{"price":2,"x":2}],"__proto__":{"a":1}}';
  assert.is(
    await run('pick = ["id", "items[*].price"]', body),
    '{"id":9007199254740993,"items":[{"price":1.10},{"price":2}]}'.replace('1.10', '1.1'),
  );
  assert.is(
    await run('omit = ["user.password", "items[0]", "items[*].x", "id"]', body),
    '{"user":{"name":"n"},"items":[{"price":2}],"__proto__":{"a":1}}',
  );
  assert.is(
    await run('rename = { "user.name" = "first", user = "person" }', '{"user":{"name":1}}'),
    '{"person":{"first":1}}',
  );
  const set = 'set = { "meta.who" = "{consumer.name}", id = "{id}", n = 5, ok = true, empty = "" }';
  assert.is(await run(set, '{"id":1}', true), '{"id":"7","meta":{"who":"acme"},"n":5,"ok":true,"empty":""}');
  assert.is(
    await run('set = { a = 15, b = ["{{id}}", 2, { c = true }], d = { "$ref" = "x", e.f = [] } }', '{"a":1}'),
    '{"a":15,"b":["{id}",2,{"c":true}],"d":{"$ref":"x","e":{"f":[]}}}',
  );
  const nested =
    'set = { b = ["{id}", 2, { c = "{consumer.name}", __proto__ = "p{id}", d = [""] }], c = { "$ref" = "{id}" } }';
  assert.is(
    await run(nested, '{"a":1}', true),
    '{"a":1,"b":["7",2,{"c":"acme","__proto__":"p7","d":[""]}],"c":{"$ref":"7"}}',
  );
  assert.is(await run(nested, '{"b":"forged"}'), '{"b":["7",2,{"c":null,"__proto__":"p7","d":[""]}],"c":{"$ref":"7"}}');
  // Without a value, a client cannot supply one.
  assert.is(
    await run(set, '{"id":1,"meta":{"who":"forged"}}'),
    '{"id":"7","meta":{"who":null},"n":5,"ok":true,"empty":""}',
  );
});

test('links in JSON are mapped where paths lead', () => {
  const map = (text: string): string => `[${text}]`;
  for (const [path, value, expected] of [
    ['a', { a: 'x', b: 'y' }, { a: '[x]', b: 'y' }],
    ['a[*].b', { a: [{ b: 'x' }, { b: 1 }, 'x'] }, { a: [{ b: '[x]' }, { b: 1 }, 'x'] }],
    ['a[-1]', { a: ['x', 'y'] }, { a: ['x', '[y]'] }],
    ['*.b', { a: { b: 'x' } }, { a: { b: '[x]' } }],
    ['a[5]', { a: ['x'] }, { a: ['x'] }],
    ['a.b', { a: 'x' }, { a: 'x' }],
  ] as const) {
    const steps = parsePath(path);
    if ('error' in steps) throw new Error(steps.error);
    assert.equal(mapTexts(value, steps, 0, map), expected, path);
  }
  const shared = { a: 1 };
  const [step] = [parsePath('b')];
  assert.is(mapTexts(shared, step as readonly string[], 0, map), shared);
});

/** A stage of a reply, or of a request, and what it has written. */
function stageOf(text: string, type = 'application/x-ndjson', around = world()) {
  const policy = create('transform', text, around);
  const ofRequest = text.startsWith('request');
  const headers = [['content-type', type]] as const;
  const reply: Reply = new BytesReply(200, { headers: new HeaderMap(headers) });
  const on = exchange(ofRequest ? { method: 'POST', headers } : {});
  Object.assign(on, { hasBody: ofRequest });
  if (ofRequest) policy.before?.(on);
  else policy.after!(on, reply);
  const state = {
    written: '',
    ended: false,
    refused: '',
    status: undefined as number | undefined,
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
    refuse(cause: string, instead?: Reply) {
      state.refused = cause;
      state.status = instead?.status;
    },
    onWritable(callback: () => void) {
      state.onRoom = callback;
    },
    resume() {
      state.resumed++;
    },
  };
  assert.is(ofRequest ? policy.readsRequest!(on) : policy.readsReply!(on, reply), 'stream');
  const stage = ofRequest ? policy.requestStage!(on, out) : policy.replyStage!(on, reply, out);
  return { stage: stage as BodyStage, state };
}

test('a stage pauses its source while a program runs, and while the receiver is full', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "$sum(n)"');
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
  const { stage, state } = stageOf('reply.body.jsonata = "$sum(n)"');
  stage.write(Buffer.from('{"n":1}\n'));
  stage.abort('the client has left');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal([state.written, state.ended, state.resumed], ['', false, 0]);
});

test('very many lines in one part of a body are transformed in linear time', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "n"');
  const count = 20_000;
  stage.write(Buffer.from('{}\n'.repeat(count - 1)));
  stage.write(Buffer.from('{"n":1}\n'));
  stage.end(undefined);
  await until(() => state.ended, 'the end');
  assert.is(state.written, '1\n');
});

/** Each look at its clock takes a millisecond. */
function slowWorld(): World {
  let now = 1_000_000;
  return Object.defineProperty(world(), 'now', { get: () => now++ });
}

/** How often the event loop has gone round before the work is done. */
async function turnsIn(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await work();
  done = true;
  return turns;
}

test('very many lines let other exchanges run in between', async () => {
  const lines = '1\n'.repeat(100);
  for (const text of ['request.body.jsonata = "$"', 'reply.body.jsonata = "$"', 'reply.body.omit = ["x"]']) {
    const { stage, state } = stageOf(text, undefined, slowWorld());
    const ended = async (): Promise<void> => {
      stage.write(Buffer.from(lines));
      while (state.resumed === 0) await turn();
    };
    assert.ok((await turnsIn(ended)) > 5, text);
    assert.is(state.written, lines);
  }
});

test('the work for the lines of a request is bounded', async () => {
  const { stage, state } = stageOf('request.body.jsonata = "$"', undefined, slowWorld());
  stage.write(Buffer.from('1\n'.repeat(10_000)));
  await until(() => state.refused !== '', 'the stage to refuse');
  assert.equal([state.refused, state.status], ['the lines take too much time for their size', 400]);
  // Each of these lines may take longer.
  const long = stageOf('request.body.jsonata = "1"', undefined, slowWorld());
  long.stage.write(Buffer.from(`"${'x'.repeat(2000)}"\n`.repeat(2000)));
  long.stage.end(undefined);
  await until(() => long.state.ended, 'the end');
  assert.is(long.state.written, '1\n'.repeat(2000));
});

test('a line of a request that is too long: 413', () => {
  const { stage, state } = stageOf('request.body = { omit = ["x"], max_body = "10B" }');
  stage.write(Buffer.from('{"x":1}\n{"y":"12345678"}\n{}\n'));
  assert.equal([state.written, state.refused, state.status], ['{}\n', 'a line or event has more than 10 bytes', 413]);
});

test('the end of a body waits for the program', async () => {
  const { stage, state } = stageOf('reply.body.jsonata = "n"', 'text/event-stream');
  stage.write(Buffer.from('data: {"n":1}\n\ndata: {"n":\n\n'));
  stage.end(undefined);
  await until(() => state.refused !== '', 'the stage to refuse');
  assert.is(state.written, 'data: 1\n\n');
  assert.match(state.refused, /not valid JSON/);
  assert.is(state.ended, false);
});

test('templates in lists and tables of set are checked, and say what they read', () => {
  const text =
    'reply.body.set = { a = ["x", { b = "{consumer.nam}" }], c.d = "{request.header.x}", e = ["{client.ip}"] }';
  assert.equal(lint('transform', text), ['template/unknown-variable reply.body.set.a.1.b']);
  assert.is(decode('transform', 'reply.body.set.a = [{ b = "{" }]').errors.length, 1);
  const facts = declarationOf('transform')!.requestFacts!(decode('transform', text).config);
  assert.equal(
    facts.map(({ kind, at }) => [kind, at.join('/')]),
    [
      ['consumer', 'reply/body/set/a/1/b'],
      ['field', 'reply/body/set/c/d'],
      ['client', 'reply/body/set/e/0'],
    ],
  );
});

test('programs are checked where they are written', () => {
  for (const [text, ...found] of [
    ['reply.body.jsonata = "$request.headers.x"'],
    [
      'request.body.jsonata = "$reply.status"',
      'transform/jsonata request.body.jsonata',
      'transform/no-body request.body',
    ],
    ['reply.body.jsonata = "$reply.status + $request.body"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.jsonata = "$claims.any.thing"'],
    ['reply.body.jsonata = "$eval(x)"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.jsonata = "{"', 'transform/jsonata reply.body.jsonata'],
    ['reply.body.on_invalid = "pass"', 'transform/no-edit reply.body'],
    ['reply.body = { jsonata = "1", omit = ["a"] }', 'transform/conflict reply.body.omit'],
    ['reply.body = { omit = ["a"], set = { a = "1" } }', 'transform/conflict reply.body.omit.0'],
    ['reply.body.links = ["a"]', 'transform/conflict reply.body.links'],
    ['reply = { links = {}, body.links = ["a..b"] }', 'transform/member reply.body.links.0'],
    ['reply.body.pick = ["a", "b["]', 'transform/member reply.body.pick.1'],
    ['reply.body.rename = { "a[0]" = "b" }', 'transform/member reply.body.rename.a[0]'],
    ['reply.body.set = { a = "{reply.status}", b = "{nope.x}" }', 'template/unknown-variable reply.body.set.b'],
  ] as const)
    assert.equal(lint('transform', text), found, text);
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
