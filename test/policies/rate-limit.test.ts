import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, Decision, LimitStore, PolicyInstance } from '../../src/policies/contract.js';
import { create as createLimit } from '../../src/policies/rate-limit/run.js';
import { networkOf } from '../../src/policies/run-kit.js';
import {
  before,
  bodyOf,
  compile,
  create,
  declaration,
  decode,
  exchange,
  type Given,
  host,
  lint,
  targetReply,
  type World,
  world,
} from './support.js';

const acme: ConsumerEntry = { name: 'acme', plan: 'gold', groups: [], credentials: [], tags: {} };
const other: ConsumerEntry = { name: 'other', groups: [], credentials: [], tags: {} };

/** The number of `tries` requests that pass. */
function passing(policy: PolicyInstance, tries: number, given: Given = {}): number {
  let passed = 0;
  for (let at = 0; at < tries; at++) if (before(policy, exchange(given)) === undefined) passed++;
  return passed;
}

test('requests pass up to the limit, then get 429, then one passes per interval', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "3/s"', around);
  assert.is(passing(policy, 10), 3);
  around.now += 333;
  assert.is(passing(policy, 10), 0);
  around.now += 1;
  assert.is(passing(policy, 10), 1);
  around.now += 1000;
  assert.is(passing(policy, 10), 3);
});

test('a step of the wall clock does not affect a limit', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "3/min"', around);
  around.wall = 1_700_000_000_000;
  assert.is(passing(policy, 5), 3);
  around.wall += 86_400_000;
  assert.is(passing(policy, 5), 0);
  around.wall -= 2 * 86_400_000;
  around.now += 20_000;
  assert.is(passing(policy, 5), 1);
});

test('a 429 has Retry-After', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "2/min"', around, 'polite');
  passing(policy, 2);
  around.now += 12_000;
  const reply = before(policy, exchange())!;
  assert.is(reply.status, 429);
  assert.is(reply.code, 'limit/exceeded');
  assert.is(reply.headers.get('retry-after'), '18');
  assert.is(reply.headers.get('ratelimit-policy'), '"polite";q=2;w=60');
  assert.is(reply.headers.get('ratelimit'), '"polite";r=0;t=48');
  const body = bodyOf(reply);
  assert.is(body['type'], 'https://iana.org/assignments/http-problem-types#quota-exceeded');
  assert.equal(body['violated-policies'], ['polite']);
  around.now += 18_000;
  assert.is(before(policy, exchange()), undefined);
});

test('replies have the remaining limit', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "100/min"', around, 'polite');
  const on = exchange();
  before(policy, on);
  const reply = targetReply();
  policy.after?.(on, reply);
  assert.is(reply.headers.get('ratelimit-policy'), '"polite";q=100;w=60');
  assert.is(reply.headers.get('ratelimit'), '"polite";r=99;t=1');
});

test('two limits on a route form a list', () => {
  const around = world();
  const a = create('rate-limit', 'limit = "100/min"', around, 'a');
  const b = create('rate-limit', 'limit = "5/s"\nby = "route"', around, 'b');
  const on = exchange();
  before(a, on);
  before(b, on);
  const reply = targetReply();
  b.after?.(on, reply);
  a.after?.(on, reply);
  assert.is(reply.headers.get('ratelimit-policy'), '"b";q=5;w=1, "a";q=100;w=60');
});

test('a name is quoted as a structured field', () => {
  const policy = create('rate-limit', 'limit = "1/s"', world(), 'GET "x"\\é/rate-limit');
  const reply = targetReply();
  const on = exchange();
  before(policy, on);
  policy.after?.(on, reply);
  assert.is(reply.headers.get('ratelimit'), '"GET \\"x\\"\\\\%C3%A9/rate-limit";r=0;t=1');
});

test('fields = false sends no fields', () => {
  const policy = create('rate-limit', 'limit = "1/s"\nfields = false', world());
  const reply = targetReply();
  policy.after?.(exchange(), reply);
  assert.is(reply.headers.get('ratelimit'), undefined);
  before(policy, exchange());
  const refused = before(policy, exchange())!;
  assert.is(refused.headers.get('ratelimit'), undefined);
  assert.is(refused.headers.get('retry-after'), '1');
});

