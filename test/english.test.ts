/** What can be checked by machine of the plain English that gw writes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes } from '../src/lint/index.js';
import { declarations } from '../src/policies/registry.js';
import { ERRORS } from '../src/proxy/errors/errors.js';

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

/** The sources, without comments: these are checked by readers. */
const sources = [...below('src', '.ts'), ...below('src', '.tsx')].map((file) => ({
  file,
  text: readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''),
}));

/** A string or template literal at the start of `text`, without its quotes; values of a template as `0`. */
const literalAt = (text: string): string | undefined => {
  const [, single, template] = /^(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/.exec(text) ?? [];
  return single ?? template?.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '0');
};

/** The first literal of each call of a log, and every literal of a conditional there: `log.warn('...')`, `log('info', '...')`. */
function logMessages(text: string): string[] {
  const calls =
    /\b(?:log|logger|Log)\b\??\.(?:debug|info|warn|error)\(\s*(?:\{[^{}]*\},\s*)?|\blog\(\s*'(?:debug|info|warn|error)',\s*|\bUNHANDLED_REJECTION = |\bBUG = |\bLOST_EVENTS = /g;
  return [...text.matchAll(calls)].flatMap(({ 0: call, index }) => {
    const rest = text.slice(index + call.length);
    const [, condition = ''] = /^((?:!?[\w.#]+(?: === \w+)?) \?\s*)/.exec(rest) ?? [];
    const first = literalAt(rest.slice(condition.length));
    if (first === undefined) return [];
    const [, second] =
      condition === '' ? [] : (/^'[^'\n]*'\s*:\s*'([^'\n]*)'/.exec(rest.slice(condition.length)) ?? []);
    return second === undefined ? [first] : [first, second];
  });
}

/** Names that begin a message with a capital: signals. */
const PROPER = /^(?:SIG[A-Z0-9]+)\b/;
/** The output of a managed target, behind its name. */
const PREFIX = /^\[0\] /;

test('log messages are lower-case phrases without a full stop', () => {
  const found = sources.flatMap(({ file, text }) => logMessages(text).map((message) => ({ file, message })));
  assert.ok(found.length >= 45, `the scanner found only ${found.length} messages`);
  const wrong = found.filter(({ message }) => {
    const phrase = message.replace(PREFIX, '');
    return !(/^[a-z0-9]/.test(phrase) || PROPER.test(phrase)) || /[.!?:;]$/.test(phrase) || phrase.includes('. ');
  });
  assert.equal(
    wrong.map(({ file, message }) => `${file}: ${message}`),
    [],
  );
});

test('titles of problems are short phrases without a full stop', () => {
  const literals = sources
    .filter(({ file }) => /^src\/(?:policies|proxy|control)\//.test(file))
    .flatMap(({ text }) => [...text.matchAll(/\btitle: '([^']*)'/g)].map(([, title = '']) => title));
  assert.ok(literals.length >= 12, `the scanner found only ${literals.length} titles`);
  const titles = [...literals, ...Object.values(ERRORS).map(({ title }) => title)];
  assert.equal(
    titles.filter((title) => !isPhrase(title)),
    [],
  );
});

test('details of problems are whole sentences', () => {
  const wrong = Object.entries(ERRORS).filter(
    ({ 1: { detail } }) => !/^[A-Z].*[^.]\.$/.test(detail) || detail.includes(';'),
  );
  assert.equal(
    wrong.map(([slug, { detail }]) => `${slug}: ${detail}`),
    [],
  );
});

test('no output and no page about a diagnostic uses a banned phrase', () => {
  const pages = [
    ...below('docs/diagnostics', '.md'),
    ...below('src/policies', 'README.md'),
    'docs/reference.md',
    'docs/life-of-a-spec.md',
    'docs/openapi.md',
    'docs/path-normalisation.md',
  ].map((file) => ({ file, text: readFileSync(file, 'utf8') }));
  const banned = /\b(?:whoever|nobody|somebody|anybody|is no|told|rests|stands)\b/i;
  const wrong = [...outputs, ...pages].flatMap(({ file, text }) =>
    text
      .split('\n')
      .filter((line) => banned.test(line))
      .map((line) => `${file}: ${line}`),
  );
  assert.equal(wrong, []);
});

/** Subjects and turns that hide who acts. */
const BANNED = /\b(?:whoever|nobody|somebody|anybody|is told|are told|rests)\b/i;

test('no text that a program prints hides its subject', () => {
  const texts = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g)].map(([literal]) => ({ file, literal })),
  );
  assert.ok(texts.length > 3000, `the scanner found only ${texts.length} texts`);
  assert.equal(
    texts.filter(({ literal }) => BANNED.test(literal)).map(({ file, literal }) => `${file}: ${literal}`),
    [],
  );
});

test('comments of control, telemetry, state, policies and the leaf files name their subjects', () => {
  const wrong = [...below('src', '.ts')]
    .filter((file) => /^src\/(?:(?:control|telemetry|state|policies)\/|[^/]+$)/.test(file))
    .flatMap((file) =>
      (readFileSync(file, 'utf8').match(/\/\*\*[\s\S]*?\*\/|\/\/ .*$/gm) ?? [])
        .filter((comment) => BANNED.test(comment))
        .map((comment) => `${file}: ${comment}`),
    );
  assert.equal(wrong, []);
});

test('no page hides its subject', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...below('docs', '.md'), ...below('src', '.md')];
  assert.ok(pages.length > 120, `only ${pages.length} pages`);
  const wrong = pages.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => BANNED.test(line))
      .map((line) => `${file}: ${line}`),
  );
  assert.equal(wrong, []);
});

test.run();
