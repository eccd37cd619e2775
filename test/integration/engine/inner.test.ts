/** Further requests of an exchange: through match and chain, bounded, ended with it. */
import * as assert from 'uvu/assert';
import type {
  BodySource,
  Exchange,
  PolicyHost,
  PolicyInstance,
  StreamedReply,
  SubRequest,
} from '../../../src/policies/contract.js';
import { BytesReply, HeaderMap } from '../../../src/policies/run-kit.js';
import { DEEPEST, MOST_BACKGROUND, MOST_SUBREQUESTS } from '../../../src/proxy/exchange/inner/exchanges.js';
import { failureOf } from '../../support/calls.js';
import { flood, never, ok, sayAndClose, whole } from '../../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('exchanges inside gw');

const ask = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;

const OWN = '[[route]]\nname = "own"\nmatch = "GET /own"\nreply = { status = 203, body = "own reply" }\n';

/** Runs `policy` first on every route. */
async function load({ plane, target }: EngineContext, policy: (host: PolicyHost) => PolicyInstance): Promise<void> {
  await plane.load(specOf(target.url, { more: OWN }), withPolicies([{ run: policy }]));
}

const textOf = ({ body }: StreamedReply): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    body.start({
      write(bytes) {
        text += Buffer.from(bytes).toString();
        return true;
      },
      end: () => resolve(text),
      fail: (cause) => reject(new Error(cause)),
      onWritable() {},
    });
  });

/** A body that comes in parts. */
const inTurns = (...parts: string[]): BodySource => ({
  length: -1,
  start(out) {
    const next = (): void => {
      const part = parts.shift();
      if (part === undefined) out.end();
      else {
        out.write(Buffer.from(part));
        setImmediate(next);
      }
    };
    next();
  },
  discard() {
    parts.length = 0;
  },
});

/** A policy that answers `/run` by what `run` returns. */
const answering =
  (run: (exchange: Exchange, send: (request: SubRequest) => Promise<StreamedReply>) => Promise<string>) =>
  (host: PolicyHost): PolicyInstance => ({
    async before(exchange) {
      if (exchange.path !== '/run') return undefined;
      return new BytesReply(200, { body: await run(exchange, (request) => host.subrequest(exchange, request)) });
    },
  });

const GET: SubRequest = { method: 'GET', path: '/x?y=1' };

test('further requests run match and chain for the same client, with records of their own', async (context) => {
  let body = '';
  context.target.respond = whole(
    (bytes) => {
      body = bytes.toString();
    },
    ok('from the target', 'X-Hop: 1\r\nConnection: x-hop\r\nX-A: 1\r\n'),
  );
  await load(
    context,
    answering(async (_exchange, send) => {
      const headers = [
        ['x-own', '1'],
        ['x-forwarded-for', '6.6.6.6'],
        ['host', 'other.example'],
        ['connection', 'x-own'],
      ] as const;
      const first = await send({ method: 'POST', path: '/x?y=1', headers, body: 'sent' });
      const fields = [...first.headers.entries()].map(([name]) => name).join();
      const text = `${first.status} ${fields} ${first.body.length} ${await textOf(first)}`;
      const second = await send({ method: 'GET', path: '/own' });
      return `${text}; ${second.status} ${await textOf(second)}`;
    }),
  );
  const reply = await context.plane.ask(ask('/run'));
  assert.is(reply.body.toString(), '200 x-a 15 from the target; 203 own reply');
  assert.is(body, 'sent');
  const [request] = context.target.arrived;
  assert.is(request!.head.split('\r\n')[0], 'POST /x?y=1 HTTP/1.1');
  assert.is(request!.header('host'), 'a.example');
  assert.is(request!.header('x-own'), '1');
  assert.is(request!.header('x-forwarded-for'), '127.0.0.1');
  const own = await context.plane.record(({ route }) => route === 'own');
  const outer = await context.plane.record(({ url }) => url === '/run');
  assert.is(own.id, `${outer.id}.2`);
  assert.is(own.status, 203);
});

test('a further request without a route gets 404 of gw', async (context) => {
  await load(
    context,
    answering(async (_exchange, send) => String((await send({ method: 'GET', path: '/../..' })).status)),
  );
  assert.ok((await context.plane.ask(ask('/run'))).status === 200);
});

