/** Bodies that steps change, replace or fail: their length, their fields and their owner are right for all that follow. */
import * as assert from 'uvu/assert';
import type { BodyOut, BodySource, PolicyInstance, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { flood, ok, whole } from '../../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { Plane, specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('body-faults');

const HOST = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\n${HOST}${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const BOTH = { request: { max: 1000, mandatory: false }, reply: { max: 1000, mandatory: false } };

async function load({ plane, target }: EngineContext, ...policies: (TestPolicy | PolicyInstance)[]): Promise<void> {
  const all = policies.map((policy) => ('run' in policy ? policy : { run: policy }));
  await plane.load(specOf(target.url, { service: 'retries = 1', route: 'timeout = "5s"' }), withPolicies(all));
}

/** Doubles each part of a reply. */
const doubling = (): PolicyInstance => ({
  replyStage: (_exchange, _reply, out) => ({
    write: (bytes) => out.write(Buffer.concat([bytes, bytes])),
    end: () => out.end(),
    abort() {},
  }),
});

const streaming = (start: (out: BodyOut) => void, more: Partial<BodySource> = {}): Reply => ({
  status: 200,
  headers: new BytesReply(200).headers,
  body: { length: -1, start, discard() {}, ...more },
});

test('a status 205 that is set after a stage: the reply is empty, and the connection stays in sync', async (context) => {
  const empties: PolicyInstance = {
    after: (_exchange, reply) => {
      reply.status = 205;
      return undefined;
    },
  };
  await load(context, empties, doubling());
  const client = context.plane.client();
  for (let at = 0; at < 2; at++) {
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, 205);
    assert.is(reply.header('content-length'), '0');
    assert.is(reply.header('transfer-encoding'), undefined);
  }
  client.destroy();
});

test('a stage that fails when it is created leaves the stream of the error page alone', async (context) => {
  const page = (out: BodyOut): void => {
    setTimeout(() => {
      out.write(Buffer.from('page'));
      out.end();
    }, 5);
  };
  const failing: readonly PolicyInstance[] = [
    { after: (_exchange, { status }) => (status === 500 ? streaming(page) : undefined) },
    {
      replyStage: (_exchange, _reply, out) => {
        out.fail('no');
        return { write: () => true, end() {}, abort() {} };
      },
    },
  ];
  for (const more of [[], [{ before: () => new BytesReply(200, { body: 'bytes' }) }]]) {
    await load(context, ...failing, ...more);
    assert.is((await context.plane.ask(GET)).body.toString(), 'page');
    const errors = context.plane.logs.splice(0).filter(({ level }) => level === 'error');
    assert.equal(
      errors.map(({ message }) => message),
      ['policy failed, exchange ended'],
    );
  }
});

test('a stream whose place another body takes is discarded, also if the reply is edited in place', async (context) => {
  const discarded: string[] = [];
  for (const late of [false, true]) {
    await load(
      context,
      {
        after: (_exchange, reply) => {
          reply.body = Buffer.from('mine');
          return late ? Promise.resolve(undefined) : undefined;
        },
      },
      { before: () => streaming((out) => out.end(), { discard: () => void discarded.push(`late ${late}`) }) },
    );
    assert.is((await context.plane.ask(GET)).body.toString(), 'mine');
  }
  assert.equal(discarded, ['late false', 'late true']);
});

test('later steps see the length of a changed reply, not that of the target', async (context) => {
  const seen: (string | undefined)[] = [];
  const look: PolicyInstance = { after: (_exchange, reply) => void seen.push(reply.headers.get('content-length')) };
  context.target.respond = ok('hello');
  await load(context, look, doubling());
  assert.is((await context.plane.ask(GET)).body.toString(), 'hellohello');
  await load(context, look, { body: BOTH, run: { onReplyBody: () => Buffer.from('changed') } });
  assert.is((await context.plane.ask(GET)).header('content-length'), '7');
  assert.equal(seen, [undefined, '7']);
});

/** Fields that gw writes into each request. */
const WRITTEN = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'via', 'x-request-id']);

