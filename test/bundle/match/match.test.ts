import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher, NO_ROUTE, WRONG_METHOD } from '../../../src/bundle/match/match.js';
import { allowedMethods } from '../../../src/bundle/match/possible.js';
import { buildTrie, Trie } from '../../../src/bundle/trie/trie.js';
import type { ConditionIR, ConditionTest } from '../../../src/bundle/types.js';
import { wireText } from '../../../src/bundle/wire-text.js';
import { matcherOf, params, type RouteText, trieIR, view } from '../kit.js';

const header = (name: string, test: ConditionTest): ConditionIR => ({ on: 'header', name, test });
const query = (name: string, test: ConditionTest): ConditionIR => ({ on: 'query', name, test });

/** The match of each request: `[route, ...parameters]`. */
function expectMatches(
  routes: readonly (RouteText | string)[],
  expected: { readonly [request: string]: readonly (number | string)[] },
  slash: 'strict' | 'ignore' = 'strict',
): void {
  const matcher = matcherOf(routes, slash);
  for (const [text, [route, ...values]] of Object.entries(expected)) {
    const request = view(text);
    assert.is(matcher.match(request), route, text);
    assert.equal(params(matcher, request), values, text);
  }
}

test('literals, parameters, typed parameters and tails', () => {
  expectMatches(
    ['GET /', 'GET /orders', 'GET /orders/{id:int}', 'GET /orders/{id}', 'GET /orders/new', 'GET /files/{rest...}'],
    {
      'GET /': [0],
      'GET /orders': [1],
      'GET /orders/42': [2, '42'],
      'GET /orders/4x': [3, '4x'],
      'GET /orders/new': [4],
      'GET /orders/': [NO_ROUTE],
      'GET /orders/1/2': [NO_ROUTE],
      'GET /order': [NO_ROUTE],
      'GET /orderss': [NO_ROUTE],
      'GET /files/': [5, ''],
      'GET /files/a': [5, 'a'],
      'GET /files/a/b/': [5, 'a/b/'],
      'GET /files': [NO_ROUTE],
      'POST /orders': [WRONG_METHOD],
    },
  );
});

test('the match backtracks from a dead end and drops its parameters', () => {
  expectMatches(['/a/b/c', '/a/{x}/d', '/{x}/b/{y}', '/{x:int}/b/z', '/{all...}'], {
    'GET /a/b/c': [0],
    'GET /a/b/d': [1, 'b'],
    'GET /a/b/e': [2, 'a', 'e'],
    'GET /7/b/z': [3, '7'],
    'GET /7/b/y': [2, '7', 'y'],
    'GET /a/q/e': [4, 'a/q/e'],
    'GET /': [4, ''],
  });
});

test('precedence follows segments from the left, also with overlapping typed siblings', () => {
  expectMatches(['/{a:int}/{x}', '/{b:word}/list', '/{b:word}/{n:int}', '/{c}/{d:int}/{e...}'], {
    'GET /1/list': [1, '1'],
    'GET /1/other': [0, '1', 'other'],
    'GET /1/5': [2, '1', '5'],
    'GET /a/5': [2, 'a', '5'],
    'GET /1/5/6': [3, '1', '5', '6'],
  });
  // Under the preferred typed sibling, the match is found only by backtracking.
  expectMatches(['/{a:int}/{x}/{y}', '/{b:word}/p/q', '/{b:word}/{x}/r', '/{b:word}/{n:lower}/{z...}'], {
    'GET /1/p/r': [3, '1', 'p', 'r'],
    'GET /1/p/q': [1, '1'],
    'GET /1/9/r': [2, '1', '9'],
    'GET /1/9/s': [0, '1', '9', 's'],
  });
});

test('without a route for the method, a less specific path is tried, then 405', () => {
  const matcher = matcherOf(['POST /orders/new', 'GET /orders/{id}', 'PUT,DELETE /orders/{id}', 'GET /health']);
  assert.is(matcher.match(view('GET /orders/new')), 1);
  assert.is(matcher.match(view('PATCH /orders/new')), WRONG_METHOD);
  assert.is(matcher.paramCount, 0);
  assert.equal(allowedMethods(matcher, view('PATCH /orders/new')), ['DELETE', 'GET', 'HEAD', 'POST', 'PUT']);
  assert.equal(allowedMethods(matcher, view('PATCH /orders/7')), ['DELETE', 'GET', 'HEAD', 'PUT']);
  assert.equal(allowedMethods(matcher, view('GET /nowhere')), []);
});

