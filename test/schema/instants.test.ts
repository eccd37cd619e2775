import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readInstant } from '../../src/schema/instants.js';

test('a date with a time and an offset is a point in time', () => {
  const instant = Date.UTC(2027, 0, 31, 12, 30);
  for (const text of [
    '2027-01-31T12:30:00Z',
    '2027-01-31 12:30:00z',
    '2027-01-31T12:30Z',
    '2027-01-31T13:30:00+01:00',
    '2027-01-31t07:00:00-05:30',
    '2027-01-31T12:30:00.000000Z',
  ])
    assert.is(readInstant(text), instant, text);
  assert.is(readInstant('2027-01-31T12:30:00.5Z'), instant + 500);
});

test('anything else is not', () => {
  for (const text of [
    '',
    '2027-01-31',
    '12:30:00',
    '2027-01-31T12:30:00',
    '2027-02-30T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-01-31T25:00:00Z',
    '1960-01-01T00:00:00Z',
    'tomorrow',
    '2027-01-31T12:30:00Z trailing',
  ])
    assert.is(readInstant(text), undefined, text);
});

test.run();
