/** docs/expressions.md lists the environment as it is, and its examples are valid. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkExpression } from '../../src/expression/check.js';
import { FACTS, FUNCTIONS, MACROS } from '../../src/expression/environment.js';
import { isProblem } from '../expression/support.js';

const page = readFileSync('docs/expressions.md', 'utf8');
const section = (heading: string): string => page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';

/** Rows of the table in a section, without its head. */
const rows = (heading: string): string[] =>
  section(heading)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);

test('the page lists the environment', () => {
  assert.equal(
    rows('Environment'),
    FACTS.map(({ name, type, summary }) => `| \`${name}\` | \`${type}\` | ${summary} |`),
  );
});

test('the page names every function and macro', () => {
  const functions = section('Functions');
  for (const name of ['has', 'matches', ...Object.keys(FUNCTIONS), ...MACROS])
    assert.ok(functions.includes(`${name}(`), name);
});

test('the conditions of the page are valid', () => {
  const examples = rows('Examples').map((row) => /^\| `(.*?)` \|/.exec(row)?.[1] ?? '');
  const inToml = [...page.matchAll(/^when = '(?:''\n([\s\S]*?)''|(.*))'$/gm)].map(
    (found) => found[1] ?? found[2] ?? '',
  );
  assert.is(inToml.length, 2);
  for (const source of [...examples, ...inToml]) {
    const result = checkExpression(source, { reply: true });
    if (isProblem(result)) assert.unreachable(`${source}: ${result.message}`);
  }
});

test.run();
