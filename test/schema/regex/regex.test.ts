import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Dfa } from '../../../src/bundle/types.js';
import { acceptsText, commonExample, equivalent, example, includes } from '../../../src/schema/regex/dfa.js';
import { compilePattern, NAMED_TYPES } from '../../../src/schema/regex/regex.js';
import { Random } from '../random.js';

function dfaOf(source: string): Dfa {
  const compiled = compilePattern(source);
  assert.ok('dfa' in compiled, `${source}: ${'error' in compiled ? compiled.error : ''}`);
  return (compiled as { dfa: Dfa }).dfa;
}

function errorOf(source: string): { error: string; offset: number } {
  const compiled = compilePattern(source);
  assert.ok('error' in compiled, `${source} should be refused`);
  return compiled as { error: string; offset: number };
}

const ATOMS = ['a', 'b', '[a-c]', 'é', '.', '\\d', '[^a]', '\\w', '[^\\s]', '\\x61', '\\u{1f600}', '\\.'];

function randomPattern(random: Random, depth: number): string {
  const inner = (): string => randomPattern(random, depth - 1);
  switch (depth === 0 ? 0 : random.below(7)) {
    case 1:
    case 2:
      return inner() + inner();
    case 3:
      return `(${inner()}|${inner()})`;
    case 4:
      return `(${inner()})${random.pick(['*', '+', '?'])}`;
    case 5:
      return `(?:${inner()}){${random.below(3)},${2 + random.below(2)}}`;
    case 6:
      return `(|${inner()})`;
    default:
      return random.pick(ATOMS);
  }
}

test('a compiled pattern accepts what the same regular expression matches as a whole', () => {
  const random = new Random(7);
  let accepted = 0;
  for (let round = 0; round < 1200; round++) {
    const source = randomPattern(random, 4);
    const dfa = dfaOf(source);
    // \s is ASCII here; the alphabet below contains no other space.
    const oracle = new RegExp(`^(?:${source})$`, 'su');
    for (let tries = 0; tries < 30; tries++) {
      let text = '';
      for (let length = random.below(7); length > 0; length--) {
        text += random.pick(['a', 'b', 'c', 'é', '1', '😀', 'z', '.', ' ']);
      }
      if (oracle.test(text)) accepted++;
      assert.is(acceptsText(dfa, text), oracle.test(text), `${source} on ${JSON.stringify(text)}`);
    }
    assert.ok(oracle.test(example(dfa)), `example of ${source}`);
  }
  assert.ok(accepted > 1000, 'the strings must not all be refused');
});

test('the automaton is minimal and canonical: equal languages give equal tables', () => {
  for (const [one, other] of [
    ['a*', '(a|aa)*'],
    ['[ab]{2,3}', '(aa|ab|ba|bb)[ab]?'],
    ['', '()'],
    ['\\d', '[0-9]'],
    ['[^/]+', '[^/][^/]*'],
  ] as const) {
    const { source: _one, ...first } = dfaOf(one);
    const { source: _other, ...second } = dfaOf(other);
    assert.equal(first, second, `${one} and ${other}`);
  }
  assert.is(dfaOf('abc').accepts.length, 5);
});

test('the sink accepts nothing and has no outgoing transitions', () => {
  for (const source of ['a', '.*', '[a-z0-9-]+', '']) {
    const { accepts, next, classCount, dead, classes } = dfaOf(source);
    assert.is(classes.length, 256);
    assert.is(next.length, accepts.length * classCount);
    assert.is(accepts[dead], 0);
    for (let column = 0; column < classCount; column++) assert.is(next[dead * classCount + column], dead);
  }
});

test('unsupported and malformed syntax is refused at its position', () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['a**', 2, /Lazy and possessive/],
    ['a+?', 2, /Lazy and possessive/],
    ['a|*', 2, /nothing to repeat/],
    ['(a', 0, /Unmatched `\(`/],
    ['a)', 1, /Unmatched `\)`/],
    ['[a', 0, /Unmatched `\[`/],
    ['[]', 0, /empty class/],
    ['[z-a]', 1, /wrong order/],
    ['[\\d-z]', 1, /single character on both sides/],
    ['[[a]', 1, /literal bracket/],
    ['a{3', 1, /Expected a count/],
    ['a{3,2}', 1, /maximum is below/],
    ['a{2000}', 1, /at most 1000/],
    ['}', 0, /Unmatched `}`/],
    [']', 0, /Unmatched `]`/],
    ['^a', 0, /Anchors/],
    ['a$', 1, /Anchors/],
    ['(?=a)', 0, /lookaround/],
    ['(a)\\1', 3, /Back-references/],
    ['\\bx', 0, /Word boundaries/],
    ['\\q', 0, /Unknown escape/],
    ['\\01', 0, /Octal/],
    ['\\', 0, /Missing character after/],
    ['\\xZ', 0, /hex digits/],
    ['\\u{110000}', 0, /not a Unicode/],
    ['\\ud800', 0, /not a Unicode/],
    ['a\ud800', 1, /surrogate/],
    ['[a', 0, /Unmatched `\[`/],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 51, /nested/],
  ];
  for (const [source, offset, message] of cases) {
    const found = errorOf(source);
    assert.match(found.error, message, source);
    assert.is(found.offset, offset, source);
  }
});

