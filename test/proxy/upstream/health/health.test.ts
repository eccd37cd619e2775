/** Ejections of targets, on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServiceHealth } from '../../../../src/proxy/upstream/health/service.js';
import { type EjectSettings, TargetHealth } from '../../../../src/proxy/upstream/health/target.js';
import { FailureNotes } from '../../../../src/proxy/upstream/target-host.js';
import { Counter, SLOT_WORDS, SLOTS_PER_CHUNK } from '../../../../src/telemetry/stats/layout.js';
import { StatsWriter } from '../../../../src/telemetry/stats/writer.js';
import { seeded } from '../../../support/random.js';

const test = suite('health of targets');

const SETTINGS: EjectSettings = { ejectAfter: 3, ejectFor: 1000 };

class World {
  time = 1;
  readonly logs: string[] = [];
  readonly stats = new StatsWriter([new SharedArrayBuffer((SLOTS_PER_CHUNK * SLOT_WORDS + 8) * 8)]);
  readonly targets: TargetHealth[];
  readonly service: ServiceHealth;

  constructor(count: number, settings: EjectSettings = SETTINGS) {
    const host = {
      stats: this.stats,
      now: () => this.time,
      monotonic: () => this.time,
      log: (_level: string, message: string) => void this.logs.push(message),
      failures: new FailureNotes(),
    };
    this.targets = Array.from(
      { length: count },
      (_, slot) => new TargetHealth({ service: 'it', url: `http://${slot}`, slot, settings }, host),
    );
    this.service = new ServiceHealth('it', host);
    this.service.use(this.targets, settings);
  }

  pass(ms: number): void {
    this.time += ms;
    this.service.sweep(this.time);
  }

  fail(target: number, times = 3): void {
    for (let at = 0; at < times; at++) this.targets[target]!.failed('upstream/reset', 'reset', true);
  }

  get available(): number[] {
    return this.targets.flatMap(({ available }, at) => (available ? [at] : []));
  }

  /** How long the target stays away, in steps of 100 ms. */
  awayFor(target: number): number {
    const since = this.time;
    while (!this.targets[target]!.available) this.pass(100);
    return this.time - since;
  }
}

test('after a reply that was cut, only a whole one ends the row: heads do not', () => {
  const world = new World(3);
  const [target] = world.targets;
  const cut = (): void => {
    target!.replied(200, 1);
    target!.failed('upstream/aborted', 'reset', true, true);
  };
  cut();
  cut();
  target!.replied(200, 1);
  target!.completed(200);
  cut();
  cut();
  assert.equal(world.available, [0, 1, 2], 'two in a row');
  cut();
  assert.equal(world.available, [1, 2]);
  assert.is(world.awayFor(0), 1000);
  target!.replied(200, 1);
  target!.completed(200);
  assert.is(world.logs.at(-1), 'target back after its ejection');
  // Before a head came: the next head is enough.
  world.fail(0, 2);
  target!.replied(200, 1);
  world.fail(0, 2);
  assert.equal(world.available, [0, 1, 2]);
});

test('replies with 5xx that count do not end a row of cut replies', () => {
  const world = new World(3, { ...SETTINGS, eject: { after5xx: 9 } });
  const [target] = world.targets;
  for (let at = 0; at < 3; at++) {
    target!.failed('upstream/aborted', 'reset', true, true);
    target!.replied(503, 1);
    target!.completed(503);
  }
  assert.equal(world.available, [1, 2]);
});

test('failures in a row eject a target; after its time it is tried again, and one failure ejects it again', () => {
  const world = new World(3);
  world.fail(0, 2);
  assert.equal(world.available, [0, 1, 2]);
  world.fail(0, 1);
  assert.equal(world.available, [1, 2]);
  assert.is(world.awayFor(0), 1000);
  world.fail(0, 1);
  assert.equal(world.available, [1, 2]);
  assert.is(world.logs.filter((line) => line.startsWith('target ejected')).length, 2);
});