test('later steps see the length of a changed request, and attempts have no framing fields', async (context) => {
  const seen: unknown[] = [];
  const look: PolicyInstance = {
    before: ({ headers }) => void seen.push(headers.get('content-length'), headers.get('transfer-encoding')),
    onAttempt: (_exchange, attempt) =>
      void seen.push([...attempt.headers()].map(([name]) => name).filter((name) => !WRITTEN.has(name))),
  };
  context.target.respond = whole(() => {});
  await load(context, { body: BOTH, run: { onRequestBody: () => Buffer.from('changed') } }, look);
  await context.plane.ask(post('x', 'X-One: 1\r\nConnection: keep-alive\r\n'));
  assert.equal(seen.splice(0), ['7', undefined, ['x-one']]);
  const chunked = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`;
  await context.plane.ask(chunked);
  assert.equal(seen, ['7', undefined, []]);
  assert.is(context.target.arrived.at(-1)?.header('content-length'), '7');
});

test('a stream that waits for an after() that never ends is discarded with its exchange', async (context) => {
  const ends: string[] = [];
  const discarded: string[] = [];
  const stream = (): Reply => streaming(() => {}, { discard: () => void discarded.push('stream') });
  await load(
    context,
    {
      after: (_exchange, { status }) => (status === 504 ? undefined : new Promise(() => {})),
      finished: (_exchange, end) => void ends.push(end),
    },
    { before: stream },
  );
  const leaving = context.plane.client();
  leaving.send(GET);
  await until(() => context.plane.connections === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  leaving.socket.resetAndDestroy();
  await until(() => ends.length === 1);
  assert.equal([ends, discarded], [['aborted'], ['stream']]);
  const waiting = context.plane.ask(GET);
  await new Promise((resolve) => setTimeout(resolve, 50));
  context.time.pass(6000);
  assert.is((await waiting).status, 504);
  assert.equal(discarded, ['stream', 'stream']);
});

test('whole replies that clients do not read stay within the memory for bodies', async (context) => {
  const MIB = 1024 * 1024;
  const body = { request: { max: 9 * MIB, mandatory: false }, reply: { max: 9 * MIB, mandatory: false } };
  let collected = 0;
  const collects = (change: (bytes: Uint8Array) => Uint8Array | undefined): TestPolicy => ({
    body,
    run: {
      onReplyBody: (_exchange, _reply, bytes) => {
        collected++;
        return change(bytes);
      },
    },
  });
  const changes = collects((bytes) => Buffer.from(bytes));
  const keeps = collects(() => undefined);
  const plane = await Plane.start(specOf(context.target.url), { bodyMemory: 20 * MIB });
  try {
    context.target.respond = flood(8 * MIB);
    for (const policies of [[keeps], [changes], [{ run: doubling() }, keeps]]) {
      await plane.load(specOf(context.target.url), withPolicies(policies));
      collected = 0;
      const slow = [plane.client(), plane.client()];
      for (const client of slow) {
        client.socket.pause();
        client.send(GET);
      }
      await until(() => collected === 2, 'two replies to take the memory');
      assert.is((await plane.ask(GET)).status, 503);
      for (const client of slow) client.destroy();
      await until(async () => (await plane.ask(GET)).status === 200, 'the memory to be given back');
    }
  } finally {
    await plane.close();
  }
});

test('a body that a policy makes counts like the one that it replaces', async (context) => {
  const MIB = 1024 * 1024;
  const large = Buffer.alloc(4 * MIB);
  const plane = await Plane.start(specOf(context.target.url), { bodyMemory: 3 * MIB });
  try {
    context.target.respond = whole(() => {});
    await plane.load(specOf(context.target.url), withPolicies([{ body: BOTH, run: { onRequestBody: () => large } }]));
    assert.is((await plane.ask(post('x'))).status, 503);
    await plane.load(specOf(context.target.url), withPolicies([{ body: BOTH, run: { onReplyBody: () => large } }]));
    assert.is((await plane.ask(GET)).status, 503);
    const fits = { body: BOTH, run: { onReplyBody: () => large.subarray(0, 2 * MIB) } };
    await plane.load(specOf(context.target.url), withPolicies([fits]));
    for (let at = 0; at < 3; at++) assert.is((await plane.ask(GET)).status, 200);
  } finally {
    await plane.close();
  }
});

test('a collected body takes no place of incomplete ones', async (context) => {
  const body = { request: { max: 2_000_000, mandatory: false } };
  const collects: TestPolicy = {
    body,
    run: { readsRequest: ({ path }) => path === '/whole', onRequestBody: () => undefined },
  };
  await context.plane.load(
    specOf(context.target.url, {
      listener: 'max_body = "3MiB"',
      service: 'max_connections = 4',
      route: 'timeout = "5s"',
    }),
    withPolicies([collects]),
  );
  let got = 0;
  context.target.respond = whole((payload) => {
    got = payload.length;
  });
  const slow = [1, 2, 3].map(() => context.plane.client());
  for (const client of slow)
    client.send(`POST /slow HTTP/1.1\r\n${HOST}Content-Length: 500000\r\n\r\n${'x'.repeat(200_000)}`);
  await until(() => context.target.arrived.length === 3, 'three uploads to have a connection');
  const size = 1_500_000;
  const text = `POST /whole HTTP/1.1\r\n${HOST}Content-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
  assert.is((await context.plane.ask(text)).status, 200);
  assert.is(got, size);
  const shed = context.plane.records.filter(({ error }) => error === 'request/shed');
  assert.is(shed.length, 0, 'a slow upload has made room');
  for (const client of slow) client.destroy();
});

test.run();
