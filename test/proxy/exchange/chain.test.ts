import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Condition } from '../../../src/expression/condition.js';
import type { PolicyInstance, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { CollectBudget } from '../../../src/proxy/exchange/body/collector.js';
import { Callers } from '../../../src/proxy/exchange/chain/callers.js';
import { Chain } from '../../../src/proxy/exchange/chain/chain.js';
import { GwExchange } from '../../../src/proxy/exchange/exchange.js';
import { Generation, PolicyInstances } from '../../../src/proxy/exchange/generation.js';
import { peerOf, TrustedProxies } from '../../../src/proxy/exchange/peer.js';
import { RequestHead } from '../../../src/proxy/http/request-head.js';
import { OfflineCalls } from '../../../src/proxy/offline/calls.js';
import { LiveConsumers } from '../../../src/state/consumers/live.js';
import { LimitTable } from '../../../src/state/limits/table.js';
import { NoSharedResult } from '../../../src/state/single-flight.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { generationOf, specOf } from '../../integration/engine-kit.js';
import { noExchanges } from '../../support/calls.js';
import { stores } from '../../support/stores.js';
import { virtualClock } from '../../support/virtual-clock.js';

const errors: string[] = [];
const logger = {
  debug() {},
  info() {},
  warn() {},
  error: (message: string, fields?: { readonly [key: string]: unknown }) =>
    void errors.push(`${message}: ${String(fields?.['cause'])}`),
};
const world = {
  clock: virtualClock(() => 0),
  random: () => 0,
  logger,
  limits: new LimitTable(LimitTable.allocate({ slots: 16 })),
  calls: new OfflineCalls({ mocksOf: () => ({}), services: () => undefined, unknown() {} }),
  exchanges: noExchanges,
  ...stores(virtualClock(() => 0)),
};
const generation = new Generation(
  generationOf(specOf('http://127.0.0.1:1'), new StatsRegistry()),
  new PolicyInstances(world),
  logger,
);

interface Step extends PolicyInstance {
  readonly outermost?: boolean;
  readonly when?: Condition;
}

const chainOf = (steps: readonly Step[]): Chain =>
  new Chain(
    steps.map((instance, index) => ({
      name: `p${index}`,
      use: 'test',
      instance,
      replyPhase: instance.outermost === true ? 'fields' : undefined,
      when: instance.when,
    })),
    logger,
    new Callers(new LiveConsumers(), () => 0),
  );

function exchangeOf(decisions = false): GwExchange {
  const head = new RequestHead();
  head.parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n', {
    maxHeaderBytes: 1000,
    maxHeaders: 10,
    maxTargetBytes: 1000,
    underscores: 'keep',
  });
  const peer = peerOf('127.0.0.1', 'http', new TrustedProxies([]), { entry: { name: 'main', maxBodyBytes: 1 } });
  const exchange = new GwExchange(
    head,
    peer,
    generation,
    { newId: () => 'id', now: () => 0, monotonic: () => 0, collectBudget: new CollectBudget() },
    0,
  );
  if (decisions) exchange.decisions = [];
  return exchange;
}

/** The reply of leave(), which is synchronous for these policies. */
function left(chain: Chain, exchange: GwExchange, given: Reply): Reply {
  const reply = chain.leave(exchange, given);
  if (reply === undefined || reply instanceof Promise) throw new Error('leave() is not synchronous');
  return reply;
}

/** Runs an exchange through `steps` to a target that replies 200. */
async function run(
  steps: readonly Step[],
  decisions = false,
): Promise<{ reply: Reply; exchange: GwExchange; asked: boolean }> {
  const chain = chainOf(steps);
  const exchange = exchangeOf(decisions);
  const early = await chain.enter(exchange);
  return { reply: left(chain, exchange, early ?? new BytesReply(200)), exchange, asked: early === undefined };
}

const mark = (name: string, outermost = false): Step => ({
  outermost,
  after: (_exchange, reply) => void reply.headers.append('x-mark', name),
});

test('without policies the request reaches the target', async () => {
  const { reply, asked } = await run([]);
  assert.is(reply.status, 200);
  assert.ok(asked);
});

test('after() runs in reverse order', async () => {
  const { reply } = await run([mark('outer'), {}, mark('inner')]);
  assert.is(reply.headers.get('x-mark'), 'inner, outer');
});