test('burst sets the capacity and does not change the refill rate', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "60/min"\nburst = 5', around);
  assert.is(passing(policy, 100), 5);
  around.now += 1000;
  assert.is(passing(policy, 100), 1);
  around.now += 60_000;
  assert.is(passing(policy, 100), 5);
  const reply = before(policy, exchange())!;
  assert.is(reply.headers.get('ratelimit-policy'), '"p";q=5;w=5');
});

test('cost counts one request several times', () => {
  const policy = create('rate-limit', 'limit = "10/s"\ncost = 4', world());
  assert.is(passing(policy, 10), 2);
});

test('by ip: per address, per IPv6 network', () => {
  const policy = create('rate-limit', 'limit = "1/s"', world());
  assert.is(passing(policy, 2, { remoteAddress: '192.0.2.1' }), 1);
  assert.is(passing(policy, 2, { remoteAddress: '192.0.2.2' }), 1);
  assert.is(passing(policy, 1, { remoteAddress: '2001:db8::1' }), 1);
  assert.is(passing(policy, 1, { remoteAddress: '2001:db8::ffff' }), 0);
  assert.is(passing(policy, 1, { remoteAddress: '2001:db8:0:1::1' }), 1);
});

test('by consumer: plans replace the limit; without a consumer the address counts', () => {
  const around = world();
  around.consumers.push(acme, other);
  around.plans.push({ name: 'gold', limits: { p: { capacity: 5, periodMs: 1000 } } });
  const policy = create('rate-limit', 'limit = "2/s"\nby = "consumer"', around);
  assert.is(passing(policy, 10, { consumer: acme }), 5);
  assert.is(passing(policy, 10, { consumer: other }), 2);
  assert.is(passing(policy, 10), 2);
  assert.is(passing(policy, 10, { remoteAddress: '192.0.2.9' }), 2);
  const reply = targetReply();
  around.now += 1000;
  const on = exchange({ consumer: acme });
  before(policy, on);
  policy.after?.(on, reply);
  assert.is(reply.headers.get('ratelimit-policy'), '"p";q=5;w=1');
  assert.is(reply.headers.get('ratelimit'), '"p";r=4;t=1');
});

test('by consumer: a reloaded consumer keeps its count and limit; with another plan it gets that limit', () => {
  const around = world();
  around.consumers.push(acme);
  around.plans.push({ name: 'gold', limits: { p: { capacity: 5, periodMs: 1000 } } });
  around.plans.push({ name: 'iron', limits: { p: { capacity: 7, periodMs: 1000 } } });
  const policy = create('rate-limit', 'limit = "2/s"\nby = "consumer"', around);
  assert.is(passing(policy, 3, { consumer: { ...acme } }) + passing(policy, 10, { consumer: acme }), 5);
  assert.is(passing(policy, 10, { consumer: { ...acme, plan: 'iron' } }), 2);
});

test('by consumer: a consumer outside the spec is counted by its name', () => {
  const policy = create('rate-limit', 'limit = "2/s"\nby = "consumer"', world());
  assert.is(passing(policy, 5, { consumer: { ...other, name: 'from elsewhere' } }), 2);
  assert.is(passing(policy, 5, { consumer: { ...other, name: 'from elsewhere' } }), 0);
});

test('a plan without a rate for the policy rejects the generation', () => {
  const around = world();
  around.consumers.push(acme);
  around.plans.push({ name: 'gold', limits: { p: 'many' } });
  assert.throws(() => create('rate-limit', 'limit = "2/s"\nby = "consumer"', around), /Plan gold has no rate/);
});

test('by route: all clients share one limit', () => {
  const policy = create('rate-limit', 'limit = "3/s"\nby = "route"', world());
  assert.is(passing(policy, 2, { remoteAddress: '192.0.2.1' }) + passing(policy, 2, { remoteAddress: '192.0.2.2' }), 3);
});

