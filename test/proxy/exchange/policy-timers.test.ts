import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_TIMERS, PolicyTimers } from '../../../src/proxy/exchange/policy-timers.js';
import { VirtualTime } from '../../../src/state/timers.js';
import { virtualClock } from '../../support/virtual-clock.js';

const errors: string[] = [];
const quiet = (): void => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: (message: string) => void errors.push(message) };
const make = (): { time: VirtualTime; timers: PolicyTimers } => {
  const time = new VirtualTime(virtualClock(() => 0));
  return { time, timers: new PolicyTimers({ after: time.after, logger }, 'p') };
};

test('timers run once, in the order of their times, and can be cancelled', () => {
  const { time, timers } = make();
  const ran: string[] = [];
  timers.after(20, () => ran.push(`b at ${time.now()}`));
  timers.after(10, () => ran.push(`a at ${time.now()}`));
  timers.after(15, () => ran.push('cancelled'))();
  assert.ok(time.step() && time.step());
  assert.not.ok(time.step());
  assert.equal(ran, ['a at 10', 'b at 20']);
});

test('closing a policy cancels its timers, and it gets no further one', () => {
  const { time, timers } = make();
  timers.after(10, () => assert.unreachable());
  timers.close();
  timers.after(10, () => assert.unreachable());
  assert.not.ok(time.waits);
});

test('an exception in a timer is logged', () => {
  const { time, timers } = make();
  timers.after(0, () => {
    throw new Error('no');
  });
  time.step();
  assert.equal(errors, ['timer of a policy failed']);
});

test('timers are bounded in time and number', () => {
  const { time, timers } = make();
  for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => timers.after(ms, quiet), RangeError);
  for (let at = 0; at < MAX_TIMERS; at++) timers.after(at, quiet);
  assert.throws(() => timers.after(1, quiet), RangeError);
  time.step();
  timers.after(1, quiet);
});

test.run();
