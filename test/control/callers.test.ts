import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Caller, Callers } from '../../src/control/callers.js';
import { ConsumerStats } from '../../src/control/stats/consumers.js';
import { ConsumerSet } from '../../src/state/consumers/set.js';
import { CONSUMERS_SHOWN } from '../../src/telemetry/snapshot.js';
import { seededBelow } from '../support/random.js';

const count = (consumer: string | null, requests: number, lastSeen: number, refused = {}) => ({
  consumer,
  requests,
  lastSeen,
  refused,
});
const entry = (name: string) => ({ name, groups: [], tags: {}, credentials: [] });

test('counts of several workers add up; the rate is that of the last ten whole seconds', () => {
  const callers = new Callers();
  callers.note([count('acme', 30, 100_500, { 'limit/exceeded': 2 })]);
  callers.note([count('acme', 20, 100_900, { 'limit/exceeded': 1, 'plan/route': 1 }), count(null, 5, 100_000)]);
  const acme = callers.of('acme')!;
  assert.equal(
    [acme.requests, acme.lastSeen, acme.rate(101_000), acme.rate(110_999), acme.rate(111_000)],
    [50, 100_900, 5, 5, 0],
  );
  assert.equal(acme.refused, { 'limit/exceeded': 3, 'plan/route': 1 });
  assert.is(callers.unknown.requests, 5);
});

test('the rate is the mean of a list of all requests, whatever the order of the reports', () => {
  const below = seededBelow(4);
  const caller = new Caller();
  const all: { second: number; requests: number }[] = [];
  let now = 50_000;
  for (let step = 0; step < 500; step++) {
    now += below(4) * 700;
    const at = now - below(3) * 1000;
    const requests = 1 + below(9);
    caller.add(count('x', requests, at));
    all.push({ second: Math.floor(at / 1000), requests });
    const second = Math.floor(now / 1000);
    const expected = all.reduce(
      (sum, one) => sum + (one.second < second && one.second >= second - 10 ? one.requests : 0),
      0,
    );
    assert.is(caller.rate(now), expected / 10, `step ${step}`);
  }
});

test('the consumer that was seen longest ago is forgotten first', () => {
  const callers = new Callers();
  callers.note([count('old', 1, 1)]);
  for (let at = 0; at < 9_999; at++) callers.note([count(`c${at}`, 1, at)]);
  callers.note([count('old', 1, 2)]);
  callers.note([count('new', 1, 3)]);
  assert.is(callers.of('old')?.requests, 2);
  assert.is(callers.of('c0'), undefined);
  assert.equal(callers.names().slice(0, 2), ['new', 'old']);
});

test('a snapshot shows the consumers that were seen last, then others in the order of the spec', () => {
  const callers = new Callers();
  const stats = new ConsumerStats(callers);
  const declared = ConsumerSet.of(['a', 'b', 'c', 'd'].map(entry));
  callers.note([count('c', 1, 1000), count('gone', 1, 1000), count('b', 2, 2000)]);
  const { shown, declared: all, unknown } = stats.snapshot(declared, 3000);
  assert.equal(
    shown.map(({ name }) => name),
    ['b', 'c', 'a', 'd'],
  );
  assert.equal([all, shown[0]?.requests, shown[2]?.lastSeen, unknown.lastSeen], [4, 2, null, null]);
  const many = ConsumerSet.of(Array.from({ length: 1000 }, (_, at) => entry(`c${at}`)));
  assert.is(stats.snapshot(many, 3000).shown.length, CONSUMERS_SHOWN);
});

test.run();
