/** Alarms of many requests on one timer. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Alarm, Alarms } from '../../../../src/proxy/upstream/retry/alarms.js';
import { VirtualTime } from '../../../../src/state/timers.js';

function world() {
  const time = new VirtualTime({ now: () => 0, monotonic: () => 0 });
  let timers = 0;
  const alarms = new Alarms({
    background: (ms, work) => {
      timers++;
      return time.after(ms, work);
    },
    monotonic: () => time.monotonic(),
  });
  const rung: string[] = [];
  const alarm = (name: string, work = (): void => {}): Alarm =>
    new Alarm({
      onAlarm: () => {
        rung.push(`${name} ${time.monotonic()}`);
        work();
      },
      broke: (error) => rung.push(`${name} broke: ${String(error)}`),
    });
  return { alarms, alarm, rung, time, timers: () => timers };
}

test('alarms ring in the order of their times, at their times', () => {
  const { alarms, alarm, rung, time } = world();
  alarms.set(alarm('b'), 20);
  alarms.set(alarm('c'), 30);
  alarms.set(alarm('a'), 10);
  alarms.set(alarm('b2'), 20);
  while (time.step());
  assert.equal(rung, ['a 10', 'b 20', 'b2 20', 'c 30']);
});

test('a deleted alarm does not ring, at either end or within', () => {
  const { alarms, alarm, rung, time } = world();
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => alarm(name));
  for (const [at, one] of all.entries()) alarms.set(one, at + 1);
  for (const at of [0, 2, 4, 4]) alarms.delete(all[at]!);
  while (time.step());
  assert.equal(rung, ['b 2', 'd 4']);
});

test('an alarm may be set again, also while it rings', () => {
  const { alarms, alarm, rung, time } = world();
  let left = 3;
  const again: Alarm = alarm('again', () => {
    if (--left > 0) alarms.set(again, time.monotonic() + 5);
  });
  alarms.set(again, 5);
  while (time.step());
  assert.equal(rung, ['again 5', 'again 10', 'again 15']);
});

test('many alarms that are deleted in time need few timers', () => {
  const { alarms, alarm, timers } = world();
  for (let at = 0; at < 1000; at++) {
    const one = alarm('x');
    alarms.set(one, 100 + at / 1000);
    alarms.delete(one);
  }
  assert.is(timers(), 1);
});

test('one that throws does not keep the others from ringing', () => {
  const { alarms, alarm, rung, time } = world();
  alarms.set(
    alarm('bad', () => {
      throw new Error('no');
    }),
    1,
  );
  alarms.set(alarm('good'), 1);
  while (time.step());
  assert.equal(rung, ['bad 1', 'bad broke: Error: no', 'good 1']);
});

test.run();
