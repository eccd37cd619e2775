/** Laws of circuit breakers, on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ADMITTED,
  type Breaker,
  type BreakerSettings,
  REFUSED_FULL,
  REFUSED_OPEN,
} from '../../../src/state/breaker/breaker.js';
import { BreakerTable } from '../../../src/state/breaker/table.js';
import { seeded } from '../../support/random.js';

const test = suite('breakers');

const SETTINGS: BreakerSettings = {
  errors: 50,
  requests: 10,
  consecutive: 4,
  window: 1000,
  openFor: 500,
  probes: 2,
};

class World {
  time = 1_000_000;
  readonly memory: SharedArrayBuffer;
  readonly tables: BreakerTable[];

  constructor(workers = 2, slots = 8) {
    this.memory = BreakerTable.allocate({ workers, slots });
    this.tables = Array.from(
      { length: workers },
      (_, worker) => new BreakerTable(this.memory, worker, () => this.time),
    );
  }

  breaker(worker = 0, name = 'it'): Breaker {
    return this.tables[worker]!.breaker(name);
  }

  get state(): string {
    return this.tables[0]!.facts('it')?.breaker ?? 'none';
  }
}

/** One request that passes and ends. Returns its token. */
function request(breaker: Breaker, failed: boolean, settings = SETTINGS): number {
  const token = breaker.enter(settings, 0);
  if (token < ADMITTED) return token;
  breaker.result(settings, token, failed);
  breaker.leave(token, 0);
  return token;
}

test('failures in a row open it, counted over all workers', () => {
  const world = new World();
  for (let at = 0; at < 3; at++) request(world.breaker(at % 2), true);
  request(world.breaker(0), false);
  for (let at = 0; at < 3; at++) request(world.breaker(at % 2), true);
  assert.is(world.state, 'closed', 'a success in between');
  request(world.breaker(1), true);
  assert.is(world.state, 'open');
  assert.is(request(world.breaker(0), false), REFUSED_OPEN);
  assert.is(world.breaker(0).opensInMs, 500);
});

test('the share of failures opens it, with enough requests within the window', () => {
  const settings = { requests: 10, errors: 50, window: 1000, openFor: 500, probes: 1 };
  const world = new World();
  for (let at = 0; at < 9; at++) request(world.breaker(), at % 2 === 0, settings);
  assert.is(world.state, 'closed', 'nine requests are too few');
  world.time += 1000;
  for (let at = 0; at < 9; at++) request(world.breaker(), at % 2 === 0, settings);
  assert.is(world.state, 'closed', 'the first ones are too old');
  request(world.breaker(), false, settings);
  assert.is(world.state, 'closed', 'the condition is checked when a request fails');
  request(world.breaker(), true, settings);
  assert.is(world.state, 'open', 'six of eleven');
});

test('half-open: only the probes pass; if they succeed it closes, with an empty window', () => {
  const world = new World();
  for (let at = 0; at < 4; at++) request(world.breaker(), true);
  world.time += 499;
  assert.is(world.breaker().enter(SETTINGS, 0), REFUSED_OPEN);
  world.time += 1;
  assert.is(world.state, 'half-open');
  const probes = [world.breaker(0).enter(SETTINGS, 0), world.breaker(1).enter(SETTINGS, 0)];
  assert.ok(probes.every((token) => token > ADMITTED));
  assert.is(world.breaker(1).enter(SETTINGS, 0), REFUSED_OPEN, 'the third');
  assert.is(world.breaker(0).result(SETTINGS, probes[0]!, false), undefined);
  world.breaker(0).leave(probes[0]!, 0);
  assert.is(world.breaker(1).enter(SETTINGS, 0), REFUSED_OPEN, 'one has succeeded, one is on its way');
  assert.is(world.breaker(1).result(SETTINGS, probes[1]!, false), 'closed');
  world.breaker(1).leave(probes[1]!, 0);
  for (let at = 0; at < 3; at++) request(world.breaker(), true);
  assert.is(world.state, 'closed');
});

test('a probe that fails opens it again; one without a result makes room for another', () => {
  const world = new World();
  for (let at = 0; at < 4; at++) request(world.breaker(), true);
  world.time += 500;
  const given = world.breaker().enter({ ...SETTINGS, probes: 1 }, 0);
  world.breaker().leave(given, 0);
  assert.ok(world.breaker().enter({ ...SETTINGS, probes: 1 }, 0) > ADMITTED, 'after a client that left');
  assert.is(world.breaker().result(SETTINGS, given, true), 'open');
  assert.is(world.breaker().enter(SETTINGS, 0), REFUSED_OPEN);
});

test('results of requests that began before it opened say nothing', () => {
  const world = new World();
  const early = world.breaker().enter(SETTINGS, 0);
  for (let at = 0; at < 4; at++) request(world.breaker(), true);
  world.time += 500;
  const probe = world.breaker().enter(SETTINGS, 0);
  assert.is(world.breaker().result(SETTINGS, early, true), undefined);
  assert.is(world.breaker().result(SETTINGS, early, false), undefined);
  assert.is(world.state, 'half-open');
  assert.is(world.breaker().result(SETTINGS, probe, true), 'open');
  world.time += 500;
  const next = world.breaker().enter(SETTINGS, 0);
  assert.is(world.breaker().result(SETTINGS, probe, true), undefined, 'of the time before');
  assert.is.not(next, probe);
});

