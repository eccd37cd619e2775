import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { routePlaces } from '../../src/bundle/route-places.js';
import { buildTrie, Trie } from '../../src/bundle/trie/trie.js';
import type { ConditionIR, MatchIR, SegmentIR } from '../../src/bundle/types.js';
import { compilePattern } from '../../src/schema/regex/regex.js';

const digits = compilePattern('[0-9]+');

function places(...matches: Omit<MatchIR, 'route' | 'methods'>[]) {
  if ('error' in digits) throw new Error(digits.error);
  const routes = matches.map((match, route): MatchIR => ({ ...match, route, methods: ['GET'] }));
  return routePlaces(Trie.open(buildTrie({ matches: routes, dfas: [digits.dfa] })));
}

const literal: SegmentIR = { kind: 'literal', text: 'a' };
const plain = { segments: [literal], conditions: [] };

test('exact, wildcard and missing hosts are shown', () => {
  const found = places({ ...plain, host: 'a.example.com' }, { ...plain, host: '*.example.com' }, plain);
  assert.equal(
    [0, 1, 2].map((route) => found.get(route)?.hosts),
    [['a.example.com'], ['*.example.com'], []],
  );
});

test('several hosts of one route, exact ones first, and its listeners', () => {
  const routes = ['*.b.test', 'z.test', 'a.test'].map(
    (host): MatchIR => ({ ...plain, route: 0, host, methods: ['GET'], listeners: ['internal'] }),
  );
  const place = routePlaces(Trie.open(buildTrie({ matches: routes, dfas: [] }))).get(0);
  assert.equal(place?.hosts, ['a.test', 'z.test', '*.b.test']);
  assert.equal(place?.listeners, ['internal']);
});

test('conditions are described in words', () => {
  const conditions: ConditionIR[] = [
    { on: 'header', name: 'x-beta', test: { op: 'present' } },
    { on: 'query', name: 'page', test: { op: 'matches', dfa: 0 } },
  ];
  const found = places({ ...plain, conditions }, plain);
  assert.equal([...(found.get(0)?.conditions ?? [])].sort(), ['header x-beta is present', 'query page matches [0-9]+']);
  assert.equal(found.get(1)?.conditions, []);
});

test('every route is found: literals, typed segments, parameters, tails', () => {
  const segments: SegmentIR[][] = [
    [literal],
    [literal, { kind: 'literal', text: 'b' }],
    [literal, { kind: 'typed', name: 'n', dfa: 0 }],
    [literal, { kind: 'param', name: 'x' }, literal],
    [literal, { kind: 'tail', name: 'rest' }],
    [{ kind: 'literal', text: 'c' }],
  ];
  const found = places(...segments.map((list) => ({ segments: list, conditions: [] })));
  assert.equal([...found.keys()].sort(), [0, 1, 2, 3, 4, 5]);
});

test('without routes there are no places', () => {
  assert.is(places().size, 0);
});

test.run();