test('any method token is matched, also unknown ones and by a route without methods', () => {
  expectMatches(['PROPFIND /dav', 'FROBNICATE /dav', '/dav/{x...}'], {
    'PROPFIND /dav': [0],
    'FROBNICATE /dav': [1],
    'GET /dav': [WRONG_METHOD],
    'MKCOL /dav/a': [2, 'a'],
    '__proto__ /dav': [WRONG_METHOD],
  });
});

test('a named method precedes any method, and a more specific path precedes both', () => {
  expectMatches(['/a', 'GET /a', '/{x}', 'POST /{x}'], {
    'GET /a': [1],
    'POST /a': [0],
    'POST /b': [3, 'b'],
    'GET /b': [2, 'b'],
  });
});

test('GET answers HEAD unless HEAD is named as specifically', () => {
  expectMatches(['GET /a', 'GET /b', 'HEAD /b', 'GET /c', '/c', 'HEAD /{x}', 'GET,HEAD /d'], {
    'HEAD /a': [0],
    'HEAD /b': [2],
    'HEAD /c': [3],
    'HEAD /z': [5, 'z'],
    'HEAD /d': [6],
  });
});

test('hosts: exact, then the longest wildcard, then any, with fallback', () => {
  expectMatches(
    ['api.example.com/a', '*.example.com/a', '*.eu.example.com/a', '/a', '*.example.com/b', '/c', 'x.eu.example.com/d'],
    {
      'GET api.example.com/a': [0],
      'GET api.example.com./a': [0],
      'GET www.example.com/a': [1],
      'GET a.b.example.com/a': [1],
      'GET x.eu.example.com/a': [2],
      'GET eu.example.com/a': [1],
      'GET example.com/a': [3],
      'GET .example.com/a': [3],
      'GET /a': [3],
      'GET api.example.com/b': [4],
      'GET x.eu.example.com/b': [4],
      'GET api.example.com/c': [5],
      'GET other/c': [5],
      'GET other/b': [NO_ROUTE],
      'GET x.eu.example.com/d': [6],
      [`GET ${'a.'.repeat(200)}example.com/a`]: [3],
    },
  );
});

test('with only specific hosts, other hosts match nothing', () => {
  expectMatches(['a.test/x'], { 'GET b.test/x': [NO_ROUTE], 'GET /x': [NO_ROUTE], 'GET a.test/x': [0] });
});

test('methods of a less specific host count for 405', () => {
  const matcher = matcherOf(['GET api.test/x', 'PUT *.test/x', 'POST /x']);
  assert.is(matcher.match(view('PATCH api.test/x')), WRONG_METHOD);
  assert.equal(allowedMethods(matcher, view('PATCH api.test/x')), ['GET', 'HEAD', 'POST', 'PUT']);
  assert.is(matcher.match(view('POST api.test/x')), 2);
});

test('empty segments and trailing slashes count', () => {
  expectMatches(['/a/', '/a', '/a//b', '/{x}/b', '/c/{x}'], {
    'GET /a/': [0],
    'GET /a': [1],
    'GET /a//b': [2],
    'GET //b': [NO_ROUTE],
    'GET /c/': [NO_ROUTE],
    'GET /c//': [NO_ROUTE],
  });
});

test('with trailing_slash = "ignore" a trailing slash has no effect', () => {
  expectMatches(
    ['/a/', '/b', '/c/{x}', '/files/{rest...}', '/'],
    {
      'GET /a': [0],
      'GET /a/': [0],
      'GET /b/': [1],
      'GET /c/7/': [2, '7'],
      'GET /c/': [NO_ROUTE],
      'GET /files': [3, ''],
      'GET /files/': [3, ''],
      'GET /files/a/': [3, 'a/'],
      'GET /': [4],
      'GET /b//': [NO_ROUTE],
    },
    'ignore',
  );
});

test('typed segments match decoded text', () => {
  const spaced = { ...trieIR(['/{x:lower}']), dfas: [] };
  assert.throws(() => buildTrie(spaced));
  expectMatches(['/{x:int}'], { 'GET /%31%32': [0, '%31%32'], 'GET /%3A': [NO_ROUTE], 'GET /1%3A': [NO_ROUTE] });
});

