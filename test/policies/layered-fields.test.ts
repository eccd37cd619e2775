import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CommonFields, HeaderMap, LayeredFields, readyField } from '../../src/policies/run-kit.js';
import { seededBelow } from '../support/random.js';

const COMMON = [
  ['content-type', 'text/plain'],
  ['vary', 'Accept'],
  ['vary', 'Origin'],
] as const;

test('fields that are only added leave the common ones as they are', () => {
  const common = new CommonFields(COMMON);
  const [one, other] = [new LayeredFields(common), new LayeredFields(common)];
  one.append('age', '1');
  one.add(readyField('X-B', '2'));
  assert.is(one.map, undefined);
  assert.is(one.added, 'age: 1\r\nx-b: 2\r\n');
  assert.is(other.added, '');
  assert.throws(() => one.append('a b', '1'), TypeError);
  assert.throws(() => one.append('a', '1\r\nx: 2'), TypeError);
});

test('edits of one reply do not reach another one', () => {
  const common = new CommonFields(COMMON);
  const edited = new LayeredFields(common);
  edited.append('age', '1');
  edited.set('content-type', 'text/html');
  edited.remove('vary');
  assert.equal(
    [...edited.entries()],
    [
      ['age', '1'],
      ['content-type', 'text/html'],
    ],
  );
  assert.equal([...new LayeredFields(common).entries()], [...COMMON]);
});

test('they are the fields that a map has after the same edits', () => {
  const below = seededBelow(7);
  const names = ['age', 'vary', 'content-type', 'x-a'];
  for (let round = 0; round < 500; round++) {
    const layered = new LayeredFields(new CommonFields(COMMON));
    const map = new HeaderMap(COMMON);
    for (let step = 0; step < 6; step++) {
      const name = names[below(names.length)]!;
      const value = String(below(3));
      const edit = below(4);
      for (const fields of [layered, map]) {
        if (edit === 0) fields.append(name, value);
        else if (edit === 1) fields.set(name, value);
        else if (edit === 2) fields.remove(name);
      }
      assert.is(layered.get(name), map.get(name));
    }
    assert.equal([...layered.entries()], [...map.entries()]);
  }
});

test.run();
