import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CreatePolicy, Exchange, PolicyInstance, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { runHalves } from '../../../src/policies/run-registry.js';
import { sayAndClose } from '../../support/fault-target.js';
import { FaultTarget, generationOf, ok, Plane, say, specOf, until } from '../engine-kit.js';

/** What the policy under test does. */
let policy: PolicyInstance = {};
const create: CreatePolicy = () => ({
  before: (exchange) => policy.before?.(exchange),
  after: (exchange, reply) => policy.after?.(exchange, reply),
});
/** Delays a decision until the request has been read. */
const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(() => resolve(value), 5));

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('policies in the proxy');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Loads `spec` with the policy on every route. */
async function load(plane: Plane, spec: string): Promise<void> {
  const input = generationOf(spec, plane.registry, 9);
  const entry = {
    use: 'test-policy',
    name: 'w',
    phase: 'transform',
    identity: 'w',
    settings: null,
    config: {},
    origins: {},
  } as const;
  const routes = input.program.routes.map((route) => ({ ...route, policies: [0] }));
  await plane.plane.load({ ...input, program: { ...input.program, policies: [entry], routes } });
}

test.before.each(async (context) => {
  Object.assign(runHalves, { 'test-policy': create });
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url));
  await load(context.plane, specOf(context.target.url));
  policy = {};
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

test('replies with any kind of body pass an asynchronous policy', async ({ target, plane }) => {
  policy = {
    before: () => later(undefined),
    after: (_exchange, reply) => void reply.headers.set('x-edited', 'yes'),
  };
  const client = plane.client();
  const big = 'x'.repeat(300_000);
  for (const [reply, body] of [
    ['Content-Length: 2\r\n\r\nok', 'ok'],
    ['Content-Length: 0\r\n\r\n', ''],
    ['Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 'ok'],
    [`Content-Length: ${big.length}\r\n\r\n${big}`, big],
  ] as const) {
    target.respond = say(`HTTP/1.1 200 OK\r\n${reply}`);
    client.send(GET);
    const got = await client.reply();
    assert.is(got.body.toString(), body);
    assert.is(got.header('x-edited'), 'yes');
  }
  assert.is(target.connections, 1);
  client.destroy();
});

test('a policy can replace the body of a reply', async ({ target, plane }) => {
  policy = {
    after: (_exchange, reply) => {
      reply.headers.set('x-edited', 'yes');
      reply.body = Buffer.from('mine');
    },
  };
  target.respond = ok('theirs', 'X-Kept: 1\r\n');
  const reply = await plane.ask(GET);
  assert.is(reply.body.toString(), 'mine');
  assert.is(reply.header('x-edited'), 'yes');
  assert.is(reply.header('x-kept'), '1');
  assert.is(reply.header('content-length'), '4');
});

test('a policy can replace the reply of the target', async ({ target, plane }) => {
  policy = { after: () => new BytesReply(503, { body: 'mine' }) };
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX-Theirs: 1\r\n\r\nnever whole');
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, 503);
    assert.is(reply.body.toString(), 'mine');
    assert.is(reply.header('x-theirs'), undefined);
  }
  await until(() => target.open === 0, 'the target connection to be closed');
  client.destroy();
});

test('a 101 can be edited in place; one that replaces it names no protocol: 500', async ({ target, plane }) => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n';
  target.respond = say(head);
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n';
  policy = { after: (_exchange, reply) => void reply.headers.set('x-edited', 'yes') };
  const edited = await plane.ask(request);
  assert.equal(
    ['connection', 'upgrade', 'x-edited'].map((name) => edited.header(name)),
    ['upgrade', 'echo/1', 'yes'],
  );
  assert.is(edited.status, 101);
  policy = { after: (_exchange, { body }) => ({ ...new BytesReply(101), body }) };
  assert.is((await plane.ask(request)).status, 500);
  await until(() => target.open === 0, 'the target connections to be closed');
});

test('a replacing reply can keep the body of the target', async ({ target, plane }) => {
  policy = { after: (_exchange, { body }) => ({ ...new BytesReply(201), body }) };
  target.respond = ok('theirs');
  const reply = await plane.ask(GET);
  assert.is(reply.status, 201);
  assert.is(reply.body.toString(), 'theirs');
});

test('an invalid reply from a policy: 500', async ({ plane }) => {
  for (const status of [0, 99, 101, 199, 600, 200.5]) {
    policy = { before: () => new BytesReply(status) };
    assert.is((await plane.ask(GET)).status, 500, `before: ${status}`);
    policy = { before: () => later(new BytesReply(status)) };
    assert.is((await plane.ask(GET)).status, 500, `later: ${status}`);
    policy = {
      after: (_exchange, reply) => {
        reply.status = status;
      },
    };
    assert.is((await plane.ask(GET)).status, 500, `after: ${status}`);
  }
});

test('a result from a policy that is not a reply: 500', async ({ plane }) => {
  const nothing: unknown[] = [null, 5, {}, { status: 200, body: null }];
  for (const answer of nothing) {
    policy = { before: () => answer as Reply };
    assert.is((await plane.ask(GET)).status, 500, `at once: ${JSON.stringify(answer)}`);
    policy = { before: () => later(answer as Reply) };
    assert.is((await plane.ask(GET)).status, 500, `later: ${JSON.stringify(answer)}`);
    if (answer === null) continue;
    policy = { after: () => answer as Reply };
    assert.is((await plane.ask(GET)).status, 500, `after: ${JSON.stringify(answer)}`);
  }
});

