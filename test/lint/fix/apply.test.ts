import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { positionAt, removeItem, spanWithin } from '../../../src/lint/edits.js';
import { applyEdits, applySafeFixes } from '../../../src/lint/fix/apply.js';
import type { Diagnostic, Edit, Fix } from '../../../src/schema/diagnostic.js';
import type { SourceFile } from '../../../src/spec/model.js';
import { checked, HEAD, ORDERS } from '../kit.js';

const file = (text: string, path = 'gateway.toml'): SourceFile => ({ path, absolute: `/${path}`, text, sha256: '' });
const at = (offset: number) => ({ offset, line: 1, column: offset + 1 });
const edit = (from: number, to: number, text: string, path = 'gateway.toml'): Edit => ({
  span: { file: path, start: at(from), end: at(to) },
  text,
});
const fixing = (edits: readonly Edit[], applicability: Fix['applicability'] = 'safe'): Diagnostic => ({
  code: 'x/y',
  severity: 'error',
  span: edits[0]!.span,
  message: '',
  fix: { title: '', applicability, edits },
});

test('edits are applied from the end', () => {
  assert.is(applyEdits('abcdef', [edit(0, 1, 'AAA'), edit(4, 5, ''), edit(2, 2, '-')]), 'AAAb-cdf');
});

test('only safe fixes are applied; equal ones once', () => {
  const result = applySafeFixes(
    [fixing([edit(0, 1, 'X')]), fixing([edit(0, 1, 'X')]), fixing([edit(2, 3, 'Z')], 'unsafe')],
    [file('abc')],
  );
  assert.equal(
    result.files.map(({ text }) => text),
    ['Xbc'],
  );
  assert.is(result.applied, 2);
});

test('a fix that overlaps another is left out completely', () => {
  const result = applySafeFixes(
    [fixing([edit(1, 3, 'X')]), fixing([edit(5, 6, 'Y'), edit(2, 4, 'Z')])],
    [file('abcdef')],
  );
  assert.is(result.files[0]?.text, 'aXdef');
  assert.is(result.skipped, 1);
  assert.is(applySafeFixes([fixing([edit(1, 1, 'X')]), fixing([edit(1, 1, 'Y')])], [file('ab')]).skipped, 1);
});

test('a fix for an unknown file or beyond its end is left out', () => {
  assert.is(applySafeFixes([fixing([edit(0, 1, 'X', 'other.toml')])], [file('a')]).skipped, 1);
  assert.is(applySafeFixes([fixing([edit(0, 9, 'X')])], [file('a')]).skipped, 1);
});

test('several files are fixed at once; unchanged files are not written', () => {
  const result = applySafeFixes(
    [fixing([edit(0, 1, 'X'), edit(0, 1, 'Y', 'b.toml')]), fixing([edit(0, 1, 'c', 'c.toml')])],
    [file('a'), file('b', 'b.toml'), file('c', 'c.toml')],
  );
  assert.equal(
    result.files.map(({ file: { path }, text }) => [path, text]),
    [
      ['gateway.toml', 'X'],
      ['b.toml', 'Y'],
    ],
  );
});

test('an item is removed with its comma', () => {
  const remove = (text: string, item: string): string => {
    const { value: model } = checked(HEAD + ORDERS);
    const start = text.indexOf(item);
    const whole = { ...model!, files: [file(text)] };
    const span = { file: 'gateway.toml', start: positionAt(text, start), end: positionAt(text, start + item.length) };
    return applyEdits(text, [removeItem(whole, span)!]);
  };
  assert.is(remove('a = [1, 2, 3]', '3'), 'a = [1, 2]');
  assert.is(remove('a = [1, 2, 3]', '1'), 'a = [2, 3]');
  assert.is(remove('a = [1]', '1'), 'a = []');
  assert.is(remove('a = [\n  1,\n  2,\n]', '2'), 'a = [\n  1,\n]');
});

test('positions count lines and UTF-16 columns', () => {
  assert.equal(positionAt('a\n😀b', 4), { offset: 4, line: 2, column: 3 });
  assert.equal(positionAt('a\nb', 0), { offset: 0, line: 1, column: 1 });
});

test('a part that is not literal in the source has the span of the whole', () => {
  const { value: model } = checked(HEAD + ORDERS);
  const span = { file: 'gateway.toml', start: at(0), end: at(4) };
  assert.is(spanWithin(model!, span, 'nowhere'), span);
  assert.is(removeItem(model!, { ...span, file: 'other.toml' }), undefined);
});

test.run();
