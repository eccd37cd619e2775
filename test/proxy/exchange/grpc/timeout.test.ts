import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readTimeout, writeTimeout } from '../../../../src/proxy/exchange/grpc/timeout.js';

test('all units are read', () => {
  const values = ['1H', '2M', '3S', '4m', '5000u', '6000000n'].map((value) => Math.round(readTimeout(value)! * 1000));
  assert.equal(values, [3_600_000_000, 120_000_000, 3_000_000, 4000, 5000, 6000]);
  assert.is(readTimeout('99999999H'), 99_999_999 * 3_600_000);
  assert.is(readTimeout('0m'), 0);
});

test('anything else is malformed', () => {
  for (const value of ['', 'S', '1', '1s', '123456789S', '-1S', '1.5S', ' 1S', '1S ', '1S, 2S', '+1S', '1SS', 'xS'])
    assert.is(readTimeout(value), undefined, value);
});

test('a value is written with the most precise unit that has eight digits, rounded down', () => {
  assert.is(writeTimeout(1.2345), '1234u');
  assert.is(writeTimeout(99_999), '99999000u');
  assert.is(writeTimeout(100_000.5), '100000m');
  assert.is(writeTimeout(200_000_000), '200000S');
  assert.is(writeTimeout(1e12), '16666666M');
  assert.is(writeTimeout(1e18), '99999999H');
});

test('a timeout is positive', () => {
  for (const ms of [0, -5, 0.000_1]) assert.is(writeTimeout(ms), '1u');
});

test('what is written is read as the same time', () => {
  for (const ms of [0.5, 17, 1234.567, 86_400_000, 1e10])
    assert.ok(Math.abs(readTimeout(writeTimeout(ms))! / ms - 1) < 1e-3);
});

test.run();
