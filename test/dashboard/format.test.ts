import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  age,
  bytes,
  count,
  dateTime,
  homePath,
  latency,
  percent,
  plural,
  rate,
  span,
  timeOfDay,
} from '../../src/dashboard/format.js';

function table<Value>(show: (value: Value) => string, cases: readonly (readonly [Value, string])[]): void {
  for (const [value, expected] of cases) assert.is(show(value), expected, String(value));
}

test('count', () => {
  table(count, [
    [0, '0'],
    [9_999, '9999'],
    [10_000, '10.0k'],
    [99_949, '99.9k'],
    [123_456, '123k'],
    [999_960, '1.0M'],
    [1_254_000, '1.25M'],
    [3.4e9, '3.4G'],
    [2e12, '2.0T'],
    [Number.NaN, '-'],
  ]);
});

test('rate', () => {
  table(rate, [
    [0, '0'],
    [0.01, '<0.1'],
    [0.44, '0.4'],
    [9.94, '9.9'],
    [9.96, '10'],
    [412.4, '412'],
    [12_345, '12.3k'],
    [Number.POSITIVE_INFINITY, '-'],
  ]);
});

test('latency', () => {
  table<number | null>(latency, [
    [null, '-'],
    [0, '0.00ms'],
    [0.42, '0.42ms'],
    [0.999, '1.0ms'],
    [1.24, '1.2ms'],
    [12.4, '12ms'],
    [999.4, '999ms'],
    [1_300, '1.3s'],
    [65_000, '1m 05s'],
    [Number.NaN, '-'],
  ]);
});

test('span and age', () => {
  table(span, [
    [-5, '0s'],
    [600, '0.6s'],
    [42_000, '42s'],
    [185_000, '3m 05s'],
    [7_500_000, '2h 05m'],
    [273_600_000, '3d 4h'],
    [Number.NaN, '-'],
  ]);
  table(age, [
    [-1, '0s'],
    [6_900, '6s'],
    [125_000, '2m'],
    [7_300_000, '2h'],
    [400_000_000, '4d'],
    [Number.NaN, '-'],
  ]);
});

test('bytes', () => {
  table(bytes, [
    [0, '0B'],
    [1_023, '1023B'],
    [1_840, '1.8KiB'],
    [87 * 1024 ** 2, '87.0MiB'],
    [1024 ** 3, '1.0GiB'],
    [5 * 1024 ** 4, '5.0TiB'],
    [Number.NaN, '-'],
  ]);
});

test('percent never rounds to 0% or 100%', () => {
  assert.is(percent(0, 10), '0%');
  assert.is(percent(1, 100_000), '<0.1%');
  assert.is(percent(31, 1_000), '3.1%');
  assert.is(percent(1, 2), '50%');
  assert.is(percent(999_999, 1_000_000), '>99%');
  assert.is(percent(5, 5), '100%');
  assert.is(percent(0, 0), '-');
});

test('times', () => {
  const at = new Date(2026, 0, 2, 3, 4, 5, 67).getTime();
  assert.is(timeOfDay(at), '03:04:05');
  assert.is(timeOfDay(at, true), '03:04:05.067');
  assert.is(dateTime(at), '2026-01-02 03:04:05');
  assert.is(timeOfDay(Number.NaN), '-');
  assert.is(dateTime(Number.NaN), '-');
});

test('plural and homePath', () => {
  assert.is(plural(1, 'route'), '1 route');
  assert.is(plural(0, 'route'), '0 routes');
  assert.is(homePath('/home/ann/shop/gateway.toml', '/home/ann'), '~/shop/gateway.toml');
  assert.is(homePath('/home/anna/x', '/home/ann'), '/home/anna/x');
  assert.is(homePath('/x', '/'), '/x');
  assert.is(homePath('/x', undefined), '/x');
});

test.run();