test('the bound of requests in flight is exact over workers, and those of an ended worker do not count', () => {
  const world = new World();
  const tokens = [0, 1, 0].map((worker) => world.breaker(worker).enter(undefined, 3));
  assert.equal(tokens, [ADMITTED, ADMITTED, ADMITTED]);
  assert.is(world.breaker(1).enter(undefined, 3), REFUSED_FULL);
  world.breaker(1).leave(ADMITTED, 3);
  assert.is(world.breaker(1).enter(undefined, 3), ADMITTED);
  world.tables[0]!.forget(0);
  assert.is(world.tables[0]!.facts('it')?.inFlight, 1);
  world.breaker(0).leave(ADMITTED, 3);
  assert.is(world.tables[0]!.facts('it')?.inFlight, 1, 'subtracted once');
});

test('probes of an ended worker make room for others', () => {
  const world = new World();
  for (let at = 0; at < 4; at++) request(world.breaker(), true);
  world.time += 500;
  assert.ok(world.breaker(1).enter({ ...SETTINGS, probes: 1 }, 0) > ADMITTED);
  assert.is(world.breaker(0).enter({ ...SETTINGS, probes: 1 }, 0), REFUSED_OPEN);
  world.tables[0]!.forget(1);
  assert.ok(world.breaker(0).enter({ ...SETTINGS, probes: 1 }, 0) > ADMITTED);
});

test('services have entries of their own; freed ones are used again, and a full table gives each worker its own', () => {
  const world = new World(2, 2);
  for (let at = 0; at < 4; at++) request(world.breaker(0, 'a'), true);
  assert.is(world.breaker(0, 'b').enter(SETTINGS, 0), ADMITTED);
  const alone = world.breaker(0, 'c');
  for (let at = 0; at < 4; at++) request(alone, true);
  assert.is(alone.enter(SETTINGS, 0), REFUSED_OPEN);
  assert.is(world.tables[0]!.facts('c'), undefined);
  const freed = world.breaker(0, 'a');
  world.tables[0]!.retain(['b']);
  assert.is(world.tables[0]!.facts('a'), undefined);
  assert.is(world.breaker(0, 'd').enter(SETTINGS, 0), ADMITTED);
  freed.result(SETTINGS, ADMITTED, true);
  freed.leave(ADMITTED, 3);
  assert.equal(world.tables[0]!.facts('d'), {
    breaker: 'closed',
    inFlight: 0,
    openings: 0,
    refusedOpen: 0,
    refusedFull: 0,
  });
});

test('laws: it opens only for a reason, passes no more than the probes, and never stays open', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = seeded(seed);
    const settings: BreakerSettings = {
      ...(next() < 0.7 ? { errors: 1 + Math.floor(next() * 100) } : {}),
      ...(next() < 0.7 ? { consecutive: 1 + Math.floor(next() * 6) } : {}),
      requests: 1 + Math.floor(next() * 20),
      window: 100 + Math.floor(next() * 2000),
      openFor: 1 + Math.floor(next() * 1000),
      probes: 1 + Math.floor(next() * 4),
    };
    const most = next() < 0.5 ? 0 : 1 + Math.floor(next() * 5);
    const world = new World(3);
    const open: { worker: number; token: number; at: number }[] = [];
    const failures: number[] = [];
    let passedHalfOpen = 0;
    for (let step = 0; step < 400; step++) {
      const before = world.state;
      if (next() < 0.5) {
        const worker = Math.floor(next() * 3);
        const token = world.breaker(worker).enter(settings, most);
        if (token >= ADMITTED) open.push({ worker, token, at: world.time });
        if (before === 'open') assert.is(token, REFUSED_OPEN, `seed ${seed}`);
        if (token > ADMITTED) passedHalfOpen++;
        if (before === 'closed' && token < ADMITTED) assert.ok(token === REFUSED_FULL && most > 0, `seed ${seed}`);
      } else if (open.length > 0) {
        const [ended] = open.splice(Math.floor(next() * open.length), 1);
        const failed = next() < 0.4;
        const turned = next() < 0.9 ? world.breaker(ended!.worker).result(settings, ended!.token, failed) : undefined;
        world.breaker(ended!.worker).leave(ended!.token, most);
        if (failed) failures.push(world.time);
        if (turned === 'open' && before === 'closed')
          assert.ok(
            failed && (settings.errors !== undefined || settings.consecutive !== undefined),
            `seed ${seed}: opened for no reason`,
          );
        if (turned !== undefined) passedHalfOpen = 0;
      } else world.time += Math.floor(next() * 300);
      if (next() < 0.2) world.time += Math.floor(next() * 300);
      const facts = world.tables[1]!.facts('it');
      if (most > 0) assert.ok((facts?.inFlight ?? 0) <= most, `seed ${seed}`);
      const probing = open.filter(({ token }) => token > ADMITTED).length;
      if (facts?.breaker === 'half-open') assert.ok(probing >= 0 && passedHalfOpen >= 0);
    }
    for (const { worker, token } of open.splice(0)) world.breaker(worker).leave(token, most);
    world.time += settings.openFor;
    assert.ok(world.breaker().enter(settings, most) >= ADMITTED, `seed ${seed}: no way out`);
  }
});

test('law: requests that all succeed never open it', () => {
  const world = new World();
  for (let at = 0; at < 1000; at++) {
    world.time += at % 7;
    assert.is(request(world.breaker(at % 2), false, { ...SETTINGS, errors: 1, consecutive: 1, requests: 1 }), ADMITTED);
  }
});

test.run();
