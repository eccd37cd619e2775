import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { normalizePath } from '../../../src/bundle/normalize.js';
import type { NormalizeEntry } from '../../../src/bundle/types.js';
import { parseMatchText } from '../../../src/spec/route/match-text.js';
import { parsePath } from '../../../src/spec/route/path-pattern.js';
import { Random } from '../../schema/random.js';

const RULES: NormalizeEntry = {
  encodedSlashes: 'refuse',
  doubleSlashes: 'merge',
  trailingSlash: 'strict',
  dotSegments: 'resolve',
};

/** `a|{id:int}|{rest...}` */
function shape(path: string, rules: NormalizeEntry = RULES): string {
  const { segments, problems } = parsePath(path, rules);
  assert.equal(problems, [], path);
  return segments
    .map((segment) => {
      if (segment.kind === 'literal') return segment.text;
      if (segment.kind === 'typed') return `{${segment.name}:${segment.type}}`;
      return segment.kind === 'tail' ? `{${segment.name}...}` : `{${segment.name}}`;
    })
    .join('|');
}

test('segments of every kind are parsed', () => {
  assert.is(shape('/'), '');
  assert.is(shape('/orders'), 'orders');
  assert.is(shape('/orders/'), 'orders|');
  assert.is(shape('/orders/{id}/x/{rest...}'), 'orders|{id}|x|{rest...}');
  assert.is(shape('/{id:int}/{u:uuid}'), '{id:int}|{u:uuid}');
  assert.is(shape('/{slug:[a-z]{2,3}}/y'), '{slug:[a-z]{2,3}}|y');
  assert.is(shape('/{f:a\\}b}/y'), '{f:a\\}b}|y');
  assert.is(shape('/{f:[}/]x}/y'), '{f:[}/]x}|y');
  assert.is(shape('/{f:(a|b)+\\.json}'), '{f:(a|b)+\\.json}');
  assert.is(shape('/{word:(edit)}'), '{word:(edit)}');
  assert.is(shape('/a/', { ...RULES, trailingSlash: 'ignore' }), 'a');
  assert.is(shape('/', { ...RULES, trailingSlash: 'ignore' }), '');
  assert.is(shape('/a//b', { ...RULES, doubleSlashes: 'keep' }), 'a||b');
  assert.is(shape('/a%2Fb', { ...RULES, encodedSlashes: 'keep' }), 'a%2Fb');
});

test('a repeated parameter is kept for the lint rule', () => {
  assert.is(shape('/{id}/{id}'), '{id}|{id}');
});

test('literals are normalised', () => {
  assert.is(shape('/%41b'), 'Ab');
  assert.is(shape('/a%c3%a9'), 'a%C3%A9');
  assert.is(shape('/é b'), '%C3%A9%20b');
  assert.is(shape('/50%'), '50%25');
  assert.is(shape("/a!$&'()*+,;=:@b"), "a!$&'()*+,;=:@b");
});

test('a literal without problems is not changed by normalisation', () => {
  const random = new Random(9);
  const pieces = ['a', 'é', ' ', '%41', '%2f', '%2F', '.', '..', '%', '%2e', ';', '~', '"', '|', '%00', '%c3'];
  let kept = 0;
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join('');
    for (const rules of [RULES, { ...RULES, encodedSlashes: 'keep' as const }]) {
      const { segments, problems } = parsePath(`/${text}`, rules);
      const [segment] = segments;
      if (segment?.kind !== 'literal') {
        assert.is(problems[0]?.code, 'path/never-matches', text);
        continue;
      }
      kept++;
      assert.is(normalizePath(`/${segment.text}`, rules), `/${segment.text}`, text);
    }
  }
  assert.ok(kept > 1000);
});

