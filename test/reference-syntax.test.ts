import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needsResolving, referenceProblem, splitReferences, textOfDefaults } from '../src/reference-syntax.js';

const shape = (text: string): unknown[] =>
  splitReferences(text).map((part) =>
    typeof part === 'string' ? part : [part.kind, part.name, ...(part.fallback === undefined ? [] : [part.fallback])],
  );

test('references, defaults and literal parts', () => {
  assert.equal(shape('http://${env:HOST}:${env:PORT:-8080}/x'), [
    'http://',
    ['env', 'HOST'],
    ':',
    ['env', 'PORT', '8080'],
    '/x',
  ]);
  assert.equal(shape('${file:/run/secrets/a b:-}'), [['file', '/run/secrets/a b', '']]);
  assert.equal(shape('${env:A:-b:-c}'), [['env', 'A', 'b:-c']]);
  assert.equal(shape('${env:URL:-http://127.0.0.1:80}'), [['env', 'URL', 'http://127.0.0.1:80']]);
  assert.equal(shape(''), []);
});

test('an escape is a literal, and what follows it is none of a reference', () => {
  assert.equal(shape('a $${env:X} ${env:Y}'), ['a ${env:X} ', ['env', 'Y']]);
  assert.ok(needsResolving('$${x}'));
  assert.not(needsResolving('$x {y} $$z'));
});

test('the text where everything is missing', () => {
  assert.is(textOfDefaults('${env:H:-localhost}:${env:P:-80}'), 'localhost:80');
  assert.is(textOfDefaults('${env:H}:${env:P:-80}'), undefined);
});

const MALFORMED: readonly (readonly [string, string | undefined])[] = [
  ['${REGION}', '${env:REGION}'],
  ['a ${env:OK} ${REGION}', '${env:REGION}'],
  ['${env:MY-VAR}', '${env:MY_VAR}'],
  ['${env:my.var}', '${env:my_var}'],
  ['${env: X }', '${env:X}'],
  ['${env:1ST}', '${env:_1ST}'],
  ['${ENV:X}', '${env:X}'],
  ['${Env:X:-1}', '${env:X:-1}'],
  ['${PORT:-8080}', '${env:PORT:-8080}'],
  ['${env:PORT:8080}', '${env:PORT:-8080}'],
  ['${env:PORT-8080}', '${env:PORT:-8080}'],
  ['${env:PORT:=8080}', '${env:PORT:-8080}'],
  ['${env:X', '${env:X}'],
  ['${FILE:a/b.txt}', '${file:a/b.txt}'],
  ['${file: a}', '${file:a}'],
  ['${env:}', undefined],
  ['${env:-x}', '${env:env:-x}'],
  ['${file:}', undefined],
  ['${}', undefined],
  ['${vault:a#b}', undefined],
  ['${env:A:-${env:B}}', undefined],
  ['${{ X }}', '${env:X}'],
];

test('a malformed reference is an error with a suggestion', () => {
  for (const [text, meant] of MALFORMED) {
    const problem = referenceProblem(text, false);
    assert.ok(problem, text);
    assert.match(problem.message, /is not a valid reference: /, text);
    const suggested = /Did you mean `(.*?)`\?/.exec(problem.help)?.[1];
    if (text !== '${env:-x}') assert.is(suggested, meant, text);
    if (meant !== undefined) assert.is(referenceProblem(meant, false), undefined, meant);
  }
});

test('right references, escapes and, in templates, literal braces are none', () => {
  for (const text of ['${env:A}', '${env:A_1:-}', '${file:a/b}', '$${anything', 'a $b {c}', '']) {
    assert.is(referenceProblem(text, false), undefined, text);
  }
  assert.is(referenceProblem('${{x}}', true), undefined);
  assert.match(referenceProblem('${consumer.name}', true)?.help ?? '', 'write `{consumer.name}`');
});

test.run();
