import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePath, valueAt } from '../../../src/actions/aggregate/value-path.js';

test('paths name a part of a call, or the item', () => {
  assert.equal(parsePath('calls.a.body'), { call: 'a', of: 'body', path: [] });
  assert.equal(parsePath('calls.a.body.items.0.id'), { call: 'a', of: 'body', path: ['items', '0', 'id'] });
  assert.equal(parsePath('calls.a.status'), { call: 'a', of: 'status', path: [] });
  assert.equal(parsePath('calls.a.header.X-Total'), { call: 'a', of: 'header', path: ['x-total'] });
  assert.equal(parsePath('item'), { call: undefined, of: 'value', path: [] });
  assert.equal(parsePath('item.id'), { call: undefined, of: 'value', path: ['id'] });
  for (const wrong of [
    '',
    'a',
    'calls',
    'calls.a',
    'calls.a.code',
    'calls.a.status.x',
    'calls.a.header',
    'calls.a.body.',
    'item.',
  ])
    assert.is(parsePath(wrong), undefined, wrong);
});

test('a name in a list is that member of each item; a number is an index', () => {
  const value = { lines: [{ id: 1, tags: ['a', 'b'] }, { id: 2, tags: ['c'] }, { other: 3 }, null] };
  assert.equal(valueAt(value, ['lines', 'id']), [1, 2]);
  assert.equal(valueAt(value, ['lines', 'tags']), ['a', 'b', 'c']);
  assert.equal(valueAt(value, ['lines', '1', 'id']), 2);
  assert.is(valueAt(value, ['lines', 'gone']), undefined);
  assert.is(valueAt(value, ['lines', '9']), undefined);
});

test('only own members are found', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'length']) {
    assert.is(valueAt({}, [name]), undefined);
    assert.is(valueAt([], [name]), undefined);
    assert.is(valueAt('text', [name]), undefined);
  }
});

test.run();
