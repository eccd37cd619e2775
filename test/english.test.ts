/** What can be checked by machine of the plain English that gw writes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes } from '../src/lint/index.js';
import { declarations } from '../src/policies/registry.js';

/** A short phrase: begins with a capital, a digit or code, and has no full stop. */
const isPhrase = (text: string): boolean => /^[A-Z0-9`]/.test(text) && !/[.!?;]$/.test(text) && !text.includes('. ');

const below = (folder: string, end: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(end))
    .map((file) => join(folder, file));

test('summaries of diagnostics are short phrases without a full stop', () => {
  const wrong = allCodes().filter(({ summary }) => !isPhrase(summary));
  assert.equal(
    wrong.map(({ code, summary }) => `${code}: ${summary}`),
    [],
  );
});

test('summaries of policies are short phrases without a full stop', () => {
  const wrong = declarations.filter(({ summary }) => !isPhrase(summary));
  assert.equal(
    wrong.map(({ use, summary }) => `${use}: ${summary}`),
    [],
  );
});

/** The messages, labels and helps of every diagnostic, as the golden outputs show them. */
const outputs = below('fixtures/diagnostics', 'expected.txt').map((file) => ({
  file,
  text: readFileSync(file, 'utf8'),
}));

test('messages and helps of diagnostics are whole sentences', () => {
  const wrong = outputs.flatMap(({ file, text }) =>
    [...text.matchAll(/^(?:(?:error|warning|info)\[[^\]]+\]: | {2,}[=] help: )(.*(?:\n {5,}[^ \n|].*)*)/gm)]
      .map(([, sentence = '']) => sentence)
      .filter((sentence) => !/[.?]$/.test(sentence))
      .map((sentence) => `${file}: ${sentence}`),
  );
  assert.equal(wrong, []);
});

test.run();
