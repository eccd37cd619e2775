/** Overlap analysis against an oracle: every request of a small world, every route tried, precedence by its definition. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overlapsOf } from '../../src/lint/overlap/index.js';
import { acceptsText } from '../../src/schema/dfa.js';
import type { ConditionModel, Model, RouteModel, SegmentModel } from '../../src/spec/model.js';
import { check, checked, codes, HEAD, ORDERS, route } from './kit.js';

interface Request {
  readonly method: string;
  readonly host: string;
  readonly segments: readonly string[];
  readonly values: { readonly [name: string]: string | undefined };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'];
const WORDS = ['1', 'ab', 'zz', 'x.y'];
const VALUES = [undefined, '1', '12'];

function* requests(): Generator<Request> {
  const paths = [[''], ...WORDS.map((word) => [word]), ...WORDS.flatMap((a) => ['', '1', 'ab'].map((b) => [a, b]))];
  for (const host of ['', 'a.test', 'b.test'])
    for (const segments of paths)
      for (const method of METHODS)
        for (const header of VALUES)
          for (const query of VALUES)
            yield { method, host, segments, values: { 'header x': header, 'query q': query } };
}
const WORLD = [...requests()];

function meets({ on, name, test: wanted }: ConditionModel, { values }: Request): boolean {
  const value = values[`${on} ${name}`];
  if (value === undefined) return wanted.op === 'absent';
  switch (wanted.op) {
    case 'absent':
      return false;
    case 'present':
      return true;
    case 'equals':
      return value === wanted.value;
    case 'one-of':
      return wanted.values.includes(value);
    case 'prefix':
      return value.startsWith(wanted.value);
    case 'matches':
      return acceptsText(wanted.dfa, value);
  }
}

const KINDS = { literal: 3, typed: 2, param: 1, tail: 0 } as const;

function pathMatches(pattern: readonly SegmentModel[], segments: readonly string[]): boolean {
  for (const [index, segment] of pattern.entries()) {
    const text = segments[index];
    if (text === undefined) return false;
    if (segment.kind === 'tail') return true;
    if (segment.kind === 'literal' ? segment.text !== text : text === '') return false;
    if (segment.kind === 'typed' && !acceptsText(segment.dfa, text)) return false;
  }
  return pattern.length === segments.length;
}

/** Precedence as numbers, the greatest first; undefined when the route does not match. */
function rank({ match }: RouteModel, request: Request): number[] | undefined {
  const wildcard = match.host?.startsWith('*.') === true;
  if (match.host !== undefined && !wildcard && match.host !== request.host) return undefined;
  if (wildcard && !request.host.endsWith(match.host.slice(1))) return undefined;
  const named = match.methods.includes(request.method);
  const byGet = request.method === 'HEAD' && match.methods.includes('GET');
  if (match.methods.length > 0 && !named && !byGet) return undefined;
  if (!pathMatches(match.segments, request.segments)) return undefined;
  if (!match.conditions.every((condition) => meets(condition, request))) return undefined;
  const path = [0, 1, 2].map((index) => {
    const segment = match.segments[index];
    return segment ? KINDS[segment.kind] : -1;
  });
  const headers = match.conditions.filter(({ on }) => on === 'header').length;
  const hostRank = match.host === undefined ? 0 : wildcard ? 1 : 2;
  return [hostRank, ...path, named ? 2 : byGet ? 1 : 0, headers, match.conditions.length - headers];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!;
  return 0;
}

/** Who wins a request; several when they are equal. */
function winners(model: Model, request: Request): RouteModel[] {
  let best: number[] | undefined;
  let routes: RouteModel[] = [];
  for (const candidate of model.routes) {
    const its = rank(candidate, request);
    if (!its) continue;
    const order = best ? compareRanks(its, best) : 1;
    if (order > 0) routes = [candidate];
    else if (order === 0) routes.push(candidate);
    if (order > 0) best = its;
  }
  return routes;
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const SEGMENTS = [
  '1',
  'ab',
  'zz',
  '{p}',
  '{p:int}',
  '{p:[a-z]+}',
  '{p:ab|zz}',
  '{p:.+}',
  '{p:1|ab|zz|x[.]y}',
  '{p:[0-9]+}',
];
const CONDITIONS = ['true', 'false', '"1"', '{ one_of = ["1", "2"] }', '{ prefix = "1" }', '{ matches = "[0-9]+" }'];

function randomMatch(random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const segments = [pick(SEGMENTS)];
  if (random() < 0.15) segments.push(pick(SEGMENTS).replace('{p', '{q'));
  if (random() < 0.15) segments.push('{rest...}');
  const parts = [`path = "/${segments.join('/')}"`];
  if (random() < 0.1) parts.push(`host = "${pick(['a.test', '*.test'])}"`);
  const methods = pick([
    [],
    [],
    ['GET'],
    ['GET'],
    ['POST'],
    ['GET', 'POST'],
    ['HEAD'],
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ]);
  if (methods.length > 0) parts.push(`methods = ${JSON.stringify(methods)}`);
  if (random() < 0.4) parts.push(`headers = { x = ${pick(CONDITIONS)} }`);
  if (random() < 0.2) parts.push(`query = { q = ${pick(CONDITIONS)} }`);
  return `{ ${parts.join(', ')} }`;
}

function randomModel(random: () => number): Model {
  const count = 6 + Math.floor(random() * 12);
  const text = HEAD + ORDERS + Array.from({ length: count }, () => route(randomMatch(random))).join('');
  const model = checked(text.replace(/name = ".*"\n/g, '')).value;
  assert.ok(model);
  assert.is(model.routes.length, count);
  return model;
}

/** Reads an example back: `GET http://a.test/1/x?q=1` with `x: 1` without header `x`. */
function parseExample(text: string): Request {
  const found = /^`(\S+) (?:http:\/\/([^/]+))?\/([^?`]*)(?:\?q=([^`]*))?`/.exec(text);
  assert.ok(found, text);
  const header = / with `x: ([^`]*)`/.exec(text)?.[1];
  return {
    method: found[1]!,
    host: found[2] ?? '',
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
  assert.ok(seen.conflicts > 100 && seen.shadows > 40 && seen.ties > 1000, JSON.stringify(seen));
});

const shadowed = (text: string): string[] => codes(check(text)).filter((code) => code === 'route/shadowed');
const of = (...matches: string[]): string => matches.map((match) => route(match)).join('');

test('shadowed: any method behind all common ones, and not behind some', () => {
  const all = of('GET,POST,PUT,PATCH,DELETE,OPTIONS /a', '/a');
  assert.is(shadowed(all).length, 1);
  assert.match(check(all)[0]!.message, 'hardly ever matches');
  assert.is(shadowed(of('GET,POST /a', '/a')).length, 0);
});

test('shadowed: conditions that are met one way or the other', () => {
  const both = ['{ path = "/a", headers = { x = true } }', '{ path = "/a", headers = { x = false } }'];
  assert.is(shadowed(of(...both, '/a')).length, 1);
  assert.match(check(of(...both, '/a'))[0]!.message, 'can never match');
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

test('of two routes the later in the spec is reported, once', () => {
  const found = check(of('GET,POST,PUT /a', 'POST,PUT,GET /a'));
  assert.equal(codes(found), ['route/duplicate']);
  assert.match(found[0]!.message, '`r1` takes the same requests as `r0`');
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
