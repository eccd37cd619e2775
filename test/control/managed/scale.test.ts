/** The number of processes of a managed service: decisions on an injected clock. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { InstancesEntry } from '../../../src/bundle/types.js';
import {
  decide,
  newHistory,
  type ScaleHistory,
  type ScaleSignal,
  UP_AFTER,
} from '../../../src/control/managed/scale.js';

const test = suite('scale decisions');

const SETTINGS: InstancesEntry = { min: 0, max: 4, perInstance: 10, downAfter: 60_000, idle: 300_000 };
const STEP = 250;

/** A service whose processes are ready as soon as they are wanted. */
class Service {
  now = 0;
  count = 0;
  settings: InstancesEntry;
  history: ScaleHistory = newHistory(0);
  /** Each change: time and number. */
  readonly changes: [number, number][] = [];

  constructor(settings: Partial<InstancesEntry> = {}) {
    this.settings = { ...SETTINGS, ...settings };
    this.count = this.settings.min;
  }

  look(signal: Partial<ScaleSignal>): number {
    const { now, count: ready } = this;
    const all = { now, inFlight: 0, waiting: 0, active: false, ready, starting: 0, failing: false, ...signal };
    const { count, history } = decide(this.settings, all, this.history);
    this.history = history;
    if (count !== this.count) this.changes.push([now, count]);
    this.count = count;
    return count;
  }

  /** With the same load for some time. */
  during(ms: number, signal: Partial<ScaleSignal> | ((now: number) => Partial<ScaleSignal>)): number {
    for (const end = this.now + ms; this.now < end; this.now += STEP)
      this.look(typeof signal === 'function' ? signal(this.now) : signal);
    return this.count;
  }
}

test('a request that waits starts a process at once, many start several', () => {
  const one = new Service();
  assert.is(one.look({}), 0);
  assert.is(one.look({ waiting: 1 }), 1);
  const many = new Service();
  assert.is(many.look({ waiting: 25 }), 3);
  assert.is(new Service().look({ waiting: 1000 }), 4, 'never more than the largest number');
});

test('load that lasts starts more, a burst does not', () => {
  const service = new Service({ min: 1 });
  service.during(10_000, { inFlight: 5 });
  assert.is(service.look({ inFlight: 35 }), 1);
  service.now += STEP;
  assert.is(service.look({ inFlight: 5 }), 1);
  service.during(UP_AFTER, { inFlight: 35 });
  assert.is(service.count, 1);
  assert.is(service.during(2 * STEP, { inFlight: 35 }), 4);
});

test('processes stop after the time with less load, and the last one when the service was idle', () => {
  const service = new Service();
  service.look({ waiting: 40 });
  service.during(10_000, { inFlight: 40 });
  assert.is(service.count, 4);
  service.during(59_000, { inFlight: 1 });
  assert.is(service.count, 4);
  service.during(2000, { inFlight: 1 });
  assert.is(service.count, 1);
  service.during(299_000, { inFlight: 0 });
  assert.is(service.count, 1);
  service.during(2000, { inFlight: 0 });
  assert.is(service.count, 0);
  service.during(1000, {});
  assert.equal(
    service.changes.map(([, count]) => count),
    [4, 1, 0],
  );
});

test('requests too short to be seen in flight keep the last process', () => {
  const service = new Service({ idle: 1000 });
  service.look({ waiting: 1 });
  service.during(60_000, (now) => ({ active: now % 750 === 0 }));
  assert.is(service.count, 1);
  assert.is(service.during(2000, {}), 0);
});

test('a process less must leave some reserve', () => {
  const service = new Service({ min: 1 });
  service.during(2000, { inFlight: 18 });
  assert.is(service.count, 2);
  assert.is(service.during(600_000, { inFlight: 9 }), 2, 'nine tenths for the other one');
  assert.is(service.during(61_000, { inFlight: 8 }), 1);
});

test('a process that does not start is tried alone', () => {
  const service = new Service();
  assert.is(service.look({ waiting: 40, ready: 0, starting: 4, failing: true }), 1);
  assert.is(service.look({ waiting: 40, ready: 2, starting: 2, failing: true }), 3);
  const fixed = new Service({ min: 3 });
  assert.is(fixed.look({ ready: 0, starting: 3, failing: true }), 3, 'not below the least number');
});

/** Numbers from 0 to below 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

test('the bounds hold and the history stays small, whatever is measured', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomFrom(seed);
    const upTo = (most: number): number => Math.floor(random() * (most + 1));
    const min = upTo(3);
    const max = Math.max(1, min + upTo(5));
    const service = new Service({
      min,
      max,
      perInstance: 1 + upTo(20),
      downAfter: upTo(5000),
      idle: 1000 + upTo(5000),
    });
    for (let step = 0; step < 300; step++) {
      const waiting = random() < 0.1 ? upTo(500) : 0;
      const [inFlight, ready, starting] = [random() < 0.5 ? upTo(300) : 0, upTo(max + 2), upTo(max)];
      const count = service.look({
        inFlight,
        waiting,
        ready,
        starting,
        active: random() < 0.2,
        failing: random() < 0.1,
      });
      assert.ok(count >= min && count <= max, `seed ${seed}: ${count} is not in ${min}..${max}`);
      if (waiting > 0 && max > 0) assert.ok(count > 0, `seed ${seed}: a request waits for nothing`);
      const { peaks, lows } = service.history;
      assert.ok(peaks.length <= max + 1 && lows.length <= max + 1, `seed ${seed}: the history grows`);
      service.now += upTo(1000);
    }
  }
});

test('a steady load with some noise does not change the number again and again', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = randomFrom(seed);
    const mean = random() * 45;
    const service = new Service({ max: 8 });
    const noisy = (): Partial<ScaleSignal> => ({ inFlight: Math.round(mean * (0.9 + 0.2 * random())), active: true });
    service.look({ waiting: 1 });
    service.during(120_000, noisy);
    const settled = service.changes.length;
    service.during(600_000, noisy);
    const later = service.changes.slice(settled);
    assert.ok(later.length <= 1, `seed ${seed}, load ${mean}: ${JSON.stringify(later)}`);
  }
});

test.run();