test('after its time, one request at a time tries a target that failed', () => {
  const world = new World(3);
  const [target] = world.targets;
  world.fail(0);
  world.pass(1000);
  assert.equal([target!.trial, world.available], [true, [0, 1, 2]]);
  target!.begun();
  assert.equal([target!.trial, world.available], [false, [1, 2]]);
  world.pass(5000);
  assert.equal(world.available, [1, 2]);
  // It ended without a result: the next one may try.
  target!.ended();
  assert.equal(world.available, [1, 2]);
  world.pass(100);
  assert.equal(world.available, [0, 1, 2]);
  target!.begun();
  world.fail(0, 1);
  target!.ended();
  world.pass(100);
  assert.equal(world.available, [1, 2]);
  assert.is(world.awayFor(0), 900);
  target!.begun();
  target!.replied(200, 1);
  target!.ended();
  assert.equal([target!.trial, target!.ejected, world.available], [false, false, [0, 1, 2]]);
});

test('a target on trial still counts among those that are ejected', () => {
  const world = new World(2);
  world.fail(0);
  world.pass(1000);
  world.targets[0]!.begun();
  world.fail(1, 5);
  assert.equal(world.available, [1]);
});

test('a good reply in between resets the count, and ends an ejection', () => {
  const world = new World(3);
  world.fail(0, 2);
  world.targets[0]!.replied(200, 1);
  world.fail(0, 2);
  assert.equal(world.available, [0, 1, 2]);
  world.fail(0, 1);
  world.targets[0]!.replied(404, 1);
  assert.equal(world.available, [0, 1, 2]);
  assert.is(world.logs.at(-1), 'target back after its ejection');
});

test('failures that are not its fault do not count', () => {
  const world = new World(3);
  for (let at = 0; at < 20; at++) world.targets[0]!.failed('upstream/queue-full', 'full', false);
  assert.equal(world.available, [0, 1, 2]);
});

test('each ejection is longer, up to the maximum, and good time makes the next one shorter', () => {
  const world = new World(3, { ...SETTINGS, eject: { forMax: 3500 } });
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    world.fail(0);
    times.push(world.awayFor(0));
  }
  assert.equal(times, [1000, 2000, 3000, 3500, 3500]);
  world.targets[0]!.replied(200, 1);
  world.pass(4000);
  world.fail(0);
  assert.is(world.awayFor(0), 2000, 'four steps back from the fifth, and one further');
});

test('replies with 5xx count only if the service says so, and a 4xx between them resets the count', () => {
  const plain = new World(2);
  for (let at = 0; at < 20; at++) plain.targets[0]!.replied(500, 1);
  assert.equal(plain.available, [0, 1]);

  const world = new World(2, { ...SETTINGS, eject: { after5xx: 3 } });
  for (const status of [500, 503, 404, 502, 500]) world.targets[0]!.replied(status, 1);
  assert.equal(world.available, [0, 1]);
  world.targets[0]!.replied(599, 1);
  assert.equal(world.available, [1]);
  assert.is(world.logs.at(-1), 'target ejected after 3 consecutive replies with 5xx');
  world.pass(1000);
  assert.equal(world.available, [0, 1]);
  world.targets[0]!.replied(500, 1);
  assert.equal(world.available, [1], 'still erring');
});

test('failures and 5xx in turn: a reply with 5xx does not reset the count of failures', () => {
  const world = new World(2, { ...SETTINGS, eject: { after5xx: 100 } });
  for (let at = 0; at < 3; at++) {
    world.targets[0]!.replied(500, 1);
    world.fail(0, 1);
  }
  assert.equal(world.available, [1]);
});

test('no more than the share is ejected, rounded up', () => {
  for (const [targets, share, ejected] of [
    [2, 50, 1],
    [3, 50, 2],
    [4, 25, 1],
    [4, 10, 1],
    [5, 100, 5],
  ] as const) {
    const world = new World(targets, { ...SETTINGS, eject: { share, panicBelow: 0 } });
    for (let at = 0; at < targets; at++) world.fail(at, 9);
    assert.is(world.targets.filter((target) => target.ejected).length, ejected, `${targets} at ${share} %`);
  }
});

