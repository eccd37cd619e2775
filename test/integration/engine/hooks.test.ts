/** The hooks of the policy contract over real sockets: bodies, stages, conditions, replaced replies, the end of an exchange. */
import { gunzipSync, gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import type { BodyOut, BodyStage, Exchange, PolicyInstance, Reply, StageOut } from '../../../src/policies/contract.js';
import { BytesReply, problem } from '../../../src/policies/run-kit.js';
import { never, ok, sayAndClose, whole } from '../../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('hooks');

const HOST = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\n${HOST}${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const chunked = (...parts: string[]): string =>
  `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${parts
    .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join('')}0\r\n\r\n`;

const BOTH = { request: { max: 1000, mandatory: false }, reply: { max: 1000, mandatory: false } };
const upper = (bytes: Uint8Array): Buffer => Buffer.from(Buffer.from(bytes).toString().toUpperCase());

/** A stage that puts `mark` around each part, and at the end. */
const marking =
  (mark: string) =>
  (_exchange: Exchange, ...rest: readonly unknown[]): BodyStage => {
    const out = rest.at(-1) as StageOut;
    return {
      write: (bytes) => out.write(Buffer.from(`${mark}${Buffer.from(bytes).toString()}${mark}`)),
      end: () => {
        out.write(Buffer.from(`${mark}!`));
        out.end();
      },
      abort() {},
    };
  };

async function load({ plane, target }: EngineContext, ...policies: (TestPolicy | PolicyInstance)[]): Promise<void> {
  const all = policies.map((policy) => ('run' in policy ? policy : { run: policy }));
  await plane.load(specOf(target.url, { service: 'retries = 1' }), withPolicies(all));
}

/** Keeps the body that the target gets. */
function keeping(context: EngineContext): () => string {
  let got = '';
  context.target.respond = whole((payload) => {
    got = payload.toString();
  });
  return () => got;
}

test('onRequestBody gets the whole body and may replace it', async (context) => {
  const seen: string[] = [];
  await load(context, {
    body: BOTH,
    run: {
      onRequestBody: (_exchange, body) => {
        seen.push(Buffer.from(body).toString());
        return upper(body);
      },
    },
  });
  const got = keeping(context);
  assert.is((await context.plane.ask(chunked('ab', 'cd'))).status, 200);
  assert.equal(seen, ['abcd']);
  assert.is(got(), 'ABCD');
  const [arrived] = context.target.arrived;
  assert.is(arrived?.header('content-length'), '4');
  assert.is(arrived?.header('transfer-encoding'), undefined);
});

test('digests of a replaced request body are removed', async (context) => {
  await load(context, { body: BOTH, run: { onRequestBody: (_exchange, body) => upper(body) } });
  keeping(context);
  await context.plane.ask(post('ab', 'Content-Digest: sha-256=:x:\r\nContent-MD5: x\r\n'));
  assert.is(context.target.arrived[0]?.header('content-digest'), undefined);
  assert.is(context.target.arrived[0]?.header('content-md5'), undefined);
});

test('onRequestBody may answer', async (context) => {
  await load(context, {
    body: BOTH,
    run: { onRequestBody: (exchange) => problem(exchange, { status: 400, code: 'x/y', title: 'No' }) },
  });
  assert.is((await context.plane.ask(post('ab'))).status, 400);
  assert.is(context.target.arrived.length, 0);
});

test('a body is not collected without a declaration, nor for a request without a body', async (context) => {
  let calls = 0;
  const count: PolicyInstance = { onRequestBody: () => void calls++ };
  await load(context, { run: count });
  keeping(context);
  await context.plane.ask(post('ab'));
  await load(context, { run: count, body: BOTH });
  context.target.respond = ok('x');
  await context.plane.ask(GET);
  assert.is(calls, 0);
});

test('gw sends 100 Continue when it collects, and the target gets no Expect', async (context) => {
  await load(context, { body: BOTH, run: { onRequestBody: () => undefined } });
  const got = keeping(context);
  const client = context.plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  assert.is((await client.reply()).status, 100);
  client.send('ab');
  assert.is((await client.reply()).status, 200);
  assert.is(got(), 'ab');
  assert.is(context.target.arrived[0]?.header('expect'), undefined);
  client.destroy();
});

test('a collected body is sent again to another connection', async (context) => {
  await load(context, { body: BOTH, run: { onRequestBody: () => undefined } });
  let first = true;
  context.target.respond = whole(
    () => {},
    (request, socket) => {
      if (first) socket.resetAndDestroy();
      else ok('again')(request, socket);
      first = false;
    },
  );
  const reply = await context.plane.ask(post('ab').replace('POST', 'PUT'));
  assert.is(reply.body.toString(), 'again');
});

test('the same for a reply: whole body, replaced, framed anew', async (context) => {
  await load(context, { body: BOTH, run: { onReplyBody: (_exchange, _reply, body) => upper(body) } });
  context.target.respond = ok('hello', 'ETag: "1"\r\nContent-MD5: x\r\nAccept-Ranges: bytes\r\n');
  const reply = await context.plane.ask(GET);
  assert.is(reply.body.toString(), 'HELLO');
  for (const name of ['etag', 'content-md5', 'accept-ranges']) assert.is(reply.header(name), undefined, name);
});

test('a reply body that stays the same keeps its validators', async (context) => {
  await load(context, { body: BOTH, run: { onReplyBody: () => undefined } });
  context.target.respond = ok('hello', 'ETag: "1"\r\n');
  const reply = await context.plane.ask(GET);
  assert.is(reply.header('etag'), '"1"');
  assert.is(reply.body.toString(), 'hello');
});

test('two stages on a request and on a reply run in order', async (context) => {
  await load(
    context,
    { requestStage: marking('a'), replyStage: marking('c') },
    { requestStage: marking('b'), replyStage: marking('d') },
  );
  const got = keeping(context);
  const reply = await context.plane.ask(post('x'));
  assert.is(got(), 'baxabba!bb!');
  assert.is(reply.body.toString(), 'cdhellodccd!cc!');
  assert.is(reply.header('transfer-encoding'), 'chunked');
});

test('a buffered hook after a stage gets what the stage wrote', async (context) => {
  const seen: string[] = [];
  const note = (body: Uint8Array): undefined => void seen.push(Buffer.from(body).toString());
  await load(
    context,
    { body: BOTH, run: { onReplyBody: (_exchange, _reply, body) => note(body) } },
    { requestStage: marking('a'), replyStage: marking('b') },
    { body: BOTH, run: { onRequestBody: (_exchange, body) => note(body) } },
  );
  keeping(context);
  const reply = await context.plane.ask(post('x'));
  assert.equal(seen, ['axaa!', 'bhellobb!']);
  assert.is(reply.body.toString(), 'bhellobb!');
  assert.is(reply.header('content-length'), '9');
});

test('an asynchronous stage holds back its source', async (context) => {
  const pending: (() => void)[] = [];
  let most = 0;
  const slow: PolicyInstance = {
    replyStage: (_exchange, _reply, out) => {
      let waiting = 0;
      let ended = false;
      out.onWritable(() => {});
      return {
        write: (bytes) => {
          const copy = Buffer.from(bytes);
          waiting += copy.length;
          most = Math.max(most, waiting);
          pending.push(() => {
            waiting -= copy.length;
            out.write(copy);
            if (waiting > 0) return;
            if (ended) out.end();
            else out.resume();
          });
          return false;
        },
        end: () => {
          ended = true;
          if (waiting === 0) out.end();
        },
        abort() {},
      };
    },
  };
  await load(context, slow);
  const size = 3_000_000;
  context.target.respond = ok('x'.repeat(size));
  const client = context.plane.client();
  client.send(GET);
  const timer = setInterval(() => pending.shift()?.(), 1);
  const reply = await client.reply();
  clearInterval(timer);
  assert.is(reply.body.length, size);
  assert.ok(most < 1_000_000, `${most} bytes waited in the stage`);
});

test('HEAD, 204 and 304 never reach a body hook; HEAD loses length and validator', async (context) => {
  let calls = 0;
  const hooks: PolicyInstance = {
    onReplyBody: () => void calls++,
    replyStage: (exchange, reply, out) => {
      calls++;
      return marking('x')(exchange, reply, out);
    },
  };
  await load(context, { body: BOTH, run: hooks });
  context.target.respond = (_request, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "1"\r\n\r\n');
  const client = context.plane.client();
  client.send(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
  const head = await client.reply({ head: true });
  assert.is(head.header('content-length'), undefined);
  assert.is(head.header('etag'), undefined);
  for (const status of [204, 304]) {
    context.target.respond = (_request, socket) => socket.write(`HTTP/1.1 ${status} X\r\nETag: "1"\r\n\r\n`);
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, status);
    assert.is(reply.header('etag'), '"1"');
  }
  assert.is(calls, 0);
  client.destroy();
});

test('a mandatory hook asks for the whole reply without content coding, and ignores upgrades', async (context) => {
  const mandatory = { reply: { max: 1000, mandatory: true } };
  await load(context, { body: mandatory, run: { onReplyBody: () => undefined } });
  await context.plane.ask(
    `GET / HTTP/1.1\r\n${HOST}Range: bytes=0-1\r\nIf-Range: "1"\r\nAccept-Encoding: gzip\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n`,
  );
  const [arrived] = context.target.arrived;
  assert.is(arrived?.header('range'), undefined);
  assert.is(arrived?.header('if-range'), undefined);
  assert.is(arrived?.header('upgrade'), undefined);
  assert.is(arrived?.header('accept-encoding'), 'identity');
  const partial = 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx';
  context.target.respond = (_request, socket) => socket.write(partial);
  assert.is((await context.plane.ask(GET)).status, 502);
});

test('a hook that is not mandatory leaves encoded bodies alone', async (context) => {
  let calls = 0;
  await load(context, { body: BOTH, run: { onReplyBody: () => void calls++ } });
  const bytes = gzipSync('hello');
  context.target.respond = (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes);
  };
  assert.is(gunzipSync((await context.plane.ask(GET)).body).toString(), 'hello');
  assert.is(calls, 0);
});

test('after() may wait, and may replace the reply; outer steps see the new one', async (context) => {
  const statuses: number[] = [];
  await load(
    context,
    { after: (_exchange, reply) => void statuses.push(reply.status) },
    {
      after: async (_exchange, reply): Promise<Reply | undefined> => {
        await new Promise((resolve) => setImmediate(resolve));
        return reply.status === 200 ? new BytesReply(404, { body: 'none' }) : undefined;
      },
    },
  );
  const reply = await context.plane.ask(GET);
  assert.is(reply.status, 404);
  assert.is(reply.body.toString(), 'none');
  assert.equal(statuses, [404]);
});

test('a policy that streams a reply of its own', async (context) => {
  await load(context, {
    before: () => ({
      status: 200,
      headers: new BytesReply(200).headers,
      body: {
        length: -1,
        start: (out: BodyOut) => {
          out.write(Buffer.from('one '));
          setImmediate(() => {
            out.write(Buffer.from('two'));
            out.end();
          });
        },
        discard() {},
      },
    }),
  });
  assert.is((await context.plane.ask(GET)).body.toString(), 'one two');
});

test('the target fails while a policy reads its reply: 502', async (context) => {
  await load(context, { body: BOTH, run: { onReplyBody: () => undefined } });
  context.target.respond = sayAndClose('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
  assert.is((await context.plane.ask(GET)).status, 502);
});

test('time is up while a policy reads the reply: 504, and the target is left', async (context) => {
  const { plane, target } = context;
  const policies = withPolicies([{ body: BOTH, run: { onReplyBody: () => undefined } }]);
  await plane.load(specOf(target.url, { route: 'timeout = "5s"' }), policies);
  target.respond = (_request, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
  const client = plane.client();
  client.send(GET);
  await until(() => target.arrived.length === 1);
  context.time.pass(6000);
  assert.is((await client.reply()).status, 504);
  client.destroy();
});

test('finished runs once for each entered step: sent, cut, aborted, and after a throw', async (context) => {
  const ends: string[] = [];
  const note = (name: string, more: PolicyInstance = {}): PolicyInstance => ({
    ...more,
    finished: (_exchange, end) => void ends.push(`${name} ${end}`),
  });
  await load(context, note('a'), note('b'));
  await context.plane.ask(GET);
  await until(() => ends.length === 2);
  assert.equal(ends.splice(0), ['a sent', 'b sent']);

  const failing = note('b', {
    before: () => {
      throw new Error('fails');
    },
  });
  await load(context, note('a'), failing, note('c'));
  assert.is((await context.plane.ask(GET)).status, 500);
  await until(() => ends.length === 2);
  assert.equal(ends.splice(0), ['a sent', 'b sent']);

  await load(context, note('a'));
  context.target.respond = sayAndClose('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
  const cut = context.plane.client();
  cut.send(GET);
  await until(() => ends.length === 1);
  assert.equal(ends.splice(0), ['a cut']);

  context.target.respond = never;
  const arrived = context.target.arrived.length;
  const client = context.plane.client();
  client.send(GET);
  await until(() => context.target.arrived.length > arrived);
  client.socket.resetAndDestroy();
  await until(() => ends.length === 1);
  assert.equal(ends.splice(0), ['a aborted']);
});

test('a stage is aborted when its client leaves', async (context) => {
  const causes: string[] = [];
  await load(context, {
    replyStage: (_exchange, _reply, out) => ({
      write: (bytes) => out.write(bytes),
      end: () => out.end(),
      abort: (cause) => void causes.push(cause),
    }),
  });
  context.target.respond = (_request, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
  const client = context.plane.client();
  client.send(GET);
  await until(() => client.pending.length > 0);
  client.socket.resetAndDestroy();
  await until(() => causes.length === 1);
  assert.equal(causes, ['aborted']);
});

test('a stage that throws cuts the reply, or refuses it if nothing was sent', async (context) => {
  await load(context, {
    replyStage: () => ({
      write: () => {
        throw new Error('a stage fails');
      },
      end() {},
      abort() {},
    }),
  });
  const reply = await context.plane.ask(GET);
  assert.is(reply.status, 500);
  assert.is(context.plane.records.at(-1)?.error ?? 'policy/failed', 'policy/failed');
});

test('onAttempt sees each attempt as the target gets it, and its fields last for that attempt', async (context) => {
  const seen: string[] = [];
  let after = '';
  await load(context, {
    before: (exchange) => void exchange.headers.set('x-before', '1'),
    onAttempt: async (_exchange, attempt) => {
      seen.push(
        `${attempt.number} ${attempt.method} ${attempt.path} ${attempt.header('x-before')} ${attempt.header('x-sign')}`,
      );
      await new Promise((resolve) => setImmediate(resolve));
      attempt.set('x-sign', String(attempt.number));
      attempt.set('host', 'signed.example');
    },
    after: (exchange) => {
      after = exchange.header('x-sign') ?? 'gone';
    },
  });
  let first = true;
  context.target.respond = (request, socket) => {
    if (first) socket.resetAndDestroy();
    else ok(`${request.header('x-sign')} ${request.header('host')}`)(request, socket);
    first = false;
  };
  const reply = await context.plane.ask(GET.replace('/ ', '/a?b=1 '));
  assert.equal(seen, ['1 GET /a?b=1 1 undefined', '2 GET /a?b=1 1 undefined']);
  assert.is(reply.body.toString(), '2 signed.example');
  assert.is(after, 'gone');
});

test('a policy may ask for one repeat after 401, also with a collected body', async (context) => {
  const seen: string[] = [];
  await load(context, {
    body: BOTH,
    run: {
      onRequestBody: () => undefined,
      onAttempt: (_exchange, attempt) => {
        seen.push(`${attempt.unauthorized} ${Buffer.from(attempt.body ?? []).toString()}`);
        attempt.set('authorization', attempt.unauthorized ? 'new' : 'old');
        attempt.repeatAfter401();
      },
    },
  });
  let got = '';
  context.target.respond = whole(
    (payload) => {
      got = payload.toString();
    },
    (request, socket) => {
      const status = request.header('authorization') === 'new' ? '200 OK' : '401 Unauthorized';
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nok`);
    },
  );
  assert.is((await context.plane.ask(post('body'))).status, 200);
  assert.is(got, 'body');
  assert.equal(seen, ['false body', 'true body']);

  context.target.respond = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
  assert.is((await context.plane.ask(GET)).status, 401);
  assert.is(seen.length, 4, 'one repeat, not more');
});

test('a policy may answer in place of an attempt, also of the repeat after 401', async (context) => {
  const refusal = () =>
    problem(undefined, { status: 503, code: 'upstream/credentials', title: 'None', cause: 'no token' });
  await load(context, {
    onAttempt: async (_exchange, attempt) => {
      attempt.repeatAfter401();
      return attempt.unauthorized ? refusal() : undefined;
    },
  });
  context.target.respond = (_request, socket) => socket.write('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
  assert.is((await context.plane.ask(GET)).status, 503);
  const record = await context.plane.record(({ status }) => status === 503);
  assert.equal([record.error, record.cause], ['upstream/credentials', 'no token']);
  assert.is(context.target.arrived.length, 1);

  await load(context, { onAttempt: refusal });
  const upgrade = GET.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  for (const request of [GET, upgrade, post('body')]) assert.is((await context.plane.ask(request)).status, 503);
  assert.is(context.target.arrived.length, 1, 'no further request has reached the target');

  await load(context, { onAttempt: () => ({ status: 200 }) as unknown as Reply });
  assert.is((await context.plane.ask(GET)).status, 500);
});

test('strip() of a policy that does not authenticate runs where its condition does not hold', async (context) => {
  const text = specOf(context.target.url, {
    route: 'policies = [{ use = "upstream-auth", fields = { x-key = "k" }, when = "request.method == \'POST\'" }]',
  });
  await context.plane.load(text);
  const forged = (request: string): string => request.replace('\r\n\r\n', '\r\nX-Key: forged\r\n\r\n');
  assert.is((await context.plane.ask(forged(GET))).status, 200);
  assert.is((await context.plane.ask(forged(post('body')))).status, 200);
  assert.equal(
    context.target.arrived.map((request) => request.header('x-key')),
    [undefined, 'k'],
  );
});

test('the policies of a service act on all routes that forward to it', async (context) => {
  const text = specOf(context.target.url, {
    service: 'policies = ["sign"]',
    more: '[policy.sign]\nuse = "upstream-auth"\nbasic = { username = "gw", password = "pw" }',
  });
  await context.plane.load(text);
  assert.is((await context.plane.ask(GET)).status, 200);
  assert.is(context.target.arrived[0]!.header('authorization'), `Basic ${Buffer.from('gw:pw').toString('base64')}`);
});

test('a policy that fails before an attempt refuses the request', async (context) => {
  await load(context, {
    onAttempt: () => {
      throw new Error('no key');
    },
  });
  assert.is((await context.plane.ask(GET)).status, 500);
  assert.is(context.target.arrived.length, 0);
});

test.run();