test('further requests are bounded in number and depth', async (context) => {
  context.target.respond = ok('x');
  await load(
    context,
    answering(async (_exchange, send) => {
      for (let i = 0; i < MOST_SUBREQUESTS; i++) (await send({ method: 'GET', path: '/own' })).body.discard();
      return (await failureOf(send(GET))).cause;
    }),
  );
  assert.match((await context.plane.ask(ask('/run'))).body.toString(), /more than 32 further requests/);
  let depth = 0;
  await load(context, (host) => ({
    async before(exchange) {
      try {
        const inner = await host.subrequest(exchange, { method: 'GET', path: '/deep' });
        depth++;
        return new BytesReply(200, { body: await textOf(inner) });
      } catch (error) {
        return new BytesReply(200, { body: String(error) });
      }
    },
  }));
  assert.match((await context.plane.ask(ask('/deep'))).body.toString(), /nest deeper than 4 levels/);
  assert.is(depth, DEEPEST);
});

test('further requests end with their exchange', async (context) => {
  context.target.respond = never;
  let failure = '';
  await load(
    context,
    answering(async (_exchange, send) => {
      failure = (await failureOf(send(GET))).error;
      return failure;
    }),
  );
  const client = context.plane.client();
  client.send(ask('/run'));
  await until(() => context.target.arrived.length === 1, 'the further request');
  client.socket.resetAndDestroy();
  await until(() => failure !== '', 'its end');
  assert.is(failure, 'downstream/aborted');
  await until(() => context.target.open === 0, 'the connection to close');
});

test('further requests have the deadline of their exchange', async (context) => {
  context.target.respond = never;
  await load(
    context,
    answering(async (_exchange, send) => String((await send(GET)).status)),
  );
  const client = context.plane.client();
  client.send(ask('/run'));
  await until(() => context.target.arrived.length === 1, 'the further request');
  context.time.pass(30_000);
  context.time.pass(31_000);
  assert.is((await client.reply()).status, 504);
  client.destroy();
});

test('a reply that breaks off fails its receiver; one that is discarded frees its connection', async (context) => {
  context.target.respond = sayAndClose('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc');
  await load(
    context,
    answering(async (_exchange, send) => {
      const cut = await textOf(await send(GET)).catch((error: unknown) => String(error));
      context.target.respond = flood(10_000_000);
      (await send(GET)).body.discard();
      return cut;
    }),
  );
  const reply = await context.plane.ask(ask('/run'));
  assert.match(reply.body.toString(), /closed by the target within the body/);
  await until(() => context.target.open === 0, 'the connections to close');
});

test('a further request gets a reply that a policy streams', async (context) => {
  await load(context, (host) => ({
    async before(exchange) {
      if (exchange.path !== '/run')
        return { status: 200, headers: new HeaderMap(), body: inTurns('streamed ', 'body') };
      const reply = await host.subrequest(exchange, GET);
      return new BytesReply(200, { body: `${reply.body.length} ${await textOf(reply)}` });
    },
  }));
  assert.is((await context.plane.ask(ask('/run'))).body.toString(), '-1 streamed body');
});

test('a further request that cannot be sent is refused', async (context) => {
  await load(
    context,
    answering(async (_exchange, send) => {
      const causes: string[] = [];
      const wrong: SubRequest[] = [
        { method: 'G T', path: '/' },
        { method: 'GET', path: 'x' },
        { method: 'GET', path: '/', headers: [['a', 'b\r\nc: d']] },
        { method: 'GET', path: '/', headers: [['content_length', '5']] },
      ];
      for (const request of wrong) await send(request).catch((error: unknown) => causes.push(String(error)));
      return causes.join('\n');
    }),
  );
  const text = (await context.plane.ask(ask('/run'))).body.toString();
  assert.is(text.split('\n').length, 4);
  assert.match(text, /Not a method.*\n.*Not a path.*\n.*TypeError.*\n.*content_length/);
});