test('by header: each value is counted; without one the address; long values by their prefix', () => {
  const policy = create('rate-limit', 'limit = "1/s"\nby = "header:X-Tenant"', world());
  assert.is(passing(policy, 2, { headers: [['x-tenant', 'a']] }), 1);
  assert.is(passing(policy, 2, { headers: [['x-tenant', 'b']] }), 1);
  assert.is(passing(policy, 2), 1);
  const long = 'x'.repeat(300);
  assert.is(passing(policy, 1, { headers: [['x-tenant', `${long}1`]] }), 1);
  assert.is(passing(policy, 1, { headers: [['x-tenant', `${long}2`]] }), 0);
});

test('by header: an inner step that edits the field does not change the reply', () => {
  const policy = create('rate-limit', 'limit = "5/s"\nby = "header:x-tenant"', world());
  const on = exchange({ headers: [['x-tenant', 'a']] });
  before(policy, on);
  on.headers.remove('x-tenant');
  const reply = targetReply();
  policy.after?.(on, reply);
  assert.match(reply.headers.get('ratelimit')!, 'r=4');
});

test('observe counts and passes all requests', () => {
  const around = world();
  const policy = create('rate-limit', 'limit = "2/s"\nmode = "observe"', around);
  const decisions: Decision[] = [];
  assert.is(passing(policy, 5, { decisions }), 5);
  assert.match(decisions[4]!.why, 'not enforced');
  assert.is(decisions[4]!.outcome, 'pass');
  assert.equal(around.limits.totals('identity of p'), { allowed: 2, refused: 3, evicted: 0 });
});

test('observe sends no limit fields to clients', () => {
  const world1 = world();
  const policy = create('rate-limit', 'limit = "1/s"\nmode = "observe"\nfields = true', world1);
  for (let i = 0; i < 3; i++) {
    const on = exchange();
    assert.is(before(policy, on), undefined);
    const reply = targetReply();
    policy.after?.(on, reply);
    assert.equal(
      [...reply.headers.entries()].filter(([name]) => /^(x-)?ratelimit|^retry-after/i.test(name)),
      [],
    );
  }
  assert.is(world1.limits.totals('identity of p').refused, 2, 'it counts all the same');
});

test('decisions contain key and numbers', () => {
  const decisions: Decision[] = [];
  const policy = create('rate-limit', 'limit = "1/s"', world());
  passing(policy, 2, { decisions });
  assert.equal(
    decisions.map(({ outcome, why }) => [outcome, why]),
    [
      ['pass', '0 of 1 left for ip:192.0.2.1'],
      ['answer', '0 of 1 left for ip:192.0.2.1'],
    ],
  );
  assert.equal(decisions[1]!.details?.['retryMs'], 1000);
});

test('a plan below the cost of one request refuses all requests', () => {
  const around = world();
  around.consumers.push(acme);
  around.plans.push({ name: 'gold', limits: { p: { capacity: 1, periodMs: 1000 } } });
  const policy = create('rate-limit', 'limit = "5/s"\ncost = 2\nby = "consumer"', around);
  const decisions: Decision[] = [];
  const reply = before(policy, exchange({ consumer: acme, decisions }))!;
  assert.is(reply.status, 429);
  assert.is(reply.headers.get('retry-after'), undefined);
  assert.match(String(bodyOf(reply)['detail']), 'never');
  assert.is(decisions[0]!.details?.['retryMs'], undefined);
});

test('counts outlive the instance of a policy', () => {
  const around = world();
  assert.is(passing(create('rate-limit', 'limit = "2/s"', around), 5), 2);
  assert.is(passing(create('rate-limit', 'limit = "2/s"', around), 5), 0);
});

test('addresses are grouped by network', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0001:1:2:3:4', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::3:4:5:6:7:8', '1:0:3:4::/64'],
    ['', ''],
  ] as const) {
    assert.is(networkOf(address), network);
  }
});

