import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { indexOf, move, offsetFor, page, TOP } from '../../src/dashboard/window.js';

const rows = Array.from({ length: 20 }, (_, index) => ({ id: `r${index}` }));

test('offsetFor keeps the selected row visible and leaves no row empty', () => {
  assert.is(offsetFor(20, 5, 0, 3), 0);
  assert.is(offsetFor(20, 5, 9, 0), 5);
  assert.is(offsetFor(20, 5, -1, 18), 15);
  assert.is(offsetFor(3, 5, 2, 4), 0);
});

test('move handles steps, pages and ends', () => {
  const first = move(rows, TOP, 1, 5);
  assert.equal(first, { id: 'r0', offset: 0 });
  assert.equal(move(rows, first, 1, 5), { id: 'r1', offset: 0 });
  assert.equal(move(rows, first, -1, 5), { id: 'r0', offset: 0 });
  assert.equal(move(rows, first, 5, 5), { id: 'r5', offset: 1 });
  assert.equal(move(rows, first, Number.POSITIVE_INFINITY, 5), { id: 'r19', offset: 15 });
  assert.equal(move(rows, TOP, Number.NEGATIVE_INFINITY, 5), { id: 'r0', offset: 0 });
  assert.equal(move([], first, 1, 5), TOP);
});

test('the cursor stays with its row when the order changes', () => {
  const cursor = move(rows, TOP, 1, 5);
  const shuffled = [...rows].reverse();
  assert.is(indexOf(shuffled, cursor), 19);
  const shown = page(shuffled, cursor, 5);
  assert.is(shown.first, 15);
  assert.is(shown.selected, 4);
});

test('the cursor of a removed row selects nothing', () => {
  const shown = page(rows, { id: 'gone', offset: 4 }, 5);
  assert.is(shown.selected, -1);
  assert.equal(
    shown.rows.map((row) => row.id),
    ['r4', 'r5', 'r6', 'r7', 'r8'],
  );
  assert.is(shown.total, 20);
});

test.run();
