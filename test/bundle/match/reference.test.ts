/** The trie compared with a direct implementation of the rules of precedence that checks every route separately. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MatchIR, SegmentIR } from '../../../src/bundle/types.js';
import { seededBelow } from '../../support/random.js';
import { DFAS, matcherOf, matchIR, params, view } from '../kit.js';

const KINDS = ['literal', 'typed', 'param', 'tail'];

const PATTERNS = DFAS.map(({ source }) => new RegExp(`^(?:${source})$`));
const acceptsText = (dfa: number, text: string): boolean => PATTERNS[dfa]!.test(text);

/** The values of the parameters, or undefined if the path does not match. */
function pathValues(segments: readonly SegmentIR[], path: string): string[] | undefined {
  const texts = path.slice(1).split('/');
  const values: string[] = [];
  for (const [i, segment] of segments.entries()) {
    if (segment.kind === 'tail') {
      if (i >= texts.length) return undefined;
      values.push(texts.slice(i).join('/'));
      return values;
    }
    const text = texts[i];
    if (text === undefined) return undefined;
    if (segment.kind === 'literal') {
      if (text !== segment.text) return undefined;
    } else if (text === '' || (segment.kind === 'typed' && !acceptsText(segment.dfa, text))) {
      return undefined;
    } else {
      values.push(text);
    }
  }
  return segments.length === texts.length ? values : undefined;
}

function hostClass(pattern: string | undefined, host: string): string | undefined {
  if (pattern === undefined) return '2';
  if (pattern === host) return '0';
  if (!pattern.startsWith('*.') || !host.endsWith(pattern.slice(1)) || host.length < pattern.length) return undefined;
  return `1${String(999 - pattern.length)}`;
}

function methodStep(methods: readonly string[], method: string): string | undefined {
  if (methods.length === 0) return '2';
  if (methods.includes(method)) return '0';
  return method === 'HEAD' && methods.includes('GET') ? '1' : undefined;
}

/** Route and parameters by the rules; undefined keys if two routes have equal precedence. */
function reference(matches: readonly MatchIR[], request: { method: string; host: string; path: string }) {
  const found: { route: number; key: string; values: string[] }[] = [];
  let pathTaken = false;
  for (const match of matches) {
    const { route } = match;
    const host = hostClass(match.host, request.host);
    const values = pathValues(match.segments, request.path);
    if (host === undefined || values === undefined) continue;
    pathTaken = true;
    const step = methodStep(match.methods, request.method);
    if (step === undefined) continue;
    const kinds = match.segments.map((segment) => KINDS.indexOf(segment.kind)).join('');
    found.push({ route, key: `${host} ${kinds} ${step}`, values });
  }
  found.sort((a, b) => (a.key < b.key ? -1 : 1));
  const tied = found.filter((other) => other.key === found[0]!.key).map((other) => other.route);
  return { routes: tied, values: found[0]?.values ?? [], none: pathTaken ? -2 : -1 };
}

test('the trie agrees with the rules, on random routes and requests', () => {
  const next = seededBelow(2024);
  const pick = <T>(items: readonly T[]): T => items[next(items.length)]!;
  const pieces = ['a', 'b', 'ab', '1', '', '{x}', '{x:int}', '{x:lower}', '{x:word}'];
  const values = ['a', 'b', 'ab', '1', '12', 'a1', '', '-', 'abc'];
  const hosts = ['', '', 'h.test', '*.test', '*.h.test'];
  let matched = 0;
  let refused = 0;
  for (let table = 0; table < 80; table++) {
    const texts = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const path = Array.from({ length: 1 + next(4) }, () => pick(pieces));
      if (next(6) === 0) path.push('{rest...}');
      texts.add(`${pick(['', 'GET ', 'PUT ', 'GET,PUT ', 'HEAD '])}${pick(hosts)}/${path.join('/')}`);
    }
    const routes = [...texts];
    const matcher = matcherOf(routes);
    const matches = routes.map(matchIR);
    for (let i = 0; i < 150; i++) {
      const path = Array.from({ length: 1 + next(5) }, () => pick(values)).join('/');
      const text = `${pick(['GET', 'PUT', 'HEAD', 'POST'])} ${pick(['h.test', 'x.test', 'a.h.test', 'other'])}/${path}`;
      const request = view(text);
      const expected = reference(matches, request);
      const route = matcher.match(request);
      if (expected.routes.length === 0) {
        assert.is(route, expected.none, text);
        refused++;
      } else {
        assert.ok(expected.routes.includes(route), `${text}: ${routes[route]}, not ${routes[expected.routes[0]!]}`);
        if (expected.routes.length === 1) assert.equal(params(matcher, request), expected.values, text);
        matched++;
      }
    }
  }
  assert.ok(matched > 1500 && refused > 1500, `${matched} matched, ${refused} refused`);
});

test.run();
