/** Requests that wait for the first target of their service. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GuardRefusal } from '../../../src/proxy/upstream/guard.js';
import { type Waiting, WaitingRoom } from '../../../src/proxy/upstream/waiting-room.js';
import { Counter } from '../../../src/telemetry/stats/layout.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { StatsWriter } from '../../../src/telemetry/stats/writer.js';
import { programWith, servicePlan } from '../../support/programs.js';

const test = suite('waiting for targets');

function roomOf(maxQueue = 3) {
  const registry = new StatsRegistry({ now: 0 });
  const [slot = 0] = registry.assign(programWith({ services: [servicePlan('shop')] }), 0).services ?? [];
  const time = { now: 0 };
  const demands: string[] = [];
  const room = new WaitingRoom('shop', {
    stats: new StatsWriter(registry.chunks(0)),
    now: () => 1_000_000 + time.now,
    monotonic: () => time.now,
    demand: (service) => demands.push(service),
  });
  room.configure({ maxQueue }, 1, slot);
  const settings = { waitForTargets: 5000 };
  const enter = (request: Waiting): GuardRefusal | undefined => room.enter(request, settings, 'nothing runs');
  return { room, time, demands, enter, counted: () => registry.sum(slot, Counter.Waiting) };
}

class Request implements Waiting {
  waitUntil = 0;
  arrivals = 0;
  refusal: GuardRefusal | undefined;
  onArrival: () => void = () => {};
  arrived(): void {
    this.arrivals++;
    this.onArrival();
  }
  gaveUp(refusal: GuardRefusal): void {
    this.refusal = refusal;
  }
}

test('the first request tells control, all go on when a target is there, and the counter follows', () => {
  const { room, demands, enter, counted } = roomOf();
  const [one, two, left] = [new Request(), new Request(), new Request()];
  for (const request of [one, two, left]) assert.is(enter(request), undefined);
  assert.equal([demands, counted()], [['shop'], 3]);
  room.leave(left);
  room.leave(left);
  room.open();
  assert.equal([one.arrivals, two.arrivals, left.arrivals, counted()], [1, 1, 0, 0]);
  enter(new Request());
  assert.equal(demands, ['shop', 'shop']);
});

test('more than the bound, and those whose time is over, are refused with Retry-After', () => {
  const { room, time, enter } = roomOf(1);
  const first = new Request();
  enter(first);
  assert.equal(enter(new Request()), {
    error: 'upstream/none',
    cause: 'nothing runs; 1 requests wait (max_queue)',
    retryAfter: 1,
  });
  time.now = 4999;
  room.sweep(time.now);
  assert.is(first.refusal, undefined);
  time.now = 5000;
  room.sweep(time.now);
  assert.match(first.refusal?.cause ?? '', 'within wait_for_targets');
  assert.is(room.size, 0);
});

test('one that waits again has the rest of its time', () => {
  const { room, time, enter } = roomOf();
  const request = new Request();
  // The targets are gone before it gets one.
  request.onArrival = () => void enter(request);
  enter(request);
  time.now = 4000;
  room.open();
  assert.equal([request.arrivals, room.size], [1, 1]);
  time.now = 5000;
  assert.match(enter(request)?.cause ?? '', 'within wait_for_targets');
});

test('while a start is known to fail, those who wait and those who come are refused until the next attempt', () => {
  const { room, time, enter } = roomOf();
  const request = new Request();
  enter(request);
  room.fail({ cause: 'exit code 4', retryAt: 1_002_500 });
  const refused = { error: 'upstream/none', cause: 'exit code 4', retryAfter: 3 };
  assert.equal(request.refusal, refused);
  assert.equal(enter(new Request()), refused);
  time.now = 2500;
  assert.is(enter(new Request()), undefined, 'the next attempt has begun');
  room.fail(undefined);
  assert.is(room.size, 1);
});

test('a service that does not wait refuses at once, and a service that is gone refuses those who wait', () => {
  const { room, enter } = roomOf();
  assert.is(room.enter(new Request(), {}, 'the service has no target')?.cause, 'the service has no target');
  const request = new Request();
  enter(request);
  room.close();
  assert.is(request.refusal?.cause, 'the service was removed');
  assert.is(enter(new Request())?.cause, 'the service was removed', 'of an older generation');
});

test('a crowd goes on in several turns of the event loop, without those who leave meanwhile', async () => {
  const { room, enter } = roomOf(1000);
  const crowd = Array.from({ length: 600 }, () => new Request());
  for (const request of crowd) enter(request);
  room.open();
  assert.is(crowd.filter(({ arrivals }) => arrivals === 1).length, 256);
  room.leave(crowd[599]!);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.is(crowd.filter(({ arrivals }) => arrivals === 1).length, 599);
});

test.run();