test('header conditions: every test works, and routes with more conditions precede', () => {
  const routes: RouteText[] = [
    { match: 'GET /a' },
    { match: 'GET /a', conditions: [header('x-beta', { op: 'equals', value: '1' })] },
    {
      match: 'GET /a',
      conditions: [header('x-beta', { op: 'equals', value: '1' }), header('x-more', { op: 'present' })],
    },
    { match: 'GET /b', conditions: [header('x', { op: 'absent' })] },
    { match: 'GET /b', conditions: [header('x', { op: 'one-of', values: ['p', 'q'] })] },
    { match: 'GET /b', conditions: [header('x', { op: 'prefix', value: 'pre' })] },
    { match: 'GET /b', conditions: [header('x', { op: 'matches', dfa: 0 })] },
  ];
  const matcher = matcherOf(routes);
  const cases: [string, { [name: string]: string }, number][] = [
    ['GET /a', {}, 0],
    ['GET /a', { 'x-beta': '1' }, 1],
    ['GET /a', { 'x-beta': '1, 1' }, 0],
    ['GET /a', { 'x-beta': '1', 'x-more': '' }, 2],
    ['GET /b', {}, 3],
    ['GET /b', { x: 'q' }, 4],
    ['GET /b', { x: 'prefer' }, 5],
    ['GET /b', { x: '42' }, 6],
    ['GET /b', { x: 'none' }, NO_ROUTE],
    ['POST /b', { x: 'none' }, NO_ROUTE],
    ['POST /b', { x: '42' }, WRONG_METHOD],
  ];
  for (const [text, headers, expected] of cases) {
    assert.is(matcher.match(view(text, headers)), expected, `${text} ${JSON.stringify(headers)}`);
  }
});

test('query conditions decode the query like a form', () => {
  const matcher = matcherOf([
    { match: 'GET /p', conditions: [query('a b', { op: 'present' })] },
    { match: 'GET /e', conditions: [query('q', { op: 'equals', value: 'caf\u00e9 &' })] },
    { match: 'GET /o', conditions: [query('q', { op: 'one-of', values: ['x', 'y'] })] },
    { match: 'GET /n', conditions: [query('q', { op: 'absent' })] },
    { match: 'GET /f', conditions: [query('q', { op: 'prefix', value: 'a b' })] },
    { match: 'GET /m', conditions: [query('q', { op: 'matches', dfa: 0 })] },
    { match: 'GET /v', conditions: [query('q', { op: 'equals', value: '' })] },
  ]);
  const matching: string[] = [
    '/p?a+b',
    '/p?a%20b=1',
    '/p?x&a+b=',
    '/e?q=caf%C3%A9+%26',
    '/e?x&q=caf%c3%a9%20%26&q=1',
    '/o?q=y',
    '/o?q=%78&q=z',
    '/n?',
    '/n?r=q',
    '/n?qq=1',
    '/f?q=a+bc',
    '/f?q=a%20b',
    '/m?q=1%32',
    '/v?q',
    '/v?q=',
    '/v?=&q=&',
  ];
  const fails = [
    '/p?ab',
    '/p',
    '/e?q=cafe',
    '/e?q=1&q=caf%c3%a9%20%26',
    '/o?q=z&q=%78',
    '/e?q=caf%C3%A9+%26x',
    '/o?q=xy',
    '/o?q=',
    '/n?q',
    '/n?x&q=1',
    '/f?q=a',
    '/m?q=x',
    '/m?q=%4',
    '/m?q',
    '/v?q=1',
    '/v?',
  ];
  for (const target of matching) assert.ok(matcher.match(view(`GET ${target}`)) >= 0, target);
  for (const target of fails) assert.is(matcher.match(view(`GET ${target}`)), NO_ROUTE, target);
});