test('a pattern that would grow without bound is refused quickly', () => {
  const started = performance.now();
  for (const source of ['(a|b)*a(a|b){14}', '((a{100}){100}){100}', '.{1,600}', '((a|b){1,300}c){1,10}']) {
    assert.match(errorOf(source).error, /too large|more than 2000 states/);
  }
  assert.match(errorOf('a'.repeat(5000)).error, /longer than/);
  assert.ok(performance.now() - started < 5000);
});

test('escapes and classes match their characters', () => {
  assert.ok(acceptsText(dfaOf('\\n\\r\\t\\f\\v\\0'), '\n\r\t\f\v\0'));
  assert.ok(acceptsText(dfaOf('[\\]\\-a]+'), ']-a'));
  assert.ok(acceptsText(dfaOf('[a-]+'), 'a-'));
  assert.ok(acceptsText(dfaOf('\\D\\W\\S'), 'a-é'));
  assert.not(acceptsText(dfaOf('\\S'), ' '));
  assert.ok(acceptsText(dfaOf('[\\u{10000}-\\u{10ffff}]'), '😀'));
  assert.not(acceptsText(dfaOf('[\\u{10000}-\\u{10ffff}]'), 'é'));
  assert.ok(acceptsText(dfaOf('[^é]'), 'è'));
});

test('compiling again gives the same automaton', () => {
  assert.is(dfaOf('[a-z]+x'), dfaOf('[a-z]+x'));
});

test('named types accept only their values', () => {
  const good: { [name: string]: string[] } = {
    int: ['0', '7', '120'],
    uuid: ['123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000'],
    hex: ['0aF'],
    alpha: ['aZ'],
    alnum: ['a1'],
    slug: ['a', 'a-b-1'],
    date: ['2024-02-29'],
    bool: ['true', 'false'],
  };
  const bad: { [name: string]: string[] } = {
    int: ['', '01', '-1', '1.0'],
    uuid: ['123e4567e89b12d3a456426614174000'],
    hex: ['g', ''],
    alpha: ['1'],
    alnum: ['-'],
    slug: ['-a', 'a--b', 'A'],
    date: ['2024-13-01', '2024-1-1'],
    bool: ['yes'],
  };
  for (const [name, source] of Object.entries(NAMED_TYPES)) {
    for (const text of good[name]!) assert.ok(acceptsText(dfaOf(source), text), `${name}: ${text}`);
    for (const text of bad[name]!) assert.not(acceptsText(dfaOf(source), text), `${name}: ${text}`);
  }
});

test('a common example is accepted by both, shortest first, and undefined when there is none', () => {
  assert.is(commonExample(dfaOf('[a-z]+'), dfaOf('.{5}')), 'aaaaa');
  assert.is(commonExample(dfaOf('[a-z]+'), dfaOf('[0-9]+')), undefined);
  assert.is(commonExample(dfaOf('[a-z]*'), dfaOf('[0-9]*')), '');
  assert.is(commonExample(dfaOf('[a-z]*'), dfaOf('[0-9]*'), 1), undefined);
  assert.is(commonExample(dfaOf('(é|x)y'), dfaOf('éy|z')), 'éy');
  assert.is(example(dfaOf('a*'), 3), 'aaa');
});

test('common examples agree with RegExp, for random pairs', () => {
  const random = new Random(11);
  let found = 0;
  for (let round = 0; round < 400; round++) {
    const [one, other] = [randomPattern(random, 3), randomPattern(random, 3)];
    const text = commonExample(dfaOf(one), dfaOf(other));
    if (text === undefined) continue;
    found++;
    for (const source of [one, other]) assert.ok(new RegExp(`^(?:${source})$`, 'su').test(text), `${source}: ${text}`);
  }
  assert.ok(found > 50);
});

test('inclusion and equivalence are decided', () => {
  assert.ok(includes(dfaOf('.*'), dfaOf('[a-z]+')));
  assert.not(includes(dfaOf('[a-z]+'), dfaOf('.*')));
  assert.ok(equivalent(dfaOf('a|b'), dfaOf('[ab]')));
  assert.not(equivalent(dfaOf('a|b'), dfaOf('[abc]')));
});

test.run();