test('a reply of before() ends the request direction; earlier steps see the reply', async () => {
  const { reply, asked, exchange } = await run([
    mark('outer'),
    { before: () => new BytesReply(403, { code: 'no/no' }) },
    mark('inner'),
  ]);
  assert.is(reply.status, 403);
  assert.is(reply.headers.get('x-mark'), 'outer');
  assert.not.ok(asked);
  assert.is(exchange.error, 'no/no');
});

test('steps with a reply phase edit every reply outermost, in the order of the chain', async () => {
  const steps = [mark('cors', true), mark('limit'), mark('headers', true), mark('inner')];
  assert.is((await run(steps)).reply.headers.get('x-mark'), 'inner, limit, headers, cors');
  const refusing = [{ before: () => new BytesReply(401) }, ...steps];
  assert.is((await run(refusing)).reply.headers.get('x-mark'), 'headers, cors');
  const none = exchangeOf();
  assert.is(left(chainOf(steps), none, new BytesReply(413)).headers.get('x-mark'), 'headers, cors');
});

test('a step never sees its own reply', async () => {
  for (const outermost of [false, true]) {
    const answering = { ...mark('own', outermost), before: () => new BytesReply(204) };
    const { reply } = await run([mark('outer'), answering, mark('inner'), mark('last', true)]);
    assert.is(reply.headers.get('x-mark'), 'outer, last');
  }
});

test('an engine reply during a pending before() unwinds the passed steps, and the late result is dropped', async () => {
  let discarded = 0;
  for (const late of [
    undefined,
    new BytesReply(418),
    { ...new BytesReply(200), body: { discard: () => void discarded++ } },
    { ...new BytesReply(200), body: 'not a body' as never },
    new Error('late'),
  ]) {
    errors.length = 0;
    let settle = (): void => {};
    const pending: Step = {
      ...mark('pending'),
      before: () =>
        new Promise((resolve, reject) => {
          settle = () => (late instanceof Error ? reject(late) : resolve(late));
        }),
    };
    const after: Step = { ...mark('after'), before: () => assert.unreachable() as never };
    const chain = chainOf([mark('first'), { before: async () => undefined }, mark('second'), pending, after]);
    const exchange = exchangeOf(true);
    const entering = chain.enter(exchange);
    await new Promise((resolve) => setImmediate(resolve));
    const reply = left(chain, exchange, new BytesReply(504));
    assert.is(reply.headers.get('x-mark'), 'second, first');
    exchange.settled = true;
    const { decisions, error } = exchange;
    const count = decisions!.length;
    settle();
    assert.is(await entering, undefined);
    assert.is(exchange.decisions!.length, count);
    assert.is(exchange.error, error);
    assert.equal(errors, []);
  }
  assert.is(discarded, 1);
});

test('before() can be asynchronous', async () => {
  const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));
  assert.is((await run([{ before: () => later(undefined) }, mark('x')])).reply.headers.get('x-mark'), 'x');
  assert.is((await run([{ before: () => later(new BytesReply(418)) }])).reply.status, 418);
});

test('after() can replace the reply; earlier steps see the new one', async () => {
  let discarded = 0;
  const replacing: Step = { after: () => new BytesReply(299) };
  const { reply } = await run([mark('outer'), replacing, mark('inner')]);
  assert.is(reply.status, 299);
  assert.is(reply.headers.get('x-mark'), 'outer');
  const stream = { ...new BytesReply(200), body: { discard: () => void discarded++ } };
  const chain = chainOf([
    {
      after: () => {
        throw new Error('boom');
      },
    },
  ]);
  const exchange = exchangeOf();
  exchange.entered = 1;
  assert.is(left(chain, exchange, stream).status, 500);
  assert.is(discarded, 1);
});

test('any exception or rejection of a policy: 500', async () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  for (const instance of [
    { before: boom },
    { before: () => Promise.reject(new Error('boom')) },
    { after: boom },
  ] satisfies PolicyInstance[]) {
    errors.length = 0;
    const { reply, exchange } = await run([mark('outer'), instance], true);
    assert.is(reply.status, 500);
    assert.is(reply.headers.get('x-mark'), 'outer');
    assert.is(exchange.error, 'policy/failed');
    assert.ok(exchange.decisions?.some(({ outcome }) => outcome === 'error'));
    assert.match(errors.join(), /boom/);
    assert.not.match(String(reply.body && Buffer.from(reply.body as Uint8Array)), /boom/);
  }
});

