import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, Decision, Exchange, LimitStore, PlanEntry, Reply } from '../../src/policies/contract.js';
import { create as createPlan } from '../../src/policies/plan/run.js';
import { seededBelow } from '../support/random.js';
import { bodyOf, compile, create, exchange, host, lint, targetReply, type World, world } from './support.js';

const minute = (capacity: number): { capacity: number; periodMs: number } => ({ capacity, periodMs: 60_000 });

function around(...plans: PlanEntry[]): World {
  const found = world();
  found.plans = plans;
  return found;
}

const consumer = (name: string, plan?: string): ConsumerEntry => ({
  name,
  ...(plan === undefined ? {} : { plan }),
  groups: [],
  credentials: [],
  tags: {},
});

const on = (who: ConsumerEntry | undefined, route: { name?: string; tags?: string[] } = {}, more = {}): Exchange => {
  const base = exchange({ ...(who === undefined ? {} : { consumer: who }), ...more });
  return { ...base, route: { ...base.route, ...route } };
};

type Policy = ReturnType<typeof create>;

function enter(policy: Policy, given: Exchange): Reply | undefined {
  const reply = policy.before?.(given);
  assert.not.ok(reply instanceof Promise, 'the stores in memory answer at once');
  return reply as Reply | undefined;
}

const codeOf = (policy: Policy, given: Exchange): string | undefined => enter(policy, given)?.code;

test('a consumer gets the rate of its plan, on all routes together', () => {
  const policy = create('plan', '', around({ name: 'gold', rates: [minute(2)], limits: {} }));
  const acme = consumer('acme', 'gold');
  assert.is(codeOf(policy, on(acme, { name: 'a' })), undefined);
  assert.is(codeOf(policy, on(acme, { name: 'b' })), undefined);
  const reply = enter(policy, on(acme))!;
  assert.equal([reply.status, reply.code, reply.headers.get('retry-after')], [429, 'limit/exceeded', '30']);
  assert.equal(bodyOf(reply)['violated-policies'], ['p']);
  assert.is(codeOf(policy, on(consumer('globex', 'gold'))), undefined, 'each consumer has its own counts');
});

test('without a plan: 403, or the default plan; without a consumer, counted by address', () => {
  const plans: PlanEntry[] = [{ name: 'free', rates: [minute(1)], limits: {} }];
  const strict = create('plan', '', around(...plans));
  const refused = enter(strict, on(consumer('acme')))!;
  assert.equal([refused.status, refused.code, refused.cause], [403, 'plan/none', 'consumer acme has no plan']);
  assert.is(codeOf(strict, on(undefined)), 'plan/none');
  const lenient = create('plan', 'default = "free"', around(...plans));
  assert.is(codeOf(lenient, on(consumer('acme'))), undefined);
  assert.is(codeOf(lenient, on(consumer('acme'))), 'limit/exceeded');
  assert.is(codeOf(lenient, on(undefined, {}, { remoteAddress: '10.0.0.1' })), undefined);
  assert.is(codeOf(lenient, on(undefined, {}, { remoteAddress: '10.0.0.1' })), 'limit/exceeded');
  assert.is(codeOf(lenient, on(undefined, {}, { remoteAddress: '10.0.0.2' })), undefined);
});

test('a plan that no longer exists gives nothing', () => {
  const policy = create('plan', '', around());
  assert.is(codeOf(policy, on(consumer('acme', 'gone'))), 'plan/none');
});

test('a plan includes routes by name and by tag; without either, every route', () => {
  const policy = create(
    'plan',
    '',
    around({ name: 'some', routes: ['orders'], routeTags: ['partner'], limits: {} }, { name: 'all', limits: {} }),
  );
  const some = consumer('acme', 'some');
  assert.is(codeOf(policy, on(some, { name: 'orders' })), undefined);
  assert.is(codeOf(policy, on(some, { name: 'other', tags: ['x', 'partner'] })), undefined);
  const reply = enter(policy, on(some, { name: 'other', tags: ['x'] }))!;
  assert.equal([reply.status, reply.code], [403, 'plan/route']);
  assert.is(codeOf(policy, on(some, { name: 'other' })), 'plan/route');
  assert.is(codeOf(policy, on(consumer('b', 'all'), { name: 'other' })), undefined);
});

test('requests in progress: a request that has ended makes room', () => {
  const policy = create('plan', '', around({ name: 'gold', concurrency: 1, rates: [minute(9)], limits: {} }));
  const acme = consumer('acme', 'gold');
  const first = on(acme);
  assert.is(codeOf(policy, first), undefined);
  const second = on(acme);
  const reply = enter(policy, second)!;
  assert.equal([reply.status, reply.code, reply.headers.get('retry-after')], [429, 'concurrency/exceeded', '1']);
  policy.finished?.(second, 'sent');
  assert.is(codeOf(policy, on(acme)), 'concurrency/exceeded', 'a refused request held no place');
  policy.finished?.(first, 'sent');
  const third = on(acme);
  assert.is(codeOf(policy, third), undefined);
  assert.is(fieldsOf(policy, third).get('ratelimit'), '"p";r=7;t=14', 'refused requests used nothing of the rate');
});

function fieldsOf(policy: Policy, given: Exchange): Reply['headers'] {
  const reply = targetReply();
  policy.after?.(given, reply);
  return reply.headers;
}

