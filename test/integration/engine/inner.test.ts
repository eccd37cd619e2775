/** Further requests of an exchange: through match and chain, bounded, ended with it. */
import * as assert from 'uvu/assert';
import type {
  Exchange,
  PolicyHost,
  PolicyInstance,
  StreamedReply,
  SubRequest,
} from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { runHalves } from '../../../src/policies/run-registry.js';
import { DEEPEST, MOST_SUBREQUESTS } from '../../../src/proxy/exchange/inner/exchanges.js';
import { failureOf } from '../../support/calls.js';
import { flood, never, ok, sayAndClose, whole } from '../../support/fault-target.js';
import { until } from '../../support/until.js';
import { generationOf, specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('further requests');

const ask = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;

/** Runs `policy` first on every route. */
async function load({ plane, target }: EngineContext, policy: (host: PolicyHost) => PolicyInstance): Promise<void> {
  Object.assign(runHalves, { 'test-inner': (_settings: unknown, host: PolicyHost) => policy(host) });
  const reply = '[[route]]\nname = "own"\nmatch = "GET /own"\nreply = { status = 203, body = "own reply" }\n';
  const input = generationOf(specOf(target.url, { more: reply }), plane.registry, 2);
  const { program } = input;
  const entry = {
    use: 'test-inner',
    name: 'inner',
    phase: 'transform' as const,
    identity: String(Math.random()),
    settings: null,
    config: {},
    origins: {},
  };
  const routes = program.routes.map((route) => ({ ...route, policies: [program.policies.length] }));
  const bound = await plane.plane.load({ ...input, program: { ...program, policies: [entry], routes } });
  plane.ports = bound.map(({ address }) => Number(address.slice(address.lastIndexOf(':') + 1)));
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

test('run match and chain for the same client, with records of their own', async (context) => {
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

test('a request without a route gets 404 of gw', async (context) => {
  await load(
    context,
    answering(async (_exchange, send) => String((await send({ method: 'GET', path: '/../..' })).status)),
  );
  assert.ok((await context.plane.ask(ask('/run'))).status === 200);
});

test('are bounded in number and depth', async (context) => {
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

test('end with their exchange', async (context) => {
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

test('have the deadline of their exchange', async (context) => {
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

test('a request that cannot be sent is refused', async (context) => {
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

test.run();