test('a step without its own decision gets a default one', async () => {
  const { exchange } = await run([{ before: () => undefined }, { before: () => new BytesReply(403) }], true);
  assert.equal(
    exchange.decisions?.map(({ step, outcome }) => `${step} ${outcome}`),
    ['p0 pass', 'p1 answer'],
  );
});

test('an asynchronous before() reports its decision once', async () => {
  const decide = (exchange: Parameters<NonNullable<PolicyInstance['before']>>[0], step: string): void =>
    void exchange.decisions?.push({ step, use: 'test', outcome: 'pass', why: 'its own' });
  const { exchange } = await run(
    [
      {
        before: async (given) => {
          decide(given, 'p0');
          await Promise.resolve();
          return undefined;
        },
      },
      {
        before: async (given) => {
          await Promise.resolve();
          decide(given, 'p1');
          return new BytesReply(403);
        },
      },
    ],
    true,
  );
  assert.equal(
    exchange.decisions?.map(({ step, why }) => `${step} ${why}`),
    ['p0 its own', 'p1 its own'],
  );
});

test('trusted proxies: the client is the last address that is not a trusted proxy', () => {
  const proxies = new TrustedProxies(['10.0.0.0/8', '::1', '192.168.1.1']);
  assert.ok(proxies.has('10.9.9.9') && proxies.has('::1') && proxies.has('192.168.1.1'));
  assert.not.ok(proxies.has('11.0.0.1') || proxies.has('junk'));
  assert.is(proxies.clientOf(['6.6.6.6', '9.9.9.9', '10.0.0.1'], 'peer'), '9.9.9.9');
  assert.is(proxies.clientOf(['10.0.0.2', '10.0.0.1'], 'peer'), '10.0.0.2');
  assert.is(proxies.clientOf(['9.9.9.9', 'junk'], 'peer'), 'peer');
  const listener = { entry: { name: 'main', maxBodyBytes: 1 } };
  assert.is(peerOf('::ffff:10.0.0.1', 'http', proxies, listener).address, '10.0.0.1');
  assert.throws(() => new TrustedProxies(['10.0.0.0/99']));
  assert.throws(() => new TrustedProxies(['junk']));
});

test('an authenticator that gets no answer of other workers is an outage; any other rejection is a fault', async () => {
  const rejecting = (error: Error): Step => ({ authenticate: () => Promise.reject(error) });
  const late = (await run([rejecting(new NoSharedResult('too late'))])).reply;
  assert.equal([late.status, (late as BytesReply).code], [503, 'auth/unavailable']);
  const fault = (await run([rejecting(new Error('a bug'))])).reply;
  assert.equal([fault.status, (fault as BytesReply).code], [500, 'policy/failed']);
  errors.length = 0;
});

test('a refused request shows no credential to replies, also those of later authenticators', async () => {
  const strips: string[] = [];
  const authenticator = (name: string, refuses: boolean): Step => ({
    authenticate: () =>
      refuses
        ? { outcome: 'refused', why: 'wrong', problem: { code: 'auth/invalid', title: 'Wrong' } }
        : { outcome: 'identity', why: 'known' },
    strip: () => void strips.push(name),
  });
  assert.is((await run([authenticator('a', true), authenticator('b', false)])).reply.status, 401);
  assert.equal(strips.splice(0), ['a', 'b']);
  assert.is((await run([authenticator('a', false), authenticator('b', false)])).reply.status, 200);
  assert.equal(strips, ['a', 'b']);
});

test('a step whose condition cannot be evaluated is not entered: no hook of it runs', () => {
  const calls: string[] = [];
  const note = (what: string) => (): undefined => void calls.push(what);
  const holds = (): never => {
    throw new Error('no int in this string');
  };
  const chain = chainOf([
    { before: note('before'), finished: note('finished') },
    {
      outermost: true,
      when: { source: 'x', onReply: false, holds },
      before: note('entered'),
      after: note('left'),
      finished: note('ended'),
    },
  ]);
  const exchange = exchangeOf();
  const reply = chain.enter(exchange) as Reply;
  assert.is(reply.status, 500);
  chain.leave(exchange, reply);
  chain.finished(exchange, 'sent');
  assert.equal(calls, ['before', 'finished']);
});

test.run();