test('an unsendable reply from after(): 500, also in place of a reply of gw', async ({ target, plane }) => {
  const bodies: unknown[] = ['text', 5, {}];
  const replies: unknown[] = [{ status: 200, headers: [], body: null }];
  for (const after of [
    ...bodies.map((body) => (_exchange: Exchange, reply: Reply) => void Object.assign(reply, { body })),
    ...replies.map((reply) => () => reply as Reply),
  ]) {
    policy = { after };
    for (const fault of [ok('hello'), sayAndClose()]) {
      target.respond = fault;
      assert.is((await plane.ask(GET)).status, 500);
    }
  }
  await until(() => plane.records.length === 8, 'the records');
  assert.ok(plane.records.every(({ error }) => error === 'policy/failed'));
});

test('a client that disconnects while a policy waits causes no unhandled rejection', async ({ target, plane }) => {
  let fail = (_error: Error): void => {};
  let waiting = 0;
  policy = {
    before: () =>
      new Promise((_resolve, reject) => {
        waiting++;
        fail = reject;
      }),
  };
  const client = plane.client();
  client.send(GET);
  await until(() => waiting === 1, 'the policy to wait');
  client.socket.resetAndDestroy();
  assert.ok(await plane.record(({ error }) => error === 'downstream/aborted'));
  fail(new Error('late'));
  const other = plane.client();
  other.send(GET);
  await until(() => waiting === 2, 'the policy to wait');
  await plane.plane.drain(30);
  await until(() => other.closed, 'the connection to be closed');
  assert.is(target.arrived.length, 0);
  assert.not.ok(plane.logs.some(({ level }) => level === 'error'));
});

test('a policy that continues after the end of its exchange does not affect later exchanges', async (context) => {
  const { target, plane } = context;
  const gates: (() => void)[] = [];
  const seen: number[] = [];
  policy = {
    before: () =>
      new Promise((resolve) => {
        gates.push(() => resolve(undefined));
      }),
    after: (_exchange, reply) => void seen.push(reply.status),
  };
  await load(plane, specOf(target.url, { route: 'timeout = "50ms"' }));
  const client = plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 504);
  // Its before() has not returned yet.
  assert.equal(seen, []);
  policy = {};
  await load(plane, specOf(target.url));
  let answer = (): void => {};
  target.respond = (request, socket) => {
    answer = () => ok('second')(request, socket);
  };
  client.send('GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => target.arrived.length === 1, 'the second request');
  for (const open of gates) open();
  await later(undefined);
  answer();
  assert.is((await client.reply()).body.toString(), 'second');
  assert.equal(
    target.arrived.map(({ url }) => url),
    ['/second'],
  );
  client.destroy();
});

test('a policy sees the reply to a request whose body is aborted', async ({ target, plane }) => {
  const seen: number[] = [];
  policy = { after: (_exchange, reply) => void seen.push(reply.status) };
  target.respond = () => {};
  const reply = await plane.ask('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense');
  assert.is(reply.status, 400);
  assert.equal(seen, [400]);
});

test('an exchange aborted by the drain deadline has no reply, so no policy sees one', async ({ target, plane }) => {
  const seen: number[] = [];
  policy = { after: (_exchange, reply) => void seen.push(reply.status) };
  target.respond = () => {};
  const client = plane.client();
  client.send(GET);
  await until(() => target.arrived.length === 1, 'the request');
  await plane.plane.drain(20);
  await until(() => client.closed, 'the connection to be closed');
  assert.equal(seen, []);
});

test('a reply withdrawn before its first byte is replaced by one that also passes the policies', async (context) => {
  const { target, plane } = context;
  const seen: number[] = [];
  policy = {
    after: (_exchange, reply) => {
      seen.push(reply.status);
      reply.headers.set('x-edited', 'yes');
    },
  };
  target.respond = say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense');
  const reply = await plane.ask(GET);
  assert.is(reply.status, 502);
  assert.is(reply.header('x-edited'), 'yes');
  assert.equal(seen, [200, 502]);
});

test('a body set by a policy on a 204 or 304 is not sent', async ({ plane }) => {
  const client = plane.client();
  for (const status of [204, 304]) {
    policy = { before: () => new BytesReply(status, { body: 'never' }) };
    client.send(GET);
    assert.is((await client.reply()).status, status);
  }
  policy = { before: () => new BytesReply(200, { body: 'after' }) };
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'after');
  client.destroy();
});

test('a query set by a policy cannot inject a line into the head', async ({ target, plane }) => {
  policy = {
    before: (exchange) => {
      exchange.query = 'a=\r\nX-Evil: 1#\xe4';
      return undefined;
    },
  };
  assert.is((await plane.ask(GET)).status, 200);
  assert.is(target.arrived[0]!.url, '/?a=%0D%0AX-Evil:%201%23%C3%A4');
  assert.is(target.arrived[0]!.header('x-evil'), undefined);
});

test('a date set by a policy is not duplicated', async ({ target, plane }) => {
  policy = { after: (_exchange, reply) => void reply.headers.set('date', 'Sun, 06 Nov 1994 08:49:37 GMT') };
  target.respond = ok('x');
  assert.is((await plane.ask(GET)).header('date'), 'Sun, 06 Nov 1994 08:49:37 GMT');
});

test('a 304 changed to 200 by a policy has an empty body', async ({ target, plane }) => {
  policy = {
    after: (_exchange, reply) => {
      reply.status = 200;
    },
  };
  target.respond = say('HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n');
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, 200);
    assert.is(reply.body.length, 0);
  }
  client.destroy();
});

test.run();
