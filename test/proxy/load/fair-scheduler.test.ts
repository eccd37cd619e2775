import { performance } from 'node:perf_hooks';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FairScheduler, type ScheduledTask } from '../../../src/proxy/load/fair-scheduler.js';

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A task that takes a number of turns of a number of milliseconds. */
class Worker implements ScheduledTask {
  constructor(
    readonly turns: FairScheduler,
    readonly name: string,
    readonly seen: string[],
    public left: number,
    readonly ms = 0,
  ) {
    turns.wait(this);
  }

  takeTurn(): void {
    this.seen.push(this.name);
    const until = performance.now() + this.ms;
    while (performance.now() < until);
    if (--this.left > 0) this.turns.wait(this);
  }
}

test('each task has one turn per round, in order of arrival', async () => {
  const turns = new FairScheduler();
  const seen: string[] = [];
  for (const [name, left] of [
    ['a', 3],
    ['b', 1],
    ['c', 2],
  ] as const)
    new Worker(turns, name, seen, left);
  assert.equal(seen, [], 'not before the loop comes round');
  await immediate();
  assert.is(seen.join(''), 'abc');
  await immediate();
  await immediate();
  assert.is(seen.join(''), 'abcaca');
});

test('a long round is interrupted and continues with the tasks that had no turn', async () => {
  const turns = new FairScheduler();
  const seen: string[] = [];
  for (const name of ['a', 'b', 'c']) new Worker(turns, name, seen, 2, 5);
  for (let round = 1; round <= 6; round++) {
    await immediate();
    assert.is(seen.length, round);
  }
  assert.is(seen.join(''), 'abcabc');
  await immediate();
  assert.is(seen.length, 6);
});

test.run();
