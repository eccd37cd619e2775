import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher, WRONG_METHOD } from '../../../src/bundle/match/match.js';
import { allowedMethods, possibleRoutes, routesOfPath } from '../../../src/bundle/match/possible.js';
import { MAX_NEAR_MISSES } from '../../../src/bundle/match/trace.js';
import { buildTrie, Trie } from '../../../src/bundle/trie/trie.js';
import type { ConditionIR } from '../../../src/bundle/types.js';
import { seededBelow } from '../../support/random.js';
import { matcherOf, matchIR, type RouteText, view } from '../kit.js';

const header = (name: string): ConditionIR => ({ on: 'header', name, test: { op: 'present' } });
const query = (name: string): ConditionIR => ({ on: 'query', name, test: { op: 'equals', value: '1' } });

/** The trace of `request` in a short form. */
function traced(routes: readonly (RouteText | string)[], request: string, headers = {}) {
  const trace = matcherOf(routes).trace(view(request, headers));
  return {
    route: trace.route,
    by: trace.decidedBy,
    why: trace.why,
    misses: trace.nearMisses.map(({ route, reason, message }) => `${route} ${reason}: ${message}`),
    trace,
  };
}

test('a route does not compete with itself under another host', () => {
  const [exact, wildcard] = ['a.test', '*.test'].map((host) => ({ ...matchIR('GET /x', 0), host }));
  const trie = buildTrie({ matches: [exact!, wildcard!], dfas: [] });
  const { decidedBy, nearMisses, host } = new Matcher(Trie.open(trie)).trace(view('GET a.test/x'));
  assert.equal([decidedBy, host, nearMisses], ['only', 'a.test', []]);
});

test('a route on another listener is shown only by explain', () => {
  const bound = { ...matchIR('DELETE /x', 0), listeners: ['internal', 'other'] };
  const matcher = new Matcher(Trie.open(buildTrie({ matches: [bound, matchIR('GET /x', 1)], dfas: [] })));
  const hidden = view('DELETE /x');
  const { route, nearMisses } = matcher.trace(hidden);
  assert.is(route, WRONG_METHOD);
  assert.match(nearMisses[0]?.message ?? '', 'it is served on `internal`, `other`, not on `main`');
  assert.equal(allowedMethods(matcher, hidden), ['GET', 'HEAD']);
  assert.equal(
    routesOfPath(matcher, hidden).map((found) => found.route),
    [1, 1],
  );
  assert.equal(possibleRoutes(matcher, hidden), []);
  assert.is(matcher.match({ ...hidden, listener: 'internal' }), 0);
  assert.is(matcher.match({ ...hidden, listener: 'nowhere' }), WRONG_METHOD);
});

test('the scheme decides, and is known to a preflight', () => {
  const on = (value: 'http' | 'https'): ConditionIR => ({ on: 'scheme', name: '', test: { op: 'equals', value } });
  const routes = [
    { match: '/{rest...}', conditions: [on('http')] },
    { match: 'GET /orders', conditions: [on('https')] },
    { match: 'GET /orders', conditions: [on('https'), header('x-beta')] },
    'GET /orders',
  ];
  const plain = traced(routes, 'GET /orders', { 'x-beta': '1', ':scheme': 'https', scheme: 'https' });
  assert.is(plain.route, 3, 'no field is taken for the scheme');
  assert.ok(plain.misses.includes('1 scheme: its condition fails: scheme is "https" (the request has "http")'));
  const matcher = matcherOf(routes);
  const secure = { ...view('GET /orders', { 'x-beta': '1' }), scheme: 'https' as const };
  assert.is(matcher.match(secure), 2);
  assert.is(matcher.trace(secure).why, '2 header and scheme conditions come before 1');
  assert.is(matcher.match({ ...secure, header: () => undefined }), 1);
  assert.is(matcher.match({ ...secure, path: '/other' }), -1);
  assert.is(matcher.match({ ...secure, path: '/other', scheme: 'http' }), 0);
  assert.equal(
    possibleRoutes(matcher, { ...secure, header: () => undefined }).map(({ route }) => route),
    [2, 1],
  );
});

