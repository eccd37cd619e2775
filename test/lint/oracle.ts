/** Oracle for precedence: a direct implementation of the rules that tries every route on every request of a small world. */
import * as assert from 'uvu/assert';
import { acceptsText } from '../../src/schema/regex/dfa.js';
import type { ConditionModel, Model, RouteModel, SegmentModel } from '../../src/spec/model.js';
import { checked, HEAD, ORDERS, route } from './kit.js';

export interface Request {
  readonly method: string;
  readonly host: string;
  readonly listener: string;
  readonly segments: readonly string[];
  readonly values: { readonly [name: string]: string | undefined };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'];
export const LISTENERS = ['main', 'internal'];
const WORDS = ['1', 'ab', 'zz', 'x.y'];
const VALUES = [undefined, '1', '12'];
const SCHEMES = ['http', 'https'];

/** The scheme alternates: all combinations with both schemes would only take longer. */
function* requests(): Generator<Request> {
  let count = 0;
  const paths = [[''], ...WORDS.map((word) => [word]), ...WORDS.flatMap((a) => ['', '1', 'ab'].map((b) => [a, b]))];
  for (const host of ['', 'a.test', 'b.test'])
    for (const listener of LISTENERS)
      for (const segments of paths)
        for (const method of METHODS)
          for (const header of VALUES)
            for (const query of VALUES)
              yield {
                method,
                host,
                listener,
                segments,
                values: { 'scheme ': SCHEMES[count++ % 2], 'header x': header, 'query q': query },
              };
}
export const WORLD = [...requests()];

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

/** Negative if the host does not match. */
function rankOfHost(pattern: string, { host }: Request): number {
  if (pattern.startsWith('*.')) return host.endsWith(pattern.slice(1)) ? 1 : -1;
  return pattern === host ? 2 : -1;
}

/** Precedence as numbers, the most significant first; undefined if the route does not match. */
export function rank({ match, listeners }: RouteModel, request: Request): number[] | undefined {
  if (listeners.length > 0 && !listeners.some(({ name }) => name === request.listener)) return undefined;
  const hostRank = Math.max(...(match.hosts.length === 0 ? [0] : match.hosts.map((host) => rankOfHost(host, request))));
  if (hostRank < 0) return undefined;
  const named = match.methods.includes(request.method);
  const byGet = request.method === 'HEAD' && match.methods.includes('GET');
  if (match.methods.length > 0 && !named && !byGet) return undefined;
  if (!pathMatches(match.segments, request.segments)) return undefined;
  if (!match.conditions.every((condition) => meets(condition, request))) return undefined;
  const path = [0, 1, 2].map((index) => {
    const segment = match.segments[index];
    return segment ? KINDS[segment.kind] : -1;
  });
  const headers = match.conditions.filter(({ on }) => on !== 'query').length;
  return [hostRank, ...path, named ? 2 : byGet ? 1 : 0, headers, match.conditions.length - headers];
}

export function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!;
  return 0;
}

/** The routes that match a request with the highest precedence; several if they are equal. */
export function winners(model: Model, request: Request): RouteModel[] {
  let best: number[] | undefined;
  let routes: RouteModel[] = [];
  for (const candidate of model.routes) {
    const candidateRank = rank(candidate, request);
    if (!candidateRank) continue;
    const order = best ? compareRanks(candidateRank, best) : 1;
    if (order > 0) routes = [candidate];
    else if (order === 0) routes.push(candidate);
    if (order > 0) best = candidateRank;
  }
  return routes;
}

export function generator(seed: number): () => number {
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

const HOSTS = ['"a.test"', '"*.test"', '["a.test", "b.test"]', '["b.test", "*.test"]'];
/** Most routes are on all listeners, so that enough of them overlap. */
const BOUND = [...Array<string>(7).fill(''), '"main"', '"internal"', '"main", "internal"'].map((names) =>
  names === '' ? '' : `listeners = [${names}]\n`,
);

function randomMatch(random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const segments = [pick(SEGMENTS)];
  if (random() < 0.15) segments.push(pick(SEGMENTS).replace('{p', '{q'));
  if (random() < 0.15) segments.push('{rest...}');
  const parts = [`path = "/${segments.join('/')}"`];
  if (random() < 0.15) parts.push(`host = ${pick(HOSTS)}`);
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
  if (random() < 0.2) parts.push(`scheme = "${pick(SCHEMES)}"`);
  return `{ ${parts.join(', ')} }`;
}

export function randomModel(random: () => number): Model {
  const count = 6 + Math.floor(random() * 12);
  const routes = Array.from(
    { length: count },
    () => route(randomMatch(random)) + BOUND[Math.floor(random() * BOUND.length)],
  );
  const internal = '[listener.internal]\naddress = "127.0.0.1:9090"\n';
  const text = HEAD + internal + ORDERS + routes.join('');
  const model = checked(text.replace(/name = ".*"\n/g, '')).value;
  assert.ok(model);
  assert.is(model.routes.length, count);
  return model;
}