test('keys compile to settings', () => {
  assert.equal(compile('rate-limit', 'limit = "100/min"\nby = "header:X-Tenant"\nburst = 10'), {
    rate: { capacity: 10, periodMs: 6000 },
    by: 'header',
    header: 'x-tenant',
    cost: 1,
    observe: false,
    fields: true,
  });
  assert.match(decode('rate-limit', 'limit = "1/s"\nby = "user"').errors[0]!, 'consumer');
  assert.is(decode('rate-limit', 'limit = "1/s"\nby = "header:"').errors.length, 1);
  assert.is(decode('rate-limit', '').errors.length, 1);
  assert.equal(compile('rate-limit', 'limit = "0/min"\nburst = 3'), {
    rate: { capacity: 0, periodMs: 60_000 },
    by: 'ip',
    cost: 1,
    observe: false,
    fields: true,
  });
});

test('a limit of zero refuses all requests', () => {
  const reply = before(create('rate-limit', 'limit = "0/min"', world()), exchange())!;
  assert.is(reply.status, 429);
  assert.is(reply.headers.get('retry-after'), undefined);
});

/** A store that answers late, as one over a network does; `slow` are its pending answers. */
function slowStore(around: World): { slow: (() => void)[]; limits: LimitStore } {
  const slow: (() => void)[] = [];
  const limits: LimitStore = {
    limiter(identity) {
      const limiter = around.limits.limiter(identity);
      return {
        take: (...taken) => {
          const answer = { ...limiter.take(...taken) };
          return new Promise((resolve) => void slow.push(() => resolve(answer)));
        },
      };
    },
  };
  return { slow, limits };
}

test('a store that answers with promises: requests wait for their own answers', async () => {
  const around = world();
  const { slow, limits } = slowStore(around);
  const policy = createLimit(compile('rate-limit', 'limit = "1/min"')!, { ...host(around), limits });
  const [first, second] = [exchange(), exchange()];
  const replies = [policy.before?.(first), policy.before?.(second)];
  assert.ok(replies.every((reply) => reply instanceof Promise));
  for (const answer of slow.reverse()) answer();
  const [passed, refused] = await Promise.all(replies);
  assert.is(passed, undefined);
  assert.is(refused?.status, 429);
  const reply = targetReply();
  policy.after?.(first, reply);
  assert.is(reply.headers.get('ratelimit'), '"p";r=0;t=60');
});

test('a store that cannot answer refuses nothing by itself: the rejection goes to the chain', async () => {
  const limits: LimitStore = { limiter: () => ({ take: () => Promise.reject(new Error('no connection')) }) };
  const policy = createLimit(compile('rate-limit', 'limit = "1/min"')!, { ...host(world()), limits });
  try {
    await policy.before?.(exchange());
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'no connection');
  }
});

test('the store in memory answers at once', () => {
  assert.is(create('rate-limit', 'limit = "1/min"').before?.(exchange()), undefined);
});

test('the phase is `limit`, or `guard` on request; the limit is no part of the identity of the counts', () => {
  const { phaseOf, stateKey } = declaration('rate-limit');
  const of = (text: string): unknown => decode('rate-limit', text).config;
  assert.is(phaseOf?.(of('limit = "1/s"')), 'limit');
  assert.is(phaseOf?.(of('limit = "1/s"\nat = "guard"')), 'guard');
  assert.equal(
    stateKey?.(of('limit = "1/s"\nby = "header:X-Key"\ncost = 2')),
    stateKey?.(of('limit = "9/s"\nby = "header:x-key"\nat = "guard"')),
  );
  assert.is.not(stateKey?.(of('limit = "1/s"')), stateKey?.(of('limit = "1/s"\nby = "route"')));
});

test('lint: zero, absurd, cost', () => {
  assert.equal(lint('rate-limit', 'limit = "0/min"'), ['limit/zero limit']);
  assert.equal(lint('rate-limit', 'limit = "1000001/s"'), ['limit/absurd limit']);
  assert.equal(lint('rate-limit', 'limit = "1000000/s"'), []);
  assert.equal(lint('rate-limit', 'limit = "10/s"\ncost = 11'), ['limit/cost cost']);
  assert.equal(lint('rate-limit', 'limit = "10/s"\nburst = 2\ncost = 3'), ['limit/cost cost']);
  assert.equal(lint('rate-limit', 'limit = "10/s"\ncost = 10'), []);
  assert.equal(lint('rate-limit', 'limit = "10/s"\nby = "consumer"\nat = "guard"'), ['limit/guard-consumer at']);
});

test.run();
