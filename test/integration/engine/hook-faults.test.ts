/** Hooks that break their contract, and clients and targets that make use of it: no reply is doubled, cut wrongly or lost. */
import * as assert from 'uvu/assert';
import type { BodyOut, BodySource, PolicyInstance, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { never, ok, whole } from '../../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('hook-faults');

const HOST = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\n${HOST}${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const BOTH = { request: { max: 1000, mandatory: false }, reply: { max: 1000, mandatory: false } };

async function load({ plane, target }: EngineContext, ...policies: (TestPolicy | PolicyInstance)[]): Promise<void> {
  const all = policies.map((policy) => ('run' in policy ? policy : { run: policy }));
  await plane.load(specOf(target.url, { service: 'retries = 1', route: 'timeout = "5s"' }), withPolicies(all));
}

const through = (): PolicyInstance => ({
  replyStage: (_exchange, _reply, out) => ({
    write: (bytes) => out.write(bytes),
    end: () => out.end(),
    abort() {},
  }),
});

const streaming = (start: (out: BodyOut) => void, more: Partial<BodySource> = {}): Reply => ({
  status: 200,
  headers: new BytesReply(200).headers,
  body: { length: -1, start, discard() {}, ...more },
});

/** One reply to each of the requests, and after them the connection serves another one or is closed. */
async function texts(context: EngineContext, ...requests: string[]): Promise<string> {
  const client = context.plane.client();
  let out = '';
  for (const request of requests) {
    client.send(request);
    const reply = await client.reply();
    out += `${reply.status} ${reply.body.toString()}|`;
  }
  client.destroy();
  return out;
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('a stage that writes before its input cannot put bytes in front of a head', async (context) => {
  let early = false;
  await load(context, {
    replyStage: (_exchange, _reply, out) => {
      if (early) out.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      return { write: (bytes) => out.write(bytes), end: () => out.end(), abort() {} };
    },
  });
  context.target.respond = ok('fine');
  const client = context.plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  early = true;
  client.send(GET);
  assert.is((await client.reply()).status, 500);
  client.destroy();
});

test('a stage that writes late while an outer step waits', async (context) => {
  await load(
    context,
    { after: async () => void (await later()) },
    {
      replyStage: (_exchange, _reply, out) => {
        setImmediate(() => out.write(Buffer.from('early')));
        return { write: (bytes) => out.write(bytes), end: () => out.end(), abort() {} };
      },
    },
  );
  context.target.respond = ok('fine');
  assert.is((await context.plane.ask(GET)).status, 500);
});

test('a stage that fails when it is created sends one error', async (context) => {
  await load(context, {
    replyStage: (_exchange, _reply, out) => {
      out.fail('no');
      return { write: () => true, end() {}, abort() {} };
    },
  });
  const arrived = context.target.arrived.length;
  assert.match(await texts(context, GET, GET), /^500 .*\|500 .*\|$/s);
  assert.is(context.target.arrived.length, arrived + 2);
});

test('a request stage that fails when it is created ends the request before the action', async (context) => {
  await load(context, {
    requestStage: (_exchange, out) => {
      out.fail('no');
      return { write: () => true, end() {}, abort() {} };
    },
  });
  assert.is((await context.plane.ask(post('x'))).status, 500);
  await later();
  assert.is(context.target.arrived.length, 0);
});

test('a request stage that writes before its input', async (context) => {
  let got = '';
  context.target.respond = whole((payload) => {
    got = payload.toString();
  });
  await load(context, {
    requestStage: (_exchange, out) => {
      out.write(Buffer.from('prefix'));
      return { write: (bytes) => out.write(bytes), end: () => out.end(), abort() {} };
    },
  });
  const { status } = await context.plane.ask(post('x'));
  assert.ok(status === 500 || got === 'prefixx', `${status} ${got}`);
});

test('a stage that throws when it is aborted does not double the reply', async (context) => {
  await load(
    context,
    { after: () => new BytesReply(404, { body: 'none' }) },
    {
      replyStage: (_exchange, _reply, out) => ({
        write: (bytes) => out.write(bytes),
        end: () => out.end(),
        abort() {
          throw new Error('abort fails');
        },
      }),
    },
  );
  assert.is(await texts(context, GET, GET), '404 none|404 none|');
});

test('a stage that ends early before a buffered hook', async (context) => {
  const seen: string[] = [];
  await load(
    context,
    {
      body: BOTH,
      run: {
        onReplyBody: async (_exchange, _reply, body) => {
          seen.push(Buffer.from(body).toString());
          await later();
          return undefined;
        },
      },
    },
    {
      replyStage: (_exchange, _reply, out) => ({
        write: (bytes) => {
          out.write(bytes);
          out.end();
          return true;
        },
        end() {},
        abort() {},
      }),
    },
  );
  context.target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde');
    setTimeout(() => socket.write('fghij'), 5);
  };
  assert.is(await texts(context, GET, GET), '200 abcde|200 abcde|');
  assert.equal(seen, ['abcde', 'abcde']);
});

test('a stream that is longer than its length does not reach the next reply', async (context) => {
  await load(context, {
    before: () =>
      streaming(
        (out) => {
          out.write(Buffer.from('abcHTTP/1.1 200 OK\r\n\r\n'));
          out.end();
        },
        { length: 3 },
      ),
  });
  const client = context.plane.client();
  client.send(GET);
  const reply = await client.reply().catch(() => undefined);
  await later();
  assert.ok(reply === undefined || reply.status === 502, String(reply?.status));
  assert.not.match(client.pending.toString(), /HTTP/);
  client.destroy();
});

test('a stream that is shorter than its length is not complete for a buffered hook', async (context) => {
  let calls = 0;
  await load(
    context,
    { body: BOTH, run: { onReplyBody: () => void calls++ } },
    {
      before: () =>
        streaming(
          (out) => {
            out.write(Buffer.from('ab'));
            out.end();
          },
          { length: 3 },
        ),
    },
  );
  assert.is((await context.plane.ask(GET)).status, 502);
  assert.is(calls, 0);
});

test('a stream whose length is no number', async (context) => {
  await load(context, {
    before: () =>
      streaming(
        (out) => {
          out.write(Buffer.from('ab'));
          out.end();
        },
        { length: 1.5 },
      ),
  });
  assert.is(await texts(context, GET, GET), '200 ab|200 ab|');
});

test('a stream for HEAD', async (context) => {
  await load(context, { before: () => streaming(() => {}, { length: 0 }) });
  const reply = await context.plane.ask(`HEAD / HTTP/1.1\r\n${HOST}\r\n`, { head: true });
  assert.is(reply.header('content-length'), undefined);
});

test('a stream that throws when it starts: 500', async (context) => {
  await load(context, {
    before: () =>
      streaming(() => {
        throw new Error('start fails');
      }),
  });
  assert.match(await texts(context, GET), /^50[02] /);
});

test('a stream that throws in its callback, or when it is discarded', async (context) => {
  const ends: string[] = [];
  await load(
    context,
    { finished: (_exchange, end) => void ends.push(end) },
    {
      before: () =>
        streaming(
          (out) => {
            const part = Buffer.alloc(1 << 20);
            for (let i = 0; i < 64; i++) if (!out.write(part)) break;
            out.onWritable(() => {
              throw new Error('callback fails');
            });
          },
          {
            discard() {
              throw new Error('discard fails');
            },
          },
        ),
    },
  );
  const client = context.plane.client();
  client.socket.pause();
  client.send(GET);
  await later();
  client.socket.resume();
  await until(() => ends.length > 0);
  client.destroy();
  assert.equal(ends, ['cut']);
});

test('discard throws when the client leaves', async (context) => {
  const ends: string[] = [];
  await load(
    context,
    { finished: (_exchange, end) => void ends.push(end) },
    {
      before: () =>
        streaming((out) => void out.write(Buffer.from('ab')), {
          discard() {
            throw new Error('discard fails');
          },
        }),
    },
  );
  const client = context.plane.client();
  client.send(GET);
  await until(() => client.pending.length > 0);
  client.socket.resetAndDestroy();
  await until(() => ends.length > 0);
  assert.equal(ends, ['aborted']);
});

test('discard throws when the reply is replaced', async (context) => {
  await load(
    context,
    { after: () => new BytesReply(404, { body: 'none' }) },
    {
      before: () =>
        streaming(() => {}, {
          discard() {
            throw new Error('discard fails');
          },
        }),
    },
  );
  assert.is(await texts(context, GET, GET), '404 none|404 none|');
});

test('an outer after() that answers failures with a stream that fails ends', async (context) => {
  let calls = 0;
  await load(context, {
    after: () => {
      calls++;
      return calls > 1000 ? undefined : streaming((out) => out.fail('stale entry is gone'));
    },
  });
  assert.is((await context.plane.ask(GET)).status, 502);
  assert.ok(calls < 10, String(calls));
});

test('the same, asynchronously', async (context) => {
  let calls = 0;
  await load(context, {
    after: () => {
      calls++;
      return calls > 1000 ? undefined : streaming((out) => setImmediate(() => out.fail('stale entry is gone')));
    },
  });
  assert.is((await context.plane.ask(GET)).status, 502);
  assert.ok(calls < 10, String(calls));
});

test('a body hook cannot leave a status that cannot be sent', async (context) => {
  for (const status of [101, 700, 20.5]) {
    await load(context, {
      body: BOTH,
      run: {
        onReplyBody: (_exchange, reply) => {
          reply.status = status;
          return undefined;
        },
      },
    });
    assert.is((await context.plane.ask(GET)).status, 500, String(status));
    await load(context, {
      replyStage: (_exchange, reply, out) => {
        reply.status = status;
        return { write: (bytes) => out.write(bytes), end: () => out.end(), abort() {} };
      },
    });
    assert.is((await context.plane.ask(GET)).status, 500, `stage ${status}`);
  }
});

test('a mandatory stage is not bypassed by a part or a content coding', async (context) => {
  const mandatory = { request: { max: 1000, mandatory: true }, reply: { max: 1000, mandatory: true } };
  await load(context, { body: mandatory, run: { ...through(), requestStage: through().replyStage as never } });
  context.target.respond = (_request, socket) =>
    socket.write('HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx');
  assert.is((await context.plane.ask(GET)).status, 502);
  context.target.respond = (_request, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx');
  assert.is((await context.plane.ask(GET)).status, 502);
  assert.is((await context.plane.ask(post('x', 'Content-Encoding: gzip\r\n'))).status, 415);
});

test('fields of a waiting attempt are not visible to after()', async (context) => {
  const seen: (string | undefined)[] = [];
  const all: PolicyInstance = {
    onAttempt: (_exchange, attempt) => attempt.set('authorization', 'secret'),
    after: (exchange) => void seen.push(exchange.header('authorization')),
  };
  await context.plane.load(
    specOf(context.target.url, { service: 'max_connections = 1', route: 'timeout = "5s"' }),
    withPolicies([{ run: all }]),
  );
  context.target.respond = never;
  const first = context.plane.client();
  first.send(post('a'));
  await until(() => context.target.arrived.length === 1);
  const second = context.plane.client();
  second.send(post('b'));
  await later();
  context.time.pass(6000);
  assert.is((await second.reply()).status, 504);
  assert.equal(seen, [undefined, undefined]);
  first.destroy();
  second.destroy();
});

test('an attempt that is edited late changes no other attempt', async (context) => {
  const seen: (string | undefined)[] = [];
  await load(context, {
    onAttempt: async (_exchange, attempt) => {
      setTimeout(() => attempt.set('authorization', 'late'), 10);
    },
    after: async (exchange) => {
      await later();
      seen.push(exchange.header('authorization'));
    },
  });
  assert.is((await context.plane.ask(GET)).status, 200);
  assert.equal(seen, [undefined]);
});

test('an action that answers late with nothing harms no other exchange of the connection', async (context) => {
  let slow = true;
  let wake: (value: undefined) => void = () => {};
  await load(context, {
    before: () => {
      if (!slow) return undefined;
      slow = false;
      return new Promise<undefined>((resolve) => {
        wake = () => resolve(null as never);
      });
    },
  });
  const client = context.plane.client();
  client.send(GET);
  await later();
  context.time.pass(6000);
  assert.is((await client.reply()).status, 504);
  context.target.respond = never;
  client.send(GET);
  await until(() => context.target.arrived.length === 1);
  wake(undefined);
  await later();
  assert.is(client.pending.length, 0);
  client.destroy();
});

test('a 413 by a hook with an outer stage: the connection does not promise to stay', async (context) => {
  await load(context, through(), {
    body: { request: { max: 4, mandatory: true } },
    run: { onRequestBody: () => undefined },
  });
  const client = context.plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`);
  const reply = await client.reply();
  assert.is(reply.status, 413);
  assert.is(reply.header('connection'), 'close');
  client.destroy();
});

test('a target that refuses a collected body early with 401 gets it once more', async (context) => {
  await load(context, {
    body: { request: { max: 10_000_000, mandatory: true } },
    run: {
      onRequestBody: () => undefined,
      onAttempt: (_exchange, attempt) => {
        attempt.repeatAfter401();
        if (attempt.unauthorized) attempt.set('authorization', 'new');
      },
    },
  });
  const answer = whole(() => {});
  context.target.respond = (request, socket) => {
    if (request.header('authorization') === 'new') answer(request, socket);
    else socket.write('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
  };
  assert.is((await context.plane.ask(post('x'.repeat(8_000_000), 'X: 1\r\n').replace('POST', 'PUT'))).status, 200);
});

test.run();