test('several rates: all apply, and each has its fields', () => {
  const rates = [
    { capacity: 2, periodMs: 1000 },
    { capacity: 3, periodMs: 3_600_000 },
  ];
  const place = around({ name: 'gold', rates, limits: {} });
  const policy = create('plan', '', place);
  const acme = consumer('acme', 'gold');
  const first = on(acme);
  assert.is(codeOf(policy, first), undefined);
  const headers = fieldsOf(policy, first);
  assert.is(headers.get('ratelimit-policy'), '"p-1";q=2;w=1, "p-2";q=3;w=3600');
  assert.is(headers.get('ratelimit'), '"p-1";r=1;t=1, "p-2";r=2;t=1200');
  assert.is(codeOf(policy, on(acme)), undefined);
  assert.is(codeOf(policy, on(acme)), 'limit/exceeded');
  place.now += 1000;
  assert.is(codeOf(policy, on(acme)), undefined, 'the refused request used nothing of the hour');
  place.now += 1000;
  const reply = enter(policy, on(acme))!;
  assert.is(reply.headers.get('ratelimit-policy'), '"p-2";q=3;w=3600');
});

test('a request that one rate refuses uses nothing of the others, whatever the order', () => {
  const below = seededBelow(10);
  for (let round = 0; round < 40; round++) {
    const rates = Array.from({ length: 2 + below(3) }, (_, at) => ({
      capacity: 1 + below(5),
      periodMs: 1000 * 10 ** at,
    }));
    const place = around({ name: 'gold', rates, limits: {} });
    const policy = create('plan', '', place);
    // The model: a token bucket for each rate.
    const left = rates.map(({ capacity }) => capacity);
    const acme = consumer('acme', 'gold');
    for (let request = 0; request < 60; request++) {
      const waited = below(3) * 500;
      place.now += waited;
      for (const [at, { capacity, periodMs }] of rates.entries())
        left[at] = Math.min(capacity, left[at]! + (waited * capacity) / periodMs);
      const passes = left.every((one) => one >= 1 - 1e-9);
      assert.is(codeOf(policy, on(acme)), passes ? undefined : 'limit/exceeded', `round ${round}, request ${request}`);
      if (passes) for (const at of left.keys()) left[at]!--;
    }
  }
});

test('stores over a network: the same decisions from promises, and a place that comes late is released', async () => {
  const rates = [
    { capacity: 2, periodMs: 1000 },
    { capacity: 3, periodMs: 3_600_000 },
  ];
  const place = around({ name: 'gold', concurrency: 2, rates, limits: {} });
  const near = host(place);
  const limits: LimitStore = {
    limiter: (identity) => {
      const limiter = near.limits.limiter(identity);
      return { take: async (...asked) => ({ ...(await limiter.take(...asked)) }) };
    },
  };
  const holds = { acquire: async (key: string, most: number) => near.holds.acquire(key, most) };
  const policy = createPlan({ fields: true }, { ...near, limits, holds });
  const acme = consumer('acme', 'gold');
  const pass = async (): Promise<string | undefined> => {
    const given = on(acme);
    const reply = await policy.before?.(given);
    policy.finished?.(given, 'sent');
    return reply?.code;
  };
  assert.equal([await pass(), await pass(), await pass()], [undefined, undefined, 'limit/exceeded']);
  const gone = [on(acme), on(acme)];
  const pending = gone.map((given) => policy.before?.(given));
  for (const given of gone) policy.finished?.(given, 'aborted');
  await Promise.all(pending);
  place.now += 1000;
  assert.is(await pass(), undefined, 'both places are free again');
});

test('a decision names the plan and what is left', () => {
  const policy = create('plan', '', around({ name: 'gold', concurrency: 4, rates: [minute(2)], limits: {} }));
  const decisions: Decision[] = [];
  for (let request = 0; request < 3; request++) enter(policy, on(consumer('acme', 'gold'), {}, { decisions }));
  enter(policy, on(consumer('globex'), {}, { decisions }));
  assert.equal(
    decisions.map(({ outcome, why }) => `${outcome}: ${why}`),
    [
      'pass: plan gold: 1 of 2 left, 1 of 4 in progress',
      'pass: plan gold: 0 of 2 left, 2 of 4 in progress',
      'answer: 0 of 2 left for consumer:acme by plan gold',
      'answer: consumer globex has no plan',
    ],
  );
});

test('fields = false sends none', () => {
  const policy = create('plan', 'fields = false', around({ name: 'gold', rates: [minute(1)], limits: {} }));
  const acme = consumer('acme', 'gold');
  const first = on(acme);
  enter(policy, first);
  assert.is(fieldsOf(policy, first).get('ratelimit'), undefined);
  assert.is(enter(policy, on(acme))!.headers.get('ratelimit'), undefined);
});

test('a default plan must exist, when the spec is checked and when it is loaded', () => {
  assert.equal(lint('plan', 'default = "free"'), ['plan/unknown-default default']);
  assert.equal(lint('plan', 'default = "gold"'), []);
  assert.equal(compile('plan', 'default = "gold"'), { default: 'gold', fields: true });
  assert.throws(() => create('plan', 'default = "gold"', around()), /default plan gold/);
});

test.run();