test('a winner without other candidates', () => {
  const { route, by, trace } = traced(['GET /orders/{id:int}/{rest...}'], 'GET /orders/7/a/b');
  assert.is(route, 0);
  assert.is(by, 'only');
  assert.equal(trace.segments, [
    { kind: 'literal', pattern: 'orders', text: 'orders' },
    { kind: 'typed', pattern: '{:[0-9]+}', text: '7' },
    { kind: 'tail', pattern: '{...}', text: 'a/b' },
  ]);
  assert.equal(trace.nearMisses, []);
});

test('the reason distinguishes HEAD from GET that answers it', () => {
  const by = (...matches: string[]) => {
    const found = matcherOf(matches).trace(view('HEAD /a'), (route) => matches[route]);
    return [found.route, found.decidedBy, found.why];
  };
  const head = 'HEAD comes before GET, which also answers HEAD';
  assert.equal(by('GET /a', 'HEAD /a'), [1, 'method', head]);
  assert.equal(by('GET,POST /a', 'GET,HEAD /{x}', 'HEAD /a', '/a'), [2, 'method', head]);
  assert.equal(by('/a', 'GET /a'), [1, 'method', 'GET, which also answers HEAD, comes before any method']);
  assert.equal(by('/a', 'GET,HEAD /a'), [1, 'method', 'a named method comes before any method']);
});

test('each step of precedence is named', () => {
  const by = (routes: readonly (RouteText | string)[], request: string, headers = {}) => {
    const found = traced(routes, request, headers);
    return [found.route, found.by, found.why];
  };
  assert.equal(by(['/a', 'h.test/a', '*.test/a'], 'GET h.test/a'), [
    1,
    'host',
    'host `h.test` is more specific than `*.test`',
  ]);
  assert.equal(by(['/{x}', '/a'], 'GET /a'), [1, 'path', 'at segment 1 a literal comes before a parameter']);
  assert.equal(by(['/a/{x...}', '/a/{x:int}'], 'GET /a/1'), [
    1,
    'path',
    'at segment 2 a typed parameter comes before a tail',
  ]);
  assert.equal(by(['/a', 'GET /a'], 'GET /a'), [1, 'method', 'a named method comes before any method']);
  const conditions: RouteText[] = [
    { match: '/a', conditions: [query('q')] },
    { match: '/a', conditions: [header('x')] },
    { match: '/a' },
  ];
  assert.equal(by(conditions, 'GET /a?q=1', { x: '' }), [1, 'headers', '1 header conditions come before 0']);
  assert.equal(by(conditions, 'GET /a?q=1'), [0, 'query', '1 query conditions come before 0']);
  const equal: RouteText[] = [
    { match: '/a', conditions: [header('x')] },
    { match: '/a', conditions: [header('y')] },
  ];
  assert.equal(by(equal, 'GET /a', { x: '', y: '' }).slice(0, 2), [0, 'order']);
});

test('a path without a tail comes before an empty tail', () => {
  const trace = matcherOf(['/a/{x...}', '/a'], 'ignore').trace(view('GET /a'));
  assert.is(trace.route, 1);
  assert.is(trace.why, 'a path without a tail comes before a tail');
});

test('near misses have a reason', () => {
  const { misses, route, by } = traced(
    [
      'GET /orders/{id:int}',
      'POST /orders/{id}',
      { match: 'GET /orders/{id}', conditions: [header('x-beta')] },
      { match: 'GET /{any...}', conditions: [query('debug')] },
      'GET /orders/{id}/items',
    ],
    'GET /orders/abc',
  );
  assert.is(route, -2);
  assert.is(by, 'none');
  assert.equal(misses, [
    '0 type: `abc` does not match `{:[0-9]+}`',
    '2 header: its condition fails: header x-beta is present',
    '1 method: it matches POST, not GET',
    '3 query: its condition fails: query debug is "1"',
  ]);
});

test('the value that failed a header condition is shown', () => {
  const condition: ConditionIR = { on: 'header', name: 'x', test: { op: 'one-of', values: ['a', 'b'] } };
  const { misses } = traced([{ match: '/a', conditions: [condition] }], 'GET /a', { x: 'c' });
  assert.equal(misses, ['0 header: its condition fails: header x is "a" or "b" (the request has "c")']);
});

