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
    const before = seen.length;
    void until(() => seen.length > before).then(() => socket.write('fghij'));
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
    else {
      socket.pause();
      socket.write('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
    }
  };
  assert.is((await context.plane.ask(post('x'.repeat(6_000_000), 'X: 1\r\n').replace('POST', 'PUT'))).status, 200);
});

test('time is up after the body was collected: the target is late, not the client', async (context) => {
  await load(context, { body: BOTH, run: { onRequestBody: () => undefined } });
  context.target.respond = never;
  const client = context.plane.client();
  client.send(post('ab'));
  await until(() => context.target.arrived.length === 1);
  context.time.pass(6000);
  assert.is((await client.reply()).status, 504);
  client.destroy();
});

test('a request whose time is up is not sent while after() waits', async (context) => {
  let waits = false;
  let sign = (): void => {};
  await load(context, {
    onAttempt: () =>
      waits
        ? new Promise<undefined>((resolve) => {
            sign = () => resolve(undefined);
          })
        : undefined,
    after: async (_exchange, reply) => {
      if (reply.status !== 504) return;
      sign();
      await later();
    },
  });
  const client = context.plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  waits = true;
  client.send(GET);
  await later();
  context.time.pass(6000);
  assert.is((await client.reply()).status, 504);
  await later();
  assert.is(context.target.arrived.length, 1);
  client.destroy();
});

test('a reply that after() returns too late is discarded', async (context) => {
  let discarded = 0;
  let leave = (): void => {};
  await load(context, {
    after: (_exchange, reply) => {
      if (reply.status !== 200) return undefined;
      return new Promise((resolve) => {
        leave = () => resolve(streaming(() => {}, { discard: () => void discarded++ }));
      });
    },
  });
  const client = context.plane.client();
  client.send(GET);
  await until(() => context.target.arrived.length === 1);
  await later();
  context.time.pass(6000);
  assert.is((await client.reply()).status, 504);
  leave();
  await until(() => discarded === 1);
  client.destroy();
});

test('a reply whose fields are not those of gw is refused', async (context) => {
  for (const headers of [
    new Map([['x-a', 'b\r\nset-cookie: c=d']]),
    new Map([['Content-Length', '1']]),
    new Headers({ a: 'b' }),
  ]) {
    await load(context, { before: () => ({ status: 200, headers: headers as never, body: null }) });
    assert.match(await texts(context, GET), /^500 /);
  }
});

test('a background exchange asks for what mandatory hooks before it can read', async (context) => {
  let pending: Promise<void> | undefined;
  await load(
    context,
    { body: { reply: { max: 1000, mandatory: true } }, run: { onReplyBody: () => undefined } },
    {
      run: (host) => ({
        before: (exchange) => {
          pending = host.background(exchange).then(({ body }) => body.discard());
          return new BytesReply(200, { body: 'stored' });
        },
      }),
    },
  );
  const text = `GET / HTTP/1.1\r\n${HOST}Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n\r\n`;
  assert.is((await context.plane.ask(text)).body.toString(), 'stored');
  await pending;
  assert.is(context.target.arrived[0]?.header('accept-encoding'), 'identity');
  assert.is(context.target.arrived[0]?.header('range'), undefined);
});

test('a stage that observes, and writes more than it got, does not reach the next reply', async (context) => {
  await load(context, {
    replyStage: (_exchange, _reply, out) => ({
      observes: true,
      write: (bytes) => out.write(Buffer.concat([bytes, Buffer.from('HTTP/1.1 200 OK\r\n\r\n')])),
      end: () => out.end(),
      abort() {},
    }),
  });
  context.target.respond = ok('hello');
  const client = context.plane.client();
  client.send(GET + GET);
  assert.is((await client.reply()).body.toString(), 'hello');
  await until(() => client.ended);
  assert.is(client.pending, '');
});

