import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PolicyInstance, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { Chain, type ChainDriver } from '../../../src/proxy/exchange/chain.js';
import { GwExchange } from '../../../src/proxy/exchange/exchange.js';
import { Generation, PolicyInstances } from '../../../src/proxy/exchange/generation.js';
import { peerOf, TrustedProxies } from '../../../src/proxy/exchange/peer.js';
import { RequestHead } from '../../../src/proxy/http/request-head.js';
import { LimitTable } from '../../../src/state/limits/table.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { generationOf, specOf } from '../../integration/engine-kit.js';
import { virtualClock } from '../../support/virtual-clock.js';

const errors: string[] = [];
const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) };
const world = {
  clock: virtualClock(() => 0),
  random: () => 0,
  logger,
  limits: new LimitTable(LimitTable.allocate({ slots: 16 })),
};
const generation = new Generation(
  generationOf(specOf('http://127.0.0.1:1'), new StatsRegistry()),
  new PolicyInstances(world),
  logger,
);

/** Runs instances around a target that answers 200 `asked`; resolves with the reply and what was noted on the way. */
function run(
  instances: readonly PolicyInstance[],
  decisions = false,
  broken = false,
): Promise<{ reply: Reply; exchange: GwExchange; asked: number }> {
  const chain = new Chain(
    instances.map((instance, index) => ({ name: `p${index}`, use: 'test', instance })),
    logger,
  );
  const head = new RequestHead();
  head.parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n', {
    maxHeaderBytes: 1000,
    maxHeaders: 10,
    maxTargetBytes: 1000,
    underscores: 'keep',
  });
  const peer = peerOf('127.0.0.1', 'http', new TrustedProxies([]), { entry: { name: 'main' } });
  const exchange = new GwExchange(head, peer, generation, { newId: () => 'id', now: () => 0, monotonic: () => 0 }, 0);
  if (decisions) exchange.decisions = [];
  exchange.chain = chain;
  let asked = 0;
  return new Promise((resolve) => {
    const driver: ChainDriver = {
      terminal(given) {
        asked++;
        if (broken) throw new Error('a bug behind the policies');
        chain.replied(given, new BytesReply(200));
      },
      deliver(given, reply) {
        given.settled = true;
        resolve({ reply, exchange, asked });
      },
    };
    exchange.driver = driver;
    chain.run(exchange);
  });
}

const mark = (name: string): PolicyInstance => ({
  after: (_exchange, reply) => reply.headers.append('x-mark', name),
});

test('without policies the target is asked', async () => {
  const { reply, asked } = await run([]);
  assert.is(reply.status, 200);
  assert.is(asked, 1);
});

test('after() runs from the inside out', async () => {
  const { reply } = await run([mark('outer'), {}, mark('inner')]);
  assert.is(reply.headers.get('x-mark'), 'inner, outer');
});

test('a policy that answers ends it; those outside see the reply', async () => {
  const { reply, asked, exchange } = await run([
    mark('outer'),
    { before: () => new BytesReply(403, { code: 'no/no' }) },
    mark('inner'),
  ]);
  assert.is(reply.status, 403);
  assert.is(reply.headers.get('x-mark'), 'outer');
  assert.is(asked, 0);
  assert.is(exchange.error, 'no/no');
});

test('before() may be asynchronous', async () => {
  const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));
  assert.is((await run([{ before: () => later(undefined) }, mark('x')])).reply.headers.get('x-mark'), 'x');
  assert.is((await run([{ before: () => later(new BytesReply(418)) }])).reply.status, 418);
});

test('a throw, a rejection, in whatever form, refuses with 500', async () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  for (const instance of [
    { before: boom },
    { before: () => Promise.reject(new Error('boom')) },
    { after: boom },
    { wrap: () => boom },
    { wrap: () => () => Promise.reject(new Error('boom')) },
  ] satisfies PolicyInstance[]) {
    errors.length = 0;
    const { reply, exchange } = await run([mark('outer'), instance], true);
    assert.is(reply.status, 500);
    assert.is(exchange.error, 'policy/failed');
    assert.ok(exchange.decisions?.some(({ outcome }) => outcome === 'error'));
    assert.match(errors.join(), /boom/);
    assert.not.match(String(reply.body && Buffer.from(reply.body as Uint8Array)), /boom/);
  }
});

test('wrap() may change, replace and skip, with before() and after() in the same order around it', async () => {
  const wrapping: PolicyInstance = {
    wrap: (next) => async (exchange) => {
      const reply = await next(exchange);
      reply.headers.append('x-mark', 'wrap');
      return reply;
    },
  };
  const { reply, asked } = await run([mark('outer'), { before: () => undefined }, wrapping, mark('inner')], true);
  assert.is(reply.headers.get('x-mark'), 'inner, wrap, outer');
  assert.is(asked, 1);
  const skipped = await run([mark('outer'), { wrap: () => () => new BytesReply(202) }, mark('inner')]);
  assert.is(skipped.reply.status, 202);
  assert.is(skipped.asked, 0);
  const early = await run([wrapping, { before: () => new BytesReply(401) }]);
  assert.is(early.reply.status, 401);
  assert.is(early.reply.headers.get('x-mark'), 'wrap');
});

test('what throws behind a policy that was waited for ends the exchange', async () => {
  for (const waiting of [{ before: async () => undefined }, { wrap: (next) => next }] satisfies PolicyInstance[]) {
    errors.length = 0;
    const { reply } = await run([mark('outer'), waiting], false, true);
    assert.is(reply.status, 500);
    assert.equal(errors, ['A policy failed; the request was refused: a bug behind the policies']);
  }
});

test('a step that tells nothing of itself still shows', async () => {
  const { exchange } = await run([{ before: () => undefined }, { before: () => new BytesReply(403) }], true);
  assert.equal(
    exchange.decisions?.map(({ step, outcome }) => `${step} ${outcome}`),
    ['p0 pass', 'p1 answer'],
  );
});

test('trusted proxies: the client is the last address that is none of them', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '::1', '192.168.1.1']);
  assert.ok(proxies.has('10.9.9.9') && proxies.has('::1') && proxies.has('192.168.1.1'));
  assert.not.ok(proxies.has('11.0.0.1') || proxies.has('junk'));
  assert.is(proxies.clientOf(['6.6.6.6', '9.9.9.9', '10.0.0.1'], 'peer'), '9.9.9.9');
  assert.is(proxies.clientOf(['10.0.0.2', '10.0.0.1'], 'peer'), '10.0.0.2');
  assert.is(proxies.clientOf(['9.9.9.9', 'junk'], 'peer'), 'peer');
  assert.is(peerOf('::ffff:10.0.0.1', 'http', proxies, { entry: { name: 'main' } }).address, '10.0.0.1');
  assert.throws(() => new TrustedProxies(['10.0.0.0/99']));
  assert.throws(() => new TrustedProxies(['junk']));
});

test.run();
