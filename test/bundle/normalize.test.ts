import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { normalizeLiteral, normalizePath, refusedBecause } from '../../src/bundle/normalize.js';
import type { NormalizeEntry } from '../../src/bundle/types.js';

const SAFE: NormalizeEntry = {
  encodedSlashes: 'refuse',
  doubleSlashes: 'merge',
  trailingSlash: 'strict',
  dotSegments: 'resolve',
};
const keepSlashes: NormalizeEntry = { ...SAFE, encodedSlashes: 'keep' };
const keepDouble: NormalizeEntry = { ...SAFE, doubleSlashes: 'keep' };
const refuseDouble: NormalizeEntry = { ...SAFE, doubleSlashes: 'refuse' };
const refuseDots: NormalizeEntry = { ...SAFE, dotSegments: 'refuse' };

type Case = readonly [path: string, rules: NormalizeEntry, expected: string | undefined];
const CASES: readonly Case[] = [
  ['', SAFE, '/'],
  ['/', SAFE, '/'],
  ['*', SAFE, undefined],
  ['orders', SAFE, undefined],
  ['/orders/7', SAFE, '/orders/7'],
  ['/orders/', SAFE, '/orders/'],
  ["/a!$&'()*+,;=:@-._~", SAFE, "/a!$&'()*+,;=:@-._~"],
  // escapes
  ['/%6f%72ders', SAFE, '/orders'],
  ['/a%3ab', SAFE, '/a%3Ab'],
  ['/caf%c3%a9', SAFE, '/caf%C3%A9'],
  ['/a%20b', SAFE, '/a%20b'],
  ['/a%', SAFE, undefined],
  ['/a%2', SAFE, undefined],
  ['/a%zz', SAFE, undefined],
  ['/a%2G', SAFE, undefined],
  ['/a%252e', SAFE, '/a%252e'],
  // characters that must be encoded
  ['/a b', SAFE, undefined],
  ['/a\\b', SAFE, undefined],
  ['/a#b', SAFE, undefined],
  ['/a?b', SAFE, undefined],
  ['/caf\u00e9', SAFE, undefined],
  ['/%41\u00e9', SAFE, undefined],
  ['/%41 ', SAFE, undefined],
  ['/a\u0000', SAFE, undefined],
  ['/a\u007f', SAFE, undefined],
  ['/a|b', SAFE, '/a%7Cb'],
  ['/a[0]', SAFE, '/a%5B0%5D'],
  // control bytes, raw and encoded
  ['/a%00', keepSlashes, undefined],
  ['/a%0d%0a', keepSlashes, undefined],
  ['/a%1f', SAFE, undefined],
  ['/a%7f', SAFE, undefined],
  // encoded slashes
  ['/a%2fb', SAFE, undefined],
  ['/a%5cb', SAFE, undefined],
  ['/a%2fb', keepSlashes, '/a%2Fb'],
  ['/a%5cb', keepSlashes, '/a%5Cb'],
  ['/a%2f..%2fb', keepSlashes, undefined],
  ['/..%2fb', keepSlashes, undefined],
  ['/.%5cb', keepSlashes, undefined],
  ['/%2e%2e%2fb', keepSlashes, undefined],
  ['/..;x/admin', SAFE, undefined],
  ['/.;/admin', SAFE, undefined],
  ['/..%3b/admin', SAFE, undefined],
  ['/a/%2e%3Bx', SAFE, undefined],
  ['/a%3Bb', SAFE, '/a%3Bb'],
  ['/..a;b', SAFE, '/..a;b'],
  ['/...', SAFE, '/...'],
  ['/.well-known/x', SAFE, '/.well-known/x'],
  // dot segments
  ['/a/./b', SAFE, '/a/b'],
  ['/a/../b', SAFE, '/b'],
  ['/a/%2e%2E/b', SAFE, '/b'],
  ['/a/.%2e', SAFE, '/'],
  ['/a/b/..', SAFE, '/a/'],
  ['/a/.', SAFE, '/a/'],
  ['/.', SAFE, '/'],
  ['/..', SAFE, undefined],
  ['/a/../..', SAFE, undefined],
  ['/a/../../b', SAFE, undefined],
  ['/a/./b', refuseDots, undefined],
  ['/a/%2e%2e/b', refuseDots, undefined],
  ['/a/.b', refuseDots, '/a/.b'],
  // double slashes
  ['//', SAFE, '/'],
  ['//a///b//', SAFE, '/a/b/'],
  ['/a//../b', SAFE, '/b'],
  ['//a', refuseDouble, undefined],
  ['/a//', refuseDouble, undefined],
  ['/a/', refuseDouble, '/a/'],
  ['//a//b', keepDouble, '//a//b'],
  ['//a//%62', keepDouble, '//a//b'],
  ['/a//../b', keepDouble, '/a/b'],
];