test('panic: if too few are available all are used, until enough are available again', () => {
  const world = new World(5, { ...SETTINGS, eject: { share: 100, panicBelow: 50 } });
  world.fail(0);
  world.fail(1);
  assert.equal(world.available, [2, 3, 4]);
  world.fail(2);
  assert.equal(world.available, [0, 1, 2, 3, 4]);
  assert.is(world.service.panic, true);
  assert.equal(
    world.targets.map(({ slot }) => world.stats.get(slot, Counter.Panic)),
    [1, 1, 1, 1, 1],
  );
  assert.is(world.logs.at(-1), 'too few targets are available, all are used');
  world.pass(1000);
  assert.is(world.service.panic, false);
  assert.is(world.logs.at(-1), 'enough targets are available again');
  assert.is(world.stats.get(0, Counter.Panic), 0);
});

test('a target that leaves a service in panic is counted out', () => {
  const world = new World(3, { ...SETTINGS, eject: { share: 100 } });
  for (let at = 0; at < 3; at++) world.fail(at);
  assert.is(world.service.panic, true);
  const [left, ...stay] = world.targets;
  world.service.use(stay, { ...SETTINGS, eject: { share: 100 } });
  assert.equal([left!.available, world.stats.get(0, Counter.Panic)], [false, 0]);
  assert.ok(stay.every(({ available }) => available));
});

test('a single target is always used, without an alarm', () => {
  const world = new World(1);
  world.fail(0);
  assert.equal([world.targets[0]!.ejected, world.available, world.service.panic], [true, [0], false]);
});

test('a slow target is ejected if the others are fast, and only with enough replies', () => {
  const slow = { ...SETTINGS, eject: { slowTimes: 4 } };
  const serve = (world: World, ms: readonly number[], replies: number): void => {
    for (let at = 0; at < replies; at++)
      for (const [target, took] of ms.entries()) world.targets[target]!.replied(200, took);
    world.pass(10_000);
  };
  const world = new World(3, slow);
  world.pass(100);
  serve(world, [10, 12, 90], 19);
  assert.equal(world.available, [0, 1, 2], 'too few replies');
  serve(world, [30, 30, 90], 30);
  assert.equal(world.available, [0, 1, 2], 'not slow enough');
  serve(world, [1, 1, 9], 30);
  assert.equal(world.available, [0, 1, 2], 'differences of a few milliseconds');
  serve(world, [10, 12, 90], 30);
  assert.equal(world.available, [0, 1]);
  world.pass(1000);
  assert.equal(world.available, [0, 1, 2]);
  assert.is(world.logs.at(-1), 'target back after its ejection');
});

test('law: whatever happens, at most the share is ejected, and some target is always available', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = seeded(seed);
    const count = 1 + Math.floor(next() * 6);
    const share = 1 + Math.floor(next() * 100);
    const panicBelow = Math.floor(next() * 101);
    const world = new World(count, {
      ...SETTINGS,
      eject: { share, panicBelow, after5xx: 2, slowTimes: 3, forMax: 5000 },
    });
    for (let step = 0; step < 300; step++) {
      const target = Math.floor(next() * count);
      const what = next();
      if (what < 0.5) world.fail(target, 1);
      else if (what < 0.6) {
        if (world.targets[target]!.trial) world.targets[target]!.begun();
        else world.targets[target]!.ended();
      } else if (what < 0.7) world.targets[target]!.replied(next() < 0.5 ? 500 : 200, next() * 100);
      else world.pass(Math.floor(next() * 2000));
      const ejected = world.targets.filter((one) => one.ejected).length;
      assert.ok(ejected <= Math.ceil((count * share) / 100), `seed ${seed}`);
      assert.ok(world.available.length > 0, `seed ${seed}`);
      if (!world.service.panic && count > 1)
        assert.ok(world.available.length * 100 >= panicBelow * count, `seed ${seed}`);
    }
  }
});

test.run();
