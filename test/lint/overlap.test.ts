/** Overlap analysis against an oracle: every request of a small world, every route tried, precedence by its definition. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overlapsOf } from '../../src/lint/overlap/index.js';
import type { Model, RouteModel } from '../../src/spec/model.js';
import { check, checked, codes, HEAD, ORDERS, route } from './kit.js';
import { compareRanks, generator, type Request, randomModel, rank, WORLD, winners } from './oracle.js';

/** Reads an example back: `GET http://a.test/1/x?q=1` with `x: 1` without header `x`. */
function parseExample(text: string): Request {
  const found = /^`(\S+) (?:http:\/\/([^/]+))?\/([^?`]*)(?:\?q=([^`]*))?`/.exec(text);
  assert.ok(found, text);
  const header = / with `x: ([^`]*)`/.exec(text)?.[1];
  return {
    method: found[1]!,
    host: found[2] ?? '',
    listener: / on listener `([^`]*)`/.exec(text)?.[1] ?? 'main',
    segments: found[3]!.split('/').map(decodeURIComponent),
    values: { 'header x': header, 'query q': found[4] === undefined ? undefined : decodeURIComponent(found[4]) },
  };
}

test('150 random specs: every tie is reported, every example is a tie, what is shadowed never wins', () => {
  const random = generator(20_260_101);
  const seen = { conflicts: 0, shadows: 0, ties: 0 };
  for (let round = 0; round < 150; round++) {
    const model = randomModel(random);
    const { conflicts, shadows } = overlapsOf(model);
    const told = new Set(conflicts.flatMap((conflict) => [conflict.route, conflict.other]));
    const won = new Map<RouteModel, Set<string>>();
    for (const request of WORLD) {
      const best = winners(model, request);
      if (best.length > 1) {
        seen.ties++;
        const silent = best.filter((candidate) => !told.has(candidate));
        assert.ok(silent.length < 2, `round ${round}: no word of ${silent.map(({ match }) => match.text)}`);
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
  // A generator that makes nothing to find would prove nothing.
  assert.ok(seen.conflicts > 100 && seen.shadows > 30 && seen.ties > 1000, JSON.stringify(seen));
});

const shadowed = (text: string): string[] => codes(check(text)).filter((code) => code === 'route/shadowed');
const of = (...matches: string[]): string => matches.map((match) => route(match)).join('');

test('shadowed: any method behind all common ones, and not behind some', () => {
  const all = of('GET,POST,PUT,PATCH,DELETE,OPTIONS /a', '/a');
  assert.is(shadowed(all).length, 1);
  assert.match(check(all)[0]!.message, 'almost never matches');
  assert.is(shadowed(of('GET,POST /a', '/a')).length, 0);
});

test('shadowed: conditions that are met one way or the other', () => {
  const both = ['{ path = "/a", headers = { x = true } }', '{ path = "/a", headers = { x = false } }'];
  assert.is(shadowed(of(...both, '/a')).length, 1);
  assert.match(check(of(...both, '/a'))[0]!.message, 'never matches');
  assert.is(shadowed(of(both[0]!, '/a')).length, 0);
});

test('shadowed: a pattern that takes everything before a parameter', () => {
  assert.is(shadowed(of('GET /a/{x:.+}', 'GET /a/{y}')).length, 1);
  assert.is(shadowed(of('GET /a/{x:[a-z]+}', 'GET /a/{y}')).length, 0);
  assert.is(shadowed(of('GET /a/{x:.+}/b', 'GET /a/{y}')).length, 0);
});

test('shadowed: a route below a tail whose first segment has precedence', () => {
  assert.is(shadowed(of('GET /{x:.+}/{rest...}', 'GET /{y}/b')).length, 1);
  assert.is(shadowed(of('GET /{y}/{rest...}', 'GET /{y}/b')).length, 0);
});

test('shadowed: words that need percent-encoding stand for their literal', () => {
  assert.is(shadowed(of('GET /{x:ä b}', 'GET /%C3%A4%20b')).length, 1);
});

test('HEAD of its own is not shadowed by GET with conditions', () => {
  const text = of(
    '{ path = "/a", methods = ["GET"], headers = { x = true } }',
    '{ path = "/a", methods = ["GET"], headers = { x = false } }',
    'HEAD /a',
  );
  assert.is(shadowed(text).length, 0);
});

test('a host of its own, a longer path, another method: no conflict', () => {
  const text = of(
    'GET /a/{x}',
    'POST /a/{x}',
    'GET /a/{x}/b',
    '{ host = "api.test", path = "/a/{x}", methods = ["GET"] }',
    'GET /a/b',
  );
  assert.equal(codes(check(text)), []);
});

test('ambiguous conditions: the example meets them all', () => {
  const text = of(
    '{ path = "/a", headers = { x-beta = true }, query = { v = { prefix = "2" } } }',
    '{ path = "/a", headers = { x-new = false }, query = { v = { matches = "[0-9]{3}" } } }',
  );
  const [found] = check(text);
  assert.is(found?.code, 'route/ambiguous');
  assert.match(found!.message, /`GET \/a\?v=2\d\d` with `x-beta: x` without header `x-new`/);
});

test('ambiguous: examples with other characters are shown as a request has them', () => {
  const [found] = check(of('GET /{x:[ä-ü]+}', 'GET /{y:[ö-ü ]+}'));
  assert.match(found?.message ?? '', /`GET \/%C3%B[6-9A-C]`/);
  const spaced = (more: string): string => `{ path = "/a", headers = { v = { matches = "a b${more}" } } }`;
  assert.match(check(of(spaced('c?'), spaced('d?')))[0]?.message ?? '', 'with `v: a b`');
});

test('conditions that exclude each other are no conflict', () => {
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

test('types that accept the same are one path, whatever they are called', () => {
  assert.equal(codes(check(of('GET /a/{x:int}', 'GET /a/{y:0|[1-9][0-9]*}'))), ['route/duplicate']);
});

test('a shared method makes two routes ambiguous, not the same', () => {
  const [found, ...more] = check(of('GET,POST /a', 'POST /a'));
  assert.equal([found?.code, more], ['route/ambiguous', []]);
  assert.match(found?.message ?? '', '`r1` and `r0` both match `POST /a`');
});

test('of two routes the later in the spec is reported, once', () => {
  const found = check(of('GET,POST,PUT /a', 'POST,PUT,GET /a'));
  assert.equal(codes(found), ['route/duplicate']);
  assert.match(found[0]!.message, 'Routes `r1` and `r0` match the same requests');
});

/** A spec of 10,000 routes, each a variation of the one that `match` gives. */
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

test('10,000 routes are compared in seconds on the slowest machine, whatever they have in common', () => {
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