for (const [path, rules, expected] of CASES) {
  test(`${JSON.stringify(path)} gives ${JSON.stringify(expected)}`, () => {
    assert.is(normalizePath(path, rules), expected);
  });
}

/** A generator with a fixed seed, so that every run has the same paths. */
function* randomPaths(count: number): Generator<string> {
  const pieces = [
    'a',
    'b7',
    '.',
    '..',
    '/',
    '/',
    '//',
    '%2e',
    '%2E',
    '%2f',
    '%41',
    '%c3%a9',
    '%',
    '%25',
    ';',
    '~',
    '|',
    ':',
    '%5c',
  ];
  let seed = 20_240_601;
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (let i = 0; i < count; i++) {
    let path = '/';
    for (let n = next(9); n >= 0; n--) path += pieces[next(pieces.length)];
    yield path;
  }
}

test('normalisation is idempotent and leaves no dot segment, for random paths and all rules', () => {
  let normal = 0;
  for (const path of randomPaths(20_000)) {
    for (const rules of [SAFE, keepSlashes, keepDouble, refuseDouble, refuseDots]) {
      const once = normalizePath(path, rules);
      if (once === undefined) continue;
      normal++;
      assert.is(normalizePath(once, rules), once, `${path} -> ${once}`);
      for (const segment of once.split(/\/|%2F|%5C/)) assert.not.match(segment, /^\.\.?$/, `${path} -> ${once}`);
      if (rules.doubleSlashes !== 'keep') assert.not.match(once, /\/\//);
      assert.ok(once.startsWith('/'));
    }
  }
  assert.ok(normal > 20_000, 'most random paths must get through, or this shows nothing');
});

test('exactly the refused paths have a reason', () => {
  for (const path of randomPaths(5_000)) {
    for (const rules of [SAFE, keepSlashes, keepDouble, refuseDouble, refuseDots]) {
      const why = refusedBecause(path, rules);
      assert.is(why === undefined, normalizePath(path, rules) !== undefined, path);
      assert.is.not(why, 'the path cannot be normalised', path);
    }
  }
  for (const [path, rules, why] of [
    ['/a%2Fb', SAFE, 'encoded_slashes = "refuse": `%2F` at byte 2 of the path'],
    ['/a/%5c', SAFE, 'encoded_slashes = "refuse": `%5c` at byte 3 of the path'],
    ['/a//b', refuseDouble, 'double_slashes = "refuse": an empty segment at byte 3 of the path'],
    ['/a/../b', refuseDots, 'dot_segments = "refuse": `..` at byte 3 of the path'],
    ['/a/../../b', SAFE, 'a dot segment that leads above the root: `..` at byte 6 of the path'],
    ['/a/..;x', SAFE, 'a disguised dot segment: `..;x` at byte 3 of the path'],
    ['/%zz', SAFE, 'an invalid escape: `%zz` at byte 1 of the path'],
    ['/%00', SAFE, 'an escaped control character: `%00` at byte 1 of the path'],
    ['/a\\b', SAFE, 'a character that must be percent-encoded at byte 2 of the path'],
    ['a', SAFE, 'the path does not begin with a slash'],
  ] as const)
    assert.is(refusedBecause(path, rules), why);
});

test('a path with 10,000 segments is normalised without recursion', () => {
  assert.is(normalizePath('/%61'.repeat(10_000), SAFE), '/a'.repeat(10_000));
});

test('literals of a spec are normalised like requests', () => {
  assert.is(normalizeLiteral('orders'), 'orders');
  assert.is(normalizeLiteral('caf\u00e9'), 'caf%C3%A9');
  assert.is(normalizeLiteral('\u{1f600}'), '%F0%9F%98%80');
  assert.is(normalizeLiteral('a b'), 'a%20b');
  assert.is(normalizeLiteral('%7euser'), '~user');
  assert.is(normalizeLiteral('a%2fb'), 'a%2Fb');
  assert.is(normalizeLiteral('100%'), '100%25');
  assert.is(normalizeLiteral('a|b'), 'a%7Cb');
  for (const text of ['caf\u00e9', '100%', 'a b', 'x%3a', 'a|b']) {
    const literal = normalizeLiteral(text);
    assert.is(normalizeLiteral(literal), literal);
    assert.is(normalizePath(`/${literal}`, SAFE), `/${literal}`);
  }
});

test.run();
