import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bar, columnChart, resample } from '../../src/dashboard/chart.js';
import { ASCII, UNICODE } from '../../src/dashboard/theme.js';

test('resample keeps the peak of each column', () => {
  assert.equal(resample([1, 9, 2, 3], 2, 3), [9, 3]);
  assert.equal(resample([1, 2, 3], 3, 10), [1, 2, 3]);
  assert.equal(resample([], 3, 10), []);
  assert.equal(resample([1], 0, 10), []);
});

test('columns of a resampled chart align to whole clock seconds, so their values stay the same as they move', () => {
  const at = (end: number): number[] =>
    resample(
      Array.from({ length: 120 }, (_, index) => (end - 119 + index) % 17),
      60,
      end,
    );
  const one = at(1_000);
  const later = at(1_002);
  assert.equal(one.slice(2, -1), later.slice(1, -2));
});

test('a chart has exactly the given rows and columns, newest at the right', () => {
  const lines = columnChart([0, 4, 8], 5, 2, 8, UNICODE);
  assert.equal(lines, ['    █', '   ██']);
  assert.equal(columnChart([8], 1, 1, 8, ASCII), ['|']);
  assert.equal(columnChart([], 3, 1, 0, UNICODE), ['   ']);
});

test('a small value is visible, zero is not', () => {
  assert.equal(columnChart([0.001, 0], 2, 1, 1_000, UNICODE), ['▁ ']);
  assert.equal(columnChart([Number.NaN], 1, 1, 5, UNICODE), [' ']);
});

test('only a full bar looks full, only an empty bar looks empty', () => {
  assert.equal(bar(1, 4, UNICODE), { full: '████', rest: '' });
  assert.equal(bar(0, 4, UNICODE), { full: '', rest: '····' });
  assert.equal(bar(0.999, 4, UNICODE), { full: '███▉', rest: '' });
  assert.equal(bar(0.0001, 4, UNICODE), { full: '▏', rest: '···' });
  assert.equal(bar(0.5, 4, ASCII), { full: '##', rest: '..' });
  assert.equal(bar(7, 2, ASCII), { full: '##', rest: '' });
  assert.equal(bar(Number.NaN, 2, ASCII), { full: '', rest: '..' });
});

test.run();
