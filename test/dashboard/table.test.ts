import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cell, fitLine, frame, type Line, lineWidth, span, spread } from '../../src/dashboard/line.js';
import { type Column, headerLine, place, rangeText, rowLine } from '../../src/dashboard/table.js';
import { themeFor } from '../../src/dashboard/theme.js';

const theme = themeFor({ LANG: 'C.UTF-8' });
const text = (line: Line): string => line.map((part) => part.text).join('');

interface Pair {
  readonly name: string;
  readonly value: number;
}
const COLUMNS: readonly Column<Pair>[] = [
  { title: 'NAME', min: 8, grow: 1, cell: ({ name }) => name },
  { title: 'MORE', min: 20, grow: 1, max: 24, spare: 2, cell: () => 'more' },
  { title: 'LESS', min: 5, spare: 1, cell: () => ['less', 'dim'] },
  { title: 'VALUE', min: 6, align: 'right', cell: ({ value }) => String(value) },
];

test('columns that do not fit are omitted, the least important first', () => {
  const titles = (columns: number): string =>
    place(COLUMNS, columns)
      .map(({ column }) => column.title)
      .join(' ');
  assert.is(titles(80), 'NAME MORE LESS VALUE');
  assert.is(titles(43), 'NAME LESS VALUE');
  assert.is(titles(20), 'NAME VALUE');
  assert.is(titles(5), 'NAME VALUE');
});

test('a table fills its width exactly, up to the maximum column widths', () => {
  for (const columns of [44, 45, 60, 80, 200]) {
    const placed = place(COLUMNS, columns);
    assert.is(lineWidth(headerLine(placed, theme)), columns);
    assert.is(lineWidth(rowLine(placed, { name: 'a'.repeat(300), value: 1 }, true, theme)), columns);
  }
  assert.is(place(COLUMNS, 200)[1]?.width, 24);
});

test('the header shows the sort column and direction', () => {
  const placed = place(COLUMNS, 80);
  assert.match(text(headerLine(placed, theme, { title: 'VALUE', reverse: false })), /VALUE▼$/);
  assert.match(text(headerLine(placed, theme, { title: 'VALUE', reverse: true })), /VALUE▲$/);
});

test('the selected row has a marker, not only a colour', () => {
  const placed = place(COLUMNS, 80);
  assert.match(text(rowLine(placed, { name: 'x', value: 1 }, true, theme)), /^▸ x/);
  assert.match(text(rowLine(placed, { name: 'x', value: 1 }, false, theme)), /^ {2}x/);
});

test('rangeText states the visible range', () => {
  assert.is(rangeText(0, 0, 0, 'route'), 'no routes');
  assert.is(rangeText(0, 1, 1, 'route'), '1 route');
  assert.is(rangeText(4, 6, 240, 'route'), '5-10 of 240 routes');
});

test('cells escape control characters', () => {
  assert.is(cell('\x1b]0;title\x07', 14, theme).text, '\\e]0;title\\x07');
  assert.is(cell('\x1b'.repeat(10_000), 6, theme).text, '\\e\\e\\…');
});

test('lines are fitted, spread and framed to the exact width', () => {
  assert.is(text(fitLine([span('abc'), span('def')], 5, theme)), 'abcd…');
  assert.is(text(fitLine([span('abc'), span('def')], 3, theme)), 'abc');
  assert.is(text(spread([span('left')], [span('right')], 12, theme)), 'left   right');
  assert.is(text(spread([span('left')], [span('right')], 7, theme)), 'l…right');
  assert.is(text(spread([span('left')], [span('right')], 4, theme)), 'rig…');
  const box = frame(
    [{ title: [span('a title that is too long')], tail: [span('tail')], lines: [[span('x')]] }],
    12,
    theme,
  );
  assert.match(text(box[0] ?? []), /^╭─ a title.*…╮$/);
  assert.is(text(box[1] ?? []), '│x         │');
  assert.is(text(box[2] ?? []), '╰──────────╯');
  for (const line of box) assert.is(lineWidth(line), 12);
});

test.run();