/** Steps around a policy that answers at once and continues in the background. */
function background(host: { ended: string[]; replies: string[]; failures: string[] }): TestPolicy[] {
  const mark = (name: string): PolicyInstance => ({
    after: (_exchange, reply) => {
      reply.headers.append('x-after', name);
      return undefined;
    },
    finished: (_exchange, end) => void host.ended.push(`${name} ${end}`),
  });
  const answering = (own: PolicyHost): PolicyInstance => ({
    ...mark('answering'),
    async before(exchange) {
      own.background(exchange).then(
        async (reply) => host.replies.push(`${reply.status} ${reply.headers.get('x-after')} ${await textOf(reply)}`),
        (error: unknown) => host.failures.push(String(error)),
      );
      return new BytesReply(200, { body: 'stale' });
    },
  });
  return [
    { run: mark('outer') },
    { run: mark('fields'), replyPhase: 'fields' },
    { name: 'answering', run: answering },
    { run: mark('inner') },
    { run: { before: (exchange) => void exchange.headers.set('x-inner', exchange.param('rest') ?? '') } },
  ];
}

test('a copy of an exchange continues in the background with the steps after the policy', async (context) => {
  const seen = { ended: [] as string[], replies: [] as string[], failures: [] as string[] };
  context.target.respond = never;
  await context.plane.load(specOf(context.target.url), withPolicies(background(seen)));
  const reply = await context.plane.ask(ask('/some/path?a=1', 'X-A: 1\r\n'));
  assert.equal([reply.body.toString(), reply.header('x-after')], ['stale', 'outer, fields']);
  await until(() => context.target.arrived.length === 1, 'the request in the background');
  assert.equal(seen.ended, ['outer sent', 'fields sent', 'answering sent']);
  const [request] = context.target.arrived;
  assert.equal(
    [request!.url, request!.header('x-a'), request!.header('x-inner')],
    ['/some/path?a=1', '1', 'some/path'],
  );
  assert.is(request!.header('x-forwarded-for'), '127.0.0.1');
  // The generation is held: a reload closes its policies after the copy has ended.
  await context.plane.load(specOf(context.target.url));
  assert.equal(seen.replies, []);
  request!.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfresh');
  await until(() => seen.replies.length === 1, 'the reply in the background');
  assert.equal(seen.replies, ['200 inner fresh']);
  assert.is(seen.ended.at(-1), 'inner sent');
  assert.is(seen.ended.length, 4);
});

test('exchanges in the background are bounded, take part in a drain, and end with it', async (context) => {
  const seen = { ended: [] as string[], replies: [] as string[], failures: [] as string[] };
  context.target.respond = never;
  await context.plane.load(specOf(context.target.url), withPolicies(background(seen)));
  for (let i = 0; i <= MOST_BACKGROUND; i++) await context.plane.ask(ask('/'));
  await until(() => seen.failures.length === 1, 'a refusal');
  assert.match(seen.failures[0]!, /64 exchanges continue in the background/);
  await until(() => context.target.arrived.length === MOST_BACKGROUND, 'all requests');
  const [first, ...others] = context.target.arrived;
  for (const { socket } of others) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
  await until(() => seen.replies.length === MOST_BACKGROUND - 1, 'their replies');
  const drained = context.plane.plane.drain(60_000);
  let over = false;
  void drained.then(() => {
    over = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.not.ok(over);
  first!.socket.write('HTTP/1.1 204 No Content\r\n\r\n');
  await drained;
  assert.is(seen.replies.length, MOST_BACKGROUND);
});

test('an exchange in the background has the time of its route', async (context) => {
  const seen = { ended: [] as string[], replies: [] as string[], failures: [] as string[] };
  context.target.respond = never;
  await context.plane.load(specOf(context.target.url, { route: 'timeout = "20s"' }), withPolicies(background(seen)));
  await context.plane.ask(ask('/'));
  await until(() => context.target.arrived.length === 1, 'the request in the background');
  context.time.pass(20_001);
  await until(() => seen.replies.length === 1, 'the reply in the background');
  assert.match(seen.replies[0]!, /^504 inner .*Request timed out/);
  await until(() => context.target.open === 0, 'the connection to close');
});

test('a request with a body cannot continue in the background', async (context) => {
  const seen = { ended: [] as string[], replies: [] as string[], failures: [] as string[] };
  await context.plane.load(specOf(context.target.url), withPolicies(background(seen)));
  await context.plane.ask('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi');
  await until(() => seen.failures.length === 1, 'a refusal');
  assert.match(seen.failures[0]!, /TypeError.*with a body/);
});

test.run();
