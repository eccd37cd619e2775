/** Algorithms that observe load, on a simulated clock: a slow target gets less. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DECAY, FAILURE, TargetLoad, UNKNOWN } from '../../../../src/proxy/upstream/balance/load.js';
import { Selection } from '../../../../src/proxy/upstream/balance/selection.js';
import { TestRequest, type TestTarget, targetsOf } from '../../../support/candidates.js';
import { seeded } from '../../../support/random.js';

interface Simulation {
  readonly kind: 'least-request' | 'ewma' | 'round-robin';
  readonly latencies: readonly number[];
  /** Requests a second that arrive, or clients that ask again at once. */
  readonly rate?: number;
  readonly clients?: number;
  readonly seed: number;
}

/** Requests that each target gets within a simulated minute. */
function simulate({ kind, latencies, rate, clients = 0, seed }: Simulation): number[] {
  const random = seeded(seed);
  const targets = targetsOf(...latencies.map(() => 1));
  const selection = new Selection<TestTarget>(targets, { balance: { kind }, zone: '', slowStart: 0 }, random);
  const hits = latencies.map(() => 0);
  // Ends of requests, and arrivals, unordered: few are pending.
  const events: { at: number; run: (now: number) => void }[] = [];
  const begin = (now: number, then: (now: number) => void): void => {
    const request = new TestRequest();
    request.since = now;
    const target = selection.pick(request)!;
    const index = targets.indexOf(target);
    hits[index] = hits[index]! + 1;
    target.load.inFlight++;
    const takes = latencies[index]! * (0.5 + random());
    events.push({
      at: now + takes,
      run: (end) => {
        target.load.inFlight--;
        target.load.observe(takes, end);
        then(end);
      },
    });
  };
  const again = (now: number): void => begin(now, again);
  const arrive = (now: number): void => {
    begin(now, () => {});
    events.push({ at: now + (-Math.log(1 - random()) * 1000) / rate!, run: arrive });
  };
  for (let i = 0; i < clients; i++) again(1);
  if (rate !== undefined) arrive(1);
  for (;;) {
    let next = 0;
    for (let i = 1; i < events.length; i++) if (events[i]!.at < events[next]!.at) next = i;
    const [event] = events.splice(next, 1);
    if (event!.at > 30_000) return hits;
    event!.run(event!.at);
  }
}

const shareOf = (hits: readonly number[], index: number): number =>
  hits[index]! / hits.reduce((sum, count) => sum + count, 0);

for (const kind of ['least-request', 'ewma'] as const)
  for (const [load, how] of [
    [{ clients: 16 }, '16 clients'],
    [{ rate: 400 }, '400 requests a second'],
  ] as const)
    for (const count of [2, 3, 5])
      test(`${kind}, ${how}: one of ${count} targets with ten times the latency gets less than half its share`, () => {
        const latencies = Array.from({ length: count }, (_, index) => (index === 0 ? 100 : 10));
        const hits = simulate({ kind, latencies, ...load, seed: 3 });
        assert.ok(shareOf(hits, 0) < 0.5 / count, hits.join(' '));
        assert.ok(hits[0]! > 0, 'it is still tried');
      });

test('round robin gives it its whole share, so the test can fail', () => {
  const hits = simulate({ kind: 'round-robin', latencies: [100, 10, 10], clients: 16, seed: 3 });
  assert.ok(shareOf(hits, 0) > 0.33);
});

test('ewma: one client at a time is enough to see it', () => {
  const hits = simulate({ kind: 'ewma', latencies: [100, 10, 10], clients: 1, seed: 3 });
  assert.ok(shareOf(hits, 0) < 0.5 / 3, hits.join(' '));
});

test('a rise counts at once, a fall by and by', () => {
  const load = new TargetLoad();
  load.observe(10, 1000);
  load.observe(100, 1001);
  assert.is(load.latency(1001), 100);
  load.observe(10, 1001 + DECAY);
  const expected = 100 / Math.E + 10 * (1 - 1 / Math.E);
  assert.ok(Math.abs(load.latency(1001 + DECAY) - expected) < 1e-9);
});

test('without observations the latency falls, so that the target is tried again', () => {
  const load = new TargetLoad();
  load.observe(100, 0);
  assert.ok(Math.abs(load.latency(DECAY) - 100 / Math.E) < 1e-9);
});

test('an unknown target gets one request, and no second one before it has replied', () => {
  const load = new TargetLoad();
  assert.is(load.cost(0, 1), 0);
  load.inFlight = 1;
  assert.ok(load.cost(0, 1) > UNKNOWN);
  load.inFlight = 0;
  load.observe(0, 0);
  assert.ok(load.cost(0, 1) > 0 && load.cost(0, 1) < 0.01);
});

test('a failed attempt counts as a slow one', () => {
  const load = new TargetLoad();
  load.observe(5, 0);
  load.failed(1, 0);
  assert.is(load.latency(0), FAILURE);
});

test('requests in progress count by weight', () => {
  const load = new TargetLoad();
  load.observe(10, 0);
  load.inFlight = 4;
  assert.is(load.cost(0, 1), 50);
  assert.is(load.cost(0, 2), 30);
});

test.run();
