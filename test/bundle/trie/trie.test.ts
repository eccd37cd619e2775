import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher } from '../../../src/bundle/match/match.js';
import { matchOrder } from '../../../src/bundle/match/order.js';
import { allowedMethods } from '../../../src/bundle/match/possible.js';
import { hashHost, hashLiteral } from '../../../src/bundle/trie/build.js';
import * as layout from '../../../src/bundle/trie/layout.js';
import { buildTrie, Trie, TrieError } from '../../../src/bundle/trie/trie.js';
import type { ConditionIR, SegmentIR, TrieIR } from '../../../src/bundle/types.js';
import { seededBelow } from '../../support/random.js';
import { DFAS, matcherOf, type RouteText, trieIR, view } from '../kit.js';

const CONDITIONS: readonly ConditionIR[] = [
  { on: 'header', name: 'x', test: { op: 'one-of', values: ['a', 'b'] } },
  { on: 'query', name: 'q', test: { op: 'matches', dfa: 0 } },
  { on: 'query', name: 'p', test: { op: 'prefix', value: 'v' } },
];
const ROUTES: readonly (RouteText | string)[] = [
  'GET api.example.com/orders/{id:int}',
  'GET,PUT api.example.com/orders/{slug:word}/items/{n}',
  '*.example.com/files/{rest...}',
  { match: 'POST /search', conditions: CONDITIONS },
  'GET /search',
  '/{a}/{b}/c',
  'GET /one',
  'GET /two',
  'GET /three',
];

test('the same matches give the same bytes', () => {
  assert.equal(new Uint8Array(buildTrie(trieIR(ROUTES))), new Uint8Array(buildTrie(trieIR(ROUTES))));
});

test('the order of declarations has no effect on matching', () => {
  const next = seededBelow(5);
  const requests = [
    'GET api.example.com/orders/7',
    'PUT api.example.com/orders/7/items/1',
    'GET www.example.com/files/a/b',
    'POST other/search?q=1&p=vv',
    'HEAD other/search',
    'GET other/x/y/c',
    'GET /three',
  ].map((text) => view(text, { x: 'b' }));
  const matcher = matcherOf(ROUTES);
  const expected = requests.map((request) => ROUTES[matcher.match(request)]);
  for (let round = 0; round < 20; round++) {
    const mixed = [...ROUTES].sort(() => next(3) - 1);
    const other = matcherOf(mixed);
    assert.equal(
      requests.map((request) => mixed[other.match(request)]),
      expected,
    );
  }
});

test('counts nodes, and refuses unknown conditions', () => {
  const trie = Trie.open(buildTrie(trieIR(ROUTES)));
  assert.is(trie.routeCount, ROUTES.length);
  assert.is(trie.depth, 4);
  assert.ok(trie.nodeCount > 15);
  const one = (segments: SegmentIR[], conditions: ConditionIR[] = []): TrieIR => ({
    matches: [{ route: 0, segments, methods: [], conditions }],
    dfas: DFAS,
  });
  assert.throws(
    () => buildTrie(one([{ kind: 'literal', text: 'caf\u00e9' }])),
    (error: unknown) => error instanceof TrieError,
  );
  assert.throws(
    () => buildTrie(one([{ kind: 'typed', name: 'x', dfa: 9 }])),
    (error: unknown) => error instanceof TrieError,
  );
  const wrong: unknown = { op: 'sounds-like', value: 'x' };
  assert.throws(
    () => buildTrie(one([], [{ on: 'query', name: 'q', test: wrong as ConditionIR['test'] }])),
    (error: unknown) => error instanceof TrieError,
  );
});

test('bytes that are not a trie, or a truncated one, are refused', () => {
  const good = buildTrie(trieIR(ROUTES));
  const refused = (bytes: ArrayBuffer, what: RegExp): void => {
    assert.throws(
      () => Trie.open(bytes),
      (error: unknown) => error instanceof TrieError && what.test(error.message),
    );
  };
  refused(new ArrayBuffer(0), /truncated/);
  refused(new ArrayBuffer(1024), /not a trie/);
  refused(good.slice(0, good.byteLength - 4), /truncated/);
  const later = good.slice(0);
  new Int32Array(later)[layout.H_FORMAT] = 99;
  refused(later, /format 99/);
  for (let section = 0; section < layout.SECTIONS.length; section++) {
    for (const value of [-4, 2, 0x7fffffff]) {
      for (const half of [0, 1]) {
        const bad = good.slice(0);
        new Int32Array(bad)[layout.H_DIRECTORY + section * 2 + half] = value;
        refused(bad, /damaged|not a trie|truncated/);
      }
    }
  }
});

test('a damaged trie is refused, or every match still ends within the buffer', () => {
  const good = buildTrie(trieIR(ROUTES));
  const words = good.byteLength / 4;
  const requests = [
    view('GET api.example.com/orders/7/items/1?q=1', { x: 'a' }),
    view('POST www.example.com/files/a?q=1', { x: 'a' }),
    view('POST other/search?q=1&p=v', { x: 'a' }),
    view('HEAD /a/b/c'),
    view('GET /three'),
  ];
  const next = seededBelow(42);
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const bad = good.slice(0);
    const view32 = new Int32Array(bad);
    for (let flips = next(3); flips >= 0; flips--) {
      const at = next(words);
      view32[at] = [next(words), next(2 ** 31), -1, view32[at]! ^ (1 << next(32)), 0][next(5)]!;
    }
    // An attacker can compute the hash too.
    view32[layout.H_CHECKSUM] = layout.checksumOf(view32);
    try {
      const matcher = new Matcher(Trie.open(bad));
      for (const request of requests) assert.type(matcher.match(request), 'number');
      matcher.trace(requests[0]!);
      allowedMethods(matcher, requests[1]!);
    } catch (error) {
      if (!(error instanceof TrieError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 1000 && refused < 4000, `${refused} refused`);
});

test('a literal or host with a wrong hash is refused', () => {
  const good = buildTrie(trieIR(ROUTES));
  const { nodes, hosts } = Trie.open(good);
  const damage = (section: Int32Array, hash: number): void => {
    const bad = good.slice(0);
    const at = section.byteOffset / 4 + section.indexOf(hash);
    const view32 = new Int32Array(bad);
    view32[at] = hash + 1;
    view32[layout.H_CHECKSUM] = layout.checksumOf(view32);
    assert.throws(() => Trie.open(bad), /the hash of a (literal|host) does not match/);
  };
  damage(nodes, hashLiteral('search'));
  damage(hosts, hashHost('api.example.com'));
});

test('routes are listed in the order in which they match', () => {
  const routes = [
    '/{rest...}',
    '/{id}',
    '/{id:int}',
    '/b',
    '/a',
    '/a/b',
    '*.example.com/x',
    '*.eu.example.com/x',
    'b.test/x',
    'a.test/x',
    'POST /a',
  ];
  const order = matchOrder(Trie.open(buildTrie(trieIR(routes))));
  assert.equal(
    order.map((route) => routes[route]),
    [
      'a.test/x',
      'b.test/x',
      '*.eu.example.com/x',
      '*.example.com/x',
      'POST /a',
      '/a',
      '/a/b',
      '/b',
      '/{id:int}',
      '/{id}',
      '/{rest...}',
    ],
  );
});

test('below typed siblings routes are listed by precedence, not by sibling', () => {
  const routes = ['/{a:int}/{x}', '/{b:word}/list', '/{b:word}/{n:int}'];
  const order = matchOrder(Trie.open(buildTrie(trieIR(routes))));
  assert.equal(order, [1, 2, 0]);
});

test.run();