test('a reload while hooks wait: the old instance serves its exchange, then closes', async (context) => {
  const seen: string[] = [];
  const wakes: (() => void)[] = [];
  const waiting = (name: string): PolicyInstance => ({
    before: () =>
      new Promise((resolve) => {
        wakes.push(() => resolve(undefined));
      }),
    after: () => void seen.push(`${name} after`),
    finished: (_exchange, end) => void seen.push(`${name} ${end}`),
    close: () => void seen.push(`${name} close`),
  });
  await load(context, waiting('a'));
  const client = context.plane.client();
  client.send(GET);
  await until(() => wakes.length === 1);
  await load(context, waiting('b'));
  assert.equal(seen, []);
  wakes[0]!();
  assert.is((await client.reply()).status, 200);
  await until(() => seen.length === 3);
  assert.equal(seen, ['a after', 'a sent', 'a close']);
  client.destroy();
});

test('HEAD and a target that always answers 401: one repeat', async (context) => {
  let attempts = 0;
  await load(context, {
    onAttempt: (_exchange, attempt) => {
      attempts++;
      attempt.repeatAfter401();
    },
  });
  context.target.respond = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\n');
  const client = context.plane.client();
  client.send(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply({ head: true })).status, 401);
  assert.is(attempts, 2);
  context.target.respond = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nbody');
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'body');
  assert.is(attempts, 4);
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`);
  assert.is((await client.reply()).status, 401);
  assert.is(attempts, 5);
  client.destroy();
});

test('pipelined requests behind a hook that answers early with an unread body', async (context) => {
  let calls = 0;
  await load(context, {
    before: async (exchange) => {
      await later();
      calls++;
      return exchange.method === 'POST' ? new BytesReply(403, { body: 'no' }) : undefined;
    },
  });
  const client = context.plane.client();
  client.send(`${post('x'.repeat(1000))}${GET}${GET}`);
  const statuses = [(await client.reply()).status, (await client.reply()).status, (await client.reply()).status];
  assert.equal(statuses, [403, 200, 200]);
  assert.is(calls, 3);
  client.destroy();
});

test('HTTP/1.0 and a stage: the body ends with the connection', async (context) => {
  await load(context, through());
  assert.is((await context.plane.ask(`GET / HTTP/1.0\r\n${HOST}\r\n`)).body.toString(), 'hello');
});

test('a receiver of a further request or a call that throws ends that one only', async (context) => {
  for (const way of ['subrequest', 'call'] as const) {
    for (const where of ['write', 'end', 'fail'] as const) {
      await context.plane.load(
        specOf(context.target.url, { route: 'timeout = "5s"' }),
        withPolicies([
          {
            calls: ['it'],
            run: (host) => ({
              before: async (exchange) => {
                if (exchange.path !== '/outer') return undefined;
                const { body } =
                  way === 'call'
                    ? await host.callStream('it', { method: 'GET', path: '/x', exchange })
                    : await host.subrequest(exchange, { method: 'GET', path: '/x' });
                return new Promise((resolve) => {
                  const fault = (at: string): void => {
                    if (at === where) throw new Error(`${where} fails`);
                  };
                  body.start({
                    write: () => {
                      fault('write');
                      return true;
                    },
                    end: () => {
                      fault('end');
                      resolve(new BytesReply(200));
                    },
                    fail: () => {
                      fault('fail');
                      resolve(new BytesReply(503));
                    },
                    onWritable() {},
                  });
                  setTimeout(() => resolve(new BytesReply(504)), 200);
                });
              },
            }),
          },
        ]),
      );
      context.target.respond = (_request, socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
        setTimeout(() => (where === 'fail' ? socket.destroy() : socket.write('world')), 10);
      };
      const reply = await context.plane.ask(`GET /outer HTTP/1.1\r\n${HOST}\r\n`);
      assert.is(reply.status, 504, `${way} ${where}`);
      const failed = context.plane.logs.splice(0).map(({ message }) => message);
      assert.equal(failed, ['receiver of a streamed reply failed'], `${way} ${where}`);
    }
  }
});

test.run();
