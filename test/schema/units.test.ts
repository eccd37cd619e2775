import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatDuration, formatRate, formatSize, parseDuration, parseRate, parseSize } from '../../src/schema/units.js';
import { Random } from './random.js';

test('durations are parsed', () => {
  for (const [text, ms] of [
    ['250ms', 250],
    ['5s', 5000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['2min', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['0s', 0],
  ] as const) {
    assert.is(parseDuration(text), ms, text);
  }
  for (const text of ['', '5', 's', '5 s', '-1s', '1e3s', '5S', '99999999999999999999d', '.5s']) {
    assert.is(parseDuration(text), undefined, text);
  }
});

test('sizes are parsed', () => {
  for (const [text, bytes] of [
    ['512B', 512],
    ['1kB', 1000],
    ['1KB', 1000],
    ['64KiB', 65_536],
    ['10MiB', 10_485_760],
    ['1MB', 1_000_000],
    ['1GB', 1_000_000_000],
    ['1GiB', 1024 ** 3],
  ] as const) {
    assert.is(parseSize(text), bytes, text);
  }
  for (const text of ['', '10', '10 MiB', '10mib', 'MiB']) assert.is(parseSize(text), undefined, text);
});

test('rates are parsed', () => {
  assert.equal(parseRate('100/min'), { capacity: 100, periodMs: 60_000 });
  assert.equal(parseRate('5/s'), { capacity: 5, periodMs: 1000 });
  assert.equal(parseRate('1000/15min'), { capacity: 1000, periodMs: 900_000 });
  assert.equal(parseRate('0/day'), { capacity: 0, periodMs: 86_400_000 });
  for (const text of ['', '5', '5/', '/s', '5/0s', '-5/s', '5/week', '99999999999999999999/s']) {
    assert.is(parseRate(text), undefined, text);
  }
});

test('a formatted value parses to the same value', () => {
  const random = new Random(3);
  for (let round = 0; round < 2000; round++) {
    const value = random.below(1_000_000) * random.pick([1, 1000, 60_000, 1024]);
    assert.is(parseDuration(formatDuration(value)), value);
    assert.is(parseSize(formatSize(value)), value);
    const rate = {
      capacity: random.below(10_000),
      periodMs: (1 + random.below(100)) * random.pick([1000, 60_000, 3_600_000]),
    };
    assert.equal(parseRate(formatRate(rate)), rate);
  }
});

test('formats are the shortest exact ones', () => {
  assert.is(formatDuration(90_000), '90s');
  assert.is(formatDuration(60_000), '1m');
  assert.is(formatDuration(1), '1ms');
  assert.is(formatSize(1000), '1000B');
  assert.is(formatRate({ capacity: 5, periodMs: 1500 }), '5/1500ms');
});

test.run();