test('every error has a code, a place and a help', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['orders/{id}', 'path/no-slash', 'orders'],
    ['', 'path/no-slash', ''],
    ['/a?b=1', 'path/bad-character', '?'],
    ['/a#b', 'path/bad-character', '#'],
    ['/a\\b', 'path/bad-character', '\\'],
    ['/a\u0001', 'path/bad-character', '\u0001'],
    ['/a//b', 'path/never-matches', '//'],
    ['/a/../b', 'path/never-matches', '..'],
    ['/a/./b', 'path/never-matches', '.'],
    ['/a%2fb', 'path/never-matches', 'a%2fb'],
    ['/x{id}', 'path/partial-parameter', '{id}'],
    ['/{a}-{b}', 'path/partial-parameter', '{a}'],
    ['/{a', 'path/brace', '{'],
    ['/a}', 'path/brace', '}'],
    ['/{}', 'path/parameter-name', '{}'],
    ['/{1a}', 'path/parameter-name', '{1a}'],
    ['/{a b:int}', 'path/parameter-name', '{a b:int}'],
    ['/{rest...}/x', 'path/tail-not-last', '{rest...}'],
    ['/{id:itn}', 'path/unknown-type', 'itn'],
    ['/{id:zebra}', 'path/unknown-type', 'zebra'],
    ['/{id:}', 'path/unknown-type', ':'],
    ['/{id:a**}', 'pattern/invalid', '*'],
    ['/{id:(a}', 'pattern/invalid', '('],
    ['/{id:a/b}', 'path/never-matches', 'a/b'],
    ['/{id:()}', 'path/never-matches', '()'],
    ['/:id', 'path/foreign-syntax', ':id'],
    ['/a/*', 'path/foreign-syntax', '*'],
    ['/a/**/b', 'path/foreign-syntax', '**'],
  ];
  for (const [path, code, text] of cases) {
    const { problems } = parsePath(path, RULES);
    assert.is(problems.length, 1, `${path}: ${JSON.stringify(problems)}`);
    const [problem] = problems;
    assert.is(problem?.code, code, path);
    assert.is(path.slice(problem?.start, problem?.end), text, path);
    assert.is(problem?.severity, code === 'path/foreign-syntax' ? 'warning' : 'error');
  }
});

test('all errors of a path are reported at once', () => {
  const { problems, segments } = parsePath('/:a/x{b}/{c:itn}/ok/{d}', RULES);
  assert.equal(
    problems.map(({ code }) => code),
    ['path/foreign-syntax', 'path/partial-parameter', 'path/unknown-type'],
  );
  assert.is(segments.length, 3);
});

test('common mistakes in paths have suggestions', () => {
  const instead = (path: string): string | undefined => parsePath(path, RULES).problems[0]?.instead;
  assert.is(instead('/{id:itn}'), 'int');
  assert.is(instead('/:id'), '{id}');
  assert.is(instead('/a/*'), '{rest...}');
  assert.is(instead('/a/*/b'), '{name}');
});

test('the short form of a match is parsed', () => {
  const parse = (text: string) => {
    const { methods, path, pathStart, problems } = parseMatchText(text);
    return [methods.join(), path, pathStart, problems.map(({ code }) => code).join()];
  };
  assert.equal(parse('/x'), ['', '/x', 0, '']);
  assert.equal(parse('GET /x'), ['GET', '/x', 4, '']);
  assert.equal(parse('GET,POST /x'), ['GET,POST', '/x', 9, '']);
  assert.equal(parse('GET, POST  /x '), ['GET,POST', '/x', 11, '']);
  assert.equal(parse(' GET,GET /x'), ['GET', '/x', 9, '']);
  assert.equal(parse('PURGE /x'), ['PURGE', '/x', 6, '']);
  assert.equal(parse('get /x'), ['get', '/x', 4, 'match/method']);
  assert.equal(parse('GETT /x'), ['GETT', '/x', 5, 'match/unknown-method']);
  assert.equal(parse('G@T /x'), ['G@T', '/x', 4, 'match/method']);
  assert.equal(parse('GET /a b'), ['GET', '/a b', 4, '']);
  assert.equal(parse('GET x'), ['GET', 'x', 4, '']);
});

test.run();
