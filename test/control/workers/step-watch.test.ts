import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type SlowStep, StepSampler } from '../../../src/control/workers/step-sampler.js';
import { StepCell, StepNumbers } from '../../../src/state/step-cell.js';

test('a step is reported once when it has run for 50 ms, with its worker', () => {
  const memory = StepCell.allocate(2);
  const numbers = new StepNumbers();
  const cell = new StepCell(memory, 1);
  cell.adopt(numbers.of(['slow', 'inner']));
  const found: SlowStep[] = [];
  let now = 0;
  const sampler = new StepSampler(
    memory,
    () => now,
    (slow) => found.push(slow),
  );
  const sample = (ms: number): void => {
    now += ms;
    sampler.sample();
  };
  const outer = cell.enter(cell.numberOf('slow'));
  sample(0);
  sample(49);
  assert.equal(found, []);
  sample(1);
  sample(500);
  assert.equal(
    found.map(({ word, worker }) => [numbers.nameIn(word), worker]),
    [['slow', 1]],
  );
  cell.leave(outer);
  sample(1000);
  // Many short steps of the same policy are not one long step.
  for (let at = 0; at < 10; at++) {
    cell.leave(cell.enter(cell.numberOf('slow')));
    const around = cell.enter(cell.numberOf('slow'));
    sample(40);
    cell.leave(around);
  }
  assert.is(found.length, 1);
  const around = cell.enter(cell.numberOf('slow'));
  const within = cell.enter(cell.numberOf('inner'));
  sample(0);
  sample(60);
  cell.leave(within);
  cell.leave(around);
  assert.equal(
    found.map(({ word }) => numbers.nameIn(word)),
    ['slow', 'inner'],
  );
});

test.run();