test('automata read non-ASCII text as UTF-8', () => {
  const classes = new Array<number>(256).fill(0);
  [0xc3, 0xe2, 0xf0].forEach((lead) => {
    classes[lead] = 1;
  });
  for (let byte = 0x80; byte < 0xc0; byte++) classes[byte] = 2;
  // One lead byte, then continuation bytes.
  const dfa = { source: 'x', classes, classCount: 3, next: [2, 1, 2, 2, 2, 1, 2, 2, 2], accepts: [0, 1, 0], dead: 2 };
  const ir = {
    matches: [
      { route: 0, segments: [], methods: [], conditions: [header('x', { op: 'matches', dfa: 0 })] },
      { route: 1, segments: [], methods: [], conditions: [query('x', { op: 'matches', dfa: 0 })] },
    ],
    dfas: [dfa],
  } as const;
  const matcher = new Matcher(Trie.open(buildTrie(ir)));
  for (const text of ['\u00e9', '\u20ac', '\u{1f600}']) {
    // The codec gives header values one character for each byte.
    assert.is(matcher.match(view('GET /', { x: wireText(text) })), 0, text);
    assert.is(matcher.match(view(`GET /?x=${text}`)), 1, text);
    assert.is(matcher.match(view(`GET /?x=${encodeURIComponent(text)}`)), 1, text);
  }
  assert.is(matcher.match(view('GET /', { x: wireText('\u00e9\u00e9') })), NO_ROUTE);
  assert.is(matcher.match(view('GET /', { x: '\u00e9' })), NO_ROUTE, 'a byte of latin1 is not UTF-8');
  assert.is(matcher.match(view('GET /?x=\u00e9\u00e9')), NO_ROUTE);
});

test('a path and a route with 10,000 segments are matched', () => {
  const long = '/a'.repeat(10_000);
  expectMatches(['/{rest...}', '/a/{x}/b'], { [`GET ${long}`]: [0, long.slice(1)] });
  expectMatches([long, `${'/{x}'.repeat(10_000)}`], { [`GET ${long}`]: [0] });
});

test('each node is visited once: a trie with many dead ends is linear', () => {
  // A literal and a parameter at every depth, and no route at the end: 2^12 paths through one tree.
  const routes: string[] = [];
  for (let i = 0; i < 4096; i++) {
    const path = Array.from({ length: 12 }, (_, bit) => ((i >> bit) & 1 ? 'a' : '{x}')).join('/');
    routes.push(`GET /${path}/end`);
  }
  const matcher = matcherOf(routes);
  let walked = 0;
  const request = view(`GET /${'a/'.repeat(12)}nowhere`);
  const trace = matcher.trace(request);
  assert.is(trace.route, NO_ROUTE);
  const started = performance.now();
  for (let i = 0; i < 10; i++) if (matcher.match(request) === NO_ROUTE) walked++;
  assert.is(walked, 10);
  assert.ok(performance.now() - started < 2000);
});

test('shared memory matches like private memory', () => {
  const own = buildTrie(trieIR(['GET /orders/{id:int}', 'h.test/x']));
  const shared = new SharedArrayBuffer(own.byteLength);
  new Uint8Array(shared).set(new Uint8Array(own));
  const matcher = new Matcher(Trie.open(shared));
  assert.is(matcher.match(view('GET /orders/7')), 0);
  assert.is(matcher.match(view('GET h.test/x')), 1);
  const again = new Matcher(Trie.open(shared, { verified: true }));
  assert.is(again.match(view('GET /orders/7')), 0);
});

test('a million matches allocate nothing', () => {
  const matcher = matcherOf([
    'GET api.test/a/{x}/b',
    '*.test/{n:int}/{y:word}',
    { match: 'GET /q', conditions: [query('a', { op: 'equals', value: '1' })] },
  ]);
  const requests = [
    'GET api.test/a/1/b',
    'PUT x.test/12/ab',
    'GET x.test/12/a-b',
    'GET other/q?b=2&a=%31',
    'POST api.test/a/1/b',
  ].map((text) => view(text));
  const run = (rounds: number): void => {
    for (let i = 0; i < rounds; i++) for (const request of requests) matcher.match(request);
  };
  run(20_000);
  // A collection may occur in some of the windows, but not in most of them.
  const growth = Array.from({ length: 20 }, () => {
    const before = process.memoryUsage().heapUsed;
    run(10_000);
    return process.memoryUsage().heapUsed - before;
  }).sort((a, b) => a - b);
  // The smallest object per match would be 800,000 bytes for 50,000 matches.
  assert.ok(growth[10]! < 50_000, `heap grew by ${growth[10]} bytes`);
});

test('a route without path segments is the root', () => {
  const ir = { matches: [{ route: 0, segments: [], methods: [], conditions: [] }], dfas: [] };
  const matcher = new Matcher(Trie.open(buildTrie(ir)));
  assert.is(matcher.match(view('GET /')), 0);
  assert.is(matcher.match(view('GET /a')), NO_ROUTE);
});

test('an empty trie matches nothing', () => {
  expectMatches([], { 'GET /': [NO_ROUTE], 'GET h.test/a': [NO_ROUTE] });
});

test.run();
