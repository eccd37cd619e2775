/** Overlap analysis compared with an oracle that tries every route on every request of a small world. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overlapsOf } from '../../src/lint/overlap/index.js';
import type { Model, RouteModel } from '../../src/spec/model.js';
import { check, checked, codes, HEAD, ORDERS, route } from './kit.js';
import { compareRanks, generator, type Request, randomModel, rank, WORLD, winners } from './oracle.js';

/** Parses an example: `GET http://a.test/1/x?q=1` or `GET /1` over https, with `x: 1` without header `x`. */
function parseExample(text: string): Request {
  const found = /^`(\S+) (?:(https?):\/\/([^/]+))?\/([^?`]*)(?:\?q=([^`]*))?`(?: over (https?))?/.exec(text);
  assert.ok(found, text);
  const header = / with `x: ([^`]*)`/.exec(text)?.[1];
  return {
    method: found[1]!,
    host: found[3] ?? '',
    listener: / on listener `([^`]*)`/.exec(text)?.[1] ?? 'main',
    segments: found[4]!.split('/').map(decodeURIComponent),
    values: {
      'scheme ': found[2] ?? found[6] ?? 'http',
      'header x': header,
      'query q': found[5] === undefined ? undefined : decodeURIComponent(found[5]),
    },
  };
}

test('150 random specs: every tie is reported, every example is a tie, and shadowed routes never win', () => {
  const random = generator(20_260_101);
  const seen = { conflicts: 0, shadows: 0, ties: 0 };
  for (let round = 0; round < 150; round++) {
    const model = randomModel(random);
    const { conflicts, shadows } = overlapsOf(model);
    const reported = new Set(conflicts.flatMap((conflict) => [conflict.route, conflict.other]));
    const won = new Map<RouteModel, Set<string>>();
    for (const request of WORLD) {
      const best = winners(model, request);
      if (best.length > 1) {
        seen.ties++;
        const missing = best.filter((candidate) => !reported.has(candidate));
        assert.ok(missing.length < 2, `round ${round}: no word of ${missing.map(({ match }) => match.text)}`);
      }
      for (const winner of best) won.set(winner, (won.get(winner) ?? new Set()).add(request.method));
    }
    for (const { route: a, other: b, request: example } of conflicts) {
      seen.conflicts++;
      const request = parseExample(example);
      const ranks = [rank(a, request), rank(b, request)];
      assert.ok(ranks[0] && ranks[1], `round ${round}: ${example} is not taken by both`);
      assert.is(compareRanks(ranks[0], ranks[1]), 0, `round ${round}: ${example} is no tie`);
    }
    for (const { route: shadowed, everyMethod } of shadows) {
      seen.shadows++;
      const methods = [...(won.get(shadowed) ?? [])].filter((method) => everyMethod || method !== 'PURGE');
      assert.equal(methods, [], `round ${round}: ${shadowed.match.text} is not shadowed`);
    }
  }
  // The random specs must contain enough overlaps for the comparison to be significant.
  assert.ok(seen.conflicts > 100 && seen.shadows > 30 && seen.ties > 1000, JSON.stringify(seen));
});

const shadowed = (text: string): string[] => codes(check(text)).filter((code) => code === 'route/shadowed');
const of = (...matches: string[]): string => matches.map((match) => route(match)).join('');

test('shadowed: a route for any method after all common methods, but not after some of them', () => {
  const all = of('GET,POST,PUT,PATCH,DELETE,OPTIONS /a', '/a');
  assert.is(shadowed(all).length, 1);
  assert.match(check(all)[0]!.message, 'almost never matches');
  assert.is(shadowed(of('GET,POST /a', '/a')).length, 0);
});

test('shadowed: a route after two complementary conditions', () => {
  const both = ['{ path = "/a", headers = { x = true } }', '{ path = "/a", headers = { x = false } }'];
  assert.is(shadowed(of(...both, '/a')).length, 1);
  assert.match(check(of(...both, '/a'))[0]!.message, 'never matches');
  assert.is(shadowed(of(both[0]!, '/a')).length, 0);
});

test('shadowed: a route after both schemes', () => {
  const [plain, secure] = ['{ path = "/a", scheme = "http" }', '{ path = "/a", scheme = "https" }'];
  const trusted = (text: string) => checked(`${HEAD}trusted_proxies = ["10.0.0.0/8"]\n${ORDERS}${text}`).diagnostics;
  assert.equal(codes(trusted(of(plain!, secure!))), []);
  assert.equal(codes(trusted(of(plain!, '/a'))), []);
  assert.equal(codes(trusted(of(plain!, secure!, '/a'))), ['route/shadowed']);
  const twoOfThree = of(
    '{ path = "/a", scheme = "http", headers = { x = true } }',
    '{ path = "/a", scheme = "http", headers = { x = false } }',
    '{ path = "/a", scheme = "https", headers = { x = true } }',
    '/a',
  );
  assert.equal(codes(trusted(twoOfThree)), []);
});

test('the scheme counts as one condition on a header field', () => {
  const both = of('{ path = "/a", scheme = "https" }', '{ path = "/a", headers = { x = true } }');
  const found = checked(`${HEAD}trusted_proxies = ["10.0.0.0/8"]\n${ORDERS}${both}`).diagnostics;
  assert.equal(codes(found), ['route/ambiguous']);
  assert.match(found[0]!.message, '`GET /a` over https with `x: x`');
});

test('shadowed: a parameter after a pattern that matches everything', () => {
  assert.is(shadowed(of('GET /a/{x:.+}', 'GET /a/{y}')).length, 1);
  assert.is(shadowed(of('GET /a/{x:[a-z]+}', 'GET /a/{y}')).length, 0);
  assert.is(shadowed(of('GET /a/{x:.+}/b', 'GET /a/{y}')).length, 0);
});

test('shadowed: a route below a tail whose first segment has precedence', () => {
  assert.is(shadowed(of('GET /{x:.+}/{rest...}', 'GET /{y}/b')).length, 1);
  assert.is(shadowed(of('GET /{y}/{rest...}', 'GET /{y}/b')).length, 0);
});

test('shadowed: percent-encoded literals equal their decoded text', () => {
  assert.is(shadowed(of('GET /{x:ä b}', 'GET /%C3%A4%20b')).length, 1);
});

test('a HEAD route is not shadowed by GET routes with conditions', () => {
  const text = of(
    '{ path = "/a", methods = ["GET"], headers = { x = true } }',
    '{ path = "/a", methods = ["GET"], headers = { x = false } }',
    'HEAD /a',
  );
  assert.is(shadowed(text).length, 0);
});

test('a different host, path length or method is no conflict', () => {
  const text = of(
    'GET /a/{x}',
    'POST /a/{x}',
    'GET /a/{x}/b',
    '{ host = "api.test", path = "/a/{x}", methods = ["GET"] }',
    'GET /a/b',
  );
  assert.equal(codes(check(text)), []);
});

test('ambiguous: the example meets the conditions of both routes', () => {
  const text = of(
    '{ path = "/a", headers = { x-beta = true }, query = { v = { prefix = "2" } } }',
    '{ path = "/a", headers = { x-new = false }, query = { v = { matches = "[0-9]{3}" } } }',
  );
  const [found] = check(text);
  assert.is(found?.code, 'route/ambiguous');
  assert.match(found!.message, /`GET \/a\?v=2\d\d` with `x-beta: x` without header `x-new`/);
});

test('ambiguous: examples with non-ASCII characters are shown percent-encoded', () => {
  const [found] = check(of('GET /{x:[ä-ü]+}', 'GET /{y:[ö-ü ]+}'));
  assert.match(found?.message ?? '', /`GET \/%C3%B[6-9A-C]`/);
  const spaced = (more: string): string => `{ path = "/a", headers = { v = { matches = "a b${more}" } } }`;
  assert.match(check(of(spaced('c?'), spaced('d?')))[0]?.message ?? '', 'with `v: a b`');
});

test('mutually exclusive conditions are no conflict', () => {
  for (const [a, b] of [
    ['"1"', '"2"'],
    ['true', 'false'],
    ['{ one_of = ["1", "2"] }', '{ prefix = "3" }'],
    ['{ prefix = "a" }', '{ prefix = "b" }'],
    ['{ matches = "[a-z]+" }', '{ matches = "[0-9]+" }'],
    ['{ prefix = "a" }', '{ matches = "[0-9]+" }'],
  ]) {
    const text = of(`{ path = "/a", headers = { v = ${a} } }`, `{ path = "/a", headers = { v = ${b} } }`);
    assert.equal(codes(check(text)), [], `${a} and ${b}`);
  }
});

test('parameter types that accept the same text make duplicate routes', () => {
  assert.equal(codes(check(of('GET /a/{x:int}', 'GET /a/{y:0|[1-9][0-9]*}'))), ['route/duplicate']);
});

test('routes that share one method are ambiguous, not duplicates', () => {
  const [found, ...more] = check(of('GET,POST /a', 'POST /a'));
  assert.equal([found?.code, more], ['route/ambiguous', []]);
  assert.match(found?.message ?? '', '`r1` and `r0` both match `POST /a`');
});

test('of two duplicate routes the later one is reported, once', () => {
  const found = check(of('GET,POST,PUT /a', 'POST,PUT,GET /a'));
  assert.equal(codes(found), ['route/duplicate']);
  assert.match(found[0]!.message, 'Routes `r1` and `r0` match the same requests');
});

/** A spec of 10,000 variations of the route with this `match`. */
function many(match: string, vary: (route: RouteModel, index: number) => Partial<RouteModel['match']>): Model {
  const { value: model } = checked(HEAD + ORDERS + route(match));
  const one = model?.routes[0];
  assert.ok(model && one);
  const routes = Array.from({ length: 10_000 }, (_, index) => ({
    ...one,
    name: `r${index}`,
    match: { ...one.match, ...vary(one, index) },
  }));
  return { ...model, routes };
}

function withLast({ match }: RouteModel, text: string): Partial<RouteModel['match']> {
  return { segments: [...match.segments.slice(0, -1), { kind: 'literal', text, span: match.span }] };
}

test('10,000 similar routes are compared within seconds', () => {
  const shapes = {
    ordinary: many('GET /tenants/{t:uuid}/{id:int}/things', (one, index) => withLast(one, `things-${index}`)),
    'one path, a header each': many('{ path = "/a", headers = { v = "1" } }', ({ match }, index) => ({
      conditions: [{ ...match.conditions[0]!, test: { op: 'equals', value: `${index}` } }],
    })),
    'duplicates of each other': many('GET /a', () => ({})),
    'a list of words before each': many('GET /{x:a|b|c}/last', (one, index) => withLast(one, `last-${index}`)),
  };
  for (const [name, model] of Object.entries(shapes)) {
    const start = process.hrtime.bigint();
    const { conflicts, shadows } = overlapsOf(model);
    const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
    assert.ok(milliseconds < 3000, `${name}: ${milliseconds.toFixed(0)} ms`);
    assert.is(conflicts.length, name === 'duplicates of each other' ? 9999 : 0, name);
    assert.is(shadows.length, 0, name);
  }
});

test.run();