test('dead ends: an unknown segment, a trailing slash and a short path are reported', () => {
  assert.equal(traced(['/orders/new'], 'GET /orders/old').misses, [
    '0 segment: no route below `/orders` takes the segment `old`',
  ]);
  assert.equal(traced(['/orders/new'], 'GET /orders/').misses, [
    '0 segment: no route below `/orders` ends with a slash',
  ]);
  assert.equal(traced(['/orders/new'], 'GET /orders').misses, [
    '0 segment: the path ends here, but the routes continue',
  ]);
  assert.equal(traced(['/orders'], 'GET /order').misses, ['0 segment: no route takes the segment `order`']);
  assert.equal(traced([], 'GET /').misses, []);
});

test('405 is distinguished from 404', () => {
  const { route, why, misses } = traced(['GET /a', 'PUT /a'], 'POST /a');
  assert.is(route, -2);
  assert.is(why, 'routes match this path, but not this method');
  assert.equal(misses, ['0 method: it matches GET, not POST', '1 method: it matches PUT, not POST']);
});

test('near misses are bounded', () => {
  const routes = Array.from({ length: 100 }, (_, i) => `M${i} /a`);
  assert.is(traced(routes, 'GET /a').misses.length, MAX_NEAR_MISSES);
});

test('a trace agrees with match and keeps its parameters', () => {
  const next = seededBelow(9);
  const kinds = ['a', 'b', '{x}', '{x:int}', '{x:word}'];
  const routes = new Set<string>();
  while (routes.size < 300) {
    const path = Array.from({ length: 1 + next(4) }, () => kinds[next(kinds.length)]).join('/');
    routes.add(`${['GET', 'PUT', 'GET,HEAD'][next(3)]} ${['', 'h.test', '*.test'][next(3)]}/${path}`);
  }
  const matcher = matcherOf([...routes]);
  const values = ['a', 'b', '1', 'z', '-'];
  for (let i = 0; i < 3000; i++) {
    const path = Array.from({ length: 1 + next(4) }, () => values[next(values.length)]).join('/');
    const request = view(`${['GET', 'HEAD', 'PUT'][next(3)]} ${['h.test', 'x.test', 'other'][next(3)]}/${path}`);
    const route = matcher.match(request);
    const starts = Array.from({ length: matcher.paramCount }, (_, p) => matcher.paramStart(p));
    assert.is(matcher.trace(request).route, route);
    assert.equal(
      Array.from({ length: matcher.paramCount }, (_, p) => matcher.paramStart(p)),
      starts,
    );
  }
});

test('patterns are shown as in the spec', () => {
  const written = ['GET,POST h.test/orders/{id:int}/{file:[a-z/{}]+}', 'h.test/orders/{rest...}'];
  const routes = ['GET,POST h.test/orders/{id:int}/{file:lower}', 'h.test/orders/{rest...}'];
  const matcher = matcherOf(routes);
  const won = matcher.trace(view('GET h.test/orders/7/a'), (route) => written[route]);
  assert.equal(
    won.segments.map(({ pattern }) => pattern),
    ['orders', '{id:int}', '{file:[a-z/{}]+}'],
  );
  assert.is(won.nearMisses[0]!.pattern, '/orders/{rest...}');
  const lost = matcher.trace(view('DELETE h.test/orders/x/a'), (route) => written[route]);
  assert.is(lost.nearMisses.find(({ reason }) => reason === 'type')!.message, '`x` does not match `{id:int}`');
  const method = matcher.trace(view('DELETE h.test/orders/7/a'), (route) => written[route]);
  assert.is(method.nearMisses.find(({ reason }) => reason === 'method')!.message, 'it matches GET or POST, not DELETE');
});

test('a query condition that fails shows the first value of a repeated parameter', () => {
  const { misses } = traced([{ match: '/a', conditions: [query('q')] }], 'GET /a?q=2%20&q=1');
  assert.equal(misses, ['0 query: its condition fails: query q is "1" (the request has "2 ", the first of 2 values)']);
});

test.run();
