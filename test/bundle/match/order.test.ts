import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { matchOrder } from '../../../src/bundle/match/order.js';
import { buildTrie, Trie } from '../../../src/bundle/trie/trie.js';
import type { MatchIR, SegmentIR } from '../../../src/bundle/types.js';
import { compilePattern, NAMED_TYPES } from '../../../src/schema/regex/regex.js';

const int = compilePattern(NAMED_TYPES['int']!);

function segments(path: string): SegmentIR[] {
  return path
    .slice(1)
    .split('/')
    .map((text): SegmentIR => {
      if (text.endsWith('...}')) return { kind: 'tail', name: text.slice(1, -4) };
      if (text.endsWith(':int}')) return { kind: 'typed', name: text.slice(1, -5), dfa: 0 };
      return text.startsWith('{') ? { kind: 'param', name: text.slice(1, -1) } : { kind: 'literal', text };
    });
}

/** Routes as `METHOD host/path` (`METHOD!`: with a condition), in the order that the trie prefers. */
function ordered(...routes: string[]): string[] {
  if ('error' in int) throw new Error(int.error);
  const matches = routes.map((text, route): MatchIR => {
    const [method = '', rest = ''] = text.split(' ');
    const slash = rest.indexOf('/');
    const host = rest.slice(0, slash);
    return {
      route,
      ...(host === '' ? {} : { host }),
      segments: segments(rest.slice(slash)),
      methods: method === 'ANY' ? [] : method.replace('!', '').split(','),
      conditions: method.endsWith('!') ? [{ on: 'header', name: 'x-a', test: { op: 'present' } }] : [],
    };
  });
  const trie = Trie.open(buildTrie({ matches, dfas: [int.dfa] }));
  return matchOrder(trie).map((route) => routes[route] ?? '');
}

test('at one place literals come first, then typed segments, parameters and tails', () => {
  const right = ['GET /a', 'GET /a/b', 'GET /a/{n:int}', 'GET /a/{x}', 'GET /a/{rest...}'];
  assert.equal(ordered(...[...right].reverse()), right);
});

test('the leftmost difference decides', () => {
  const right = ['GET /a/{x}/c', 'GET /{x}/b/c'];
  assert.equal(ordered(...[...right].reverse()), right);
});

test('named methods precede any method, and a route with two methods is listed once', () => {
  assert.equal(ordered('ANY /a', 'GET,POST /a'), ['GET,POST /a', 'ANY /a']);
});

test('routes with more conditions come first', () => {
  assert.equal(ordered('GET /a', 'GET! /a'), ['GET! /a', 'GET /a']);
});

test('exact hosts come first, then the longest wildcard, then any host', () => {
  const right = ['GET a.example.com/', 'GET b.example.com/', 'GET *.eu.example.com/', 'GET *.example.com/', 'GET /'];
  assert.equal(ordered(...[...right].reverse()), right);
});

test('without routes the order is empty', () => {
  assert.equal(matchOrder(Trie.open(buildTrie({ matches: [], dfas: [] }))), []);
});

test.run();
