/** Random requests close to the routes of a spec: most match a route, many miss one narrowly. */
import type { Model, RouteModel, SegmentModel } from '../../src/spec/model.js';
import { KEYS, PASSWORDS, TOKENS } from './identities.js';
import type { Random } from './random.js';
import { HEADER_NAMES, HOSTS, METHODS, QUERY_NAMES, WORDS } from './random-spec.js';

export interface RandomRequest {
  readonly method: string;
  readonly url: string;
  readonly version: '1.0' | '1.1';
  /** The exact fields; nothing is added. */
  readonly addHost: false;
  /** Host first, if present. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

const VALUES = ['1', '2', 'ab', 'abc', '77', 'x', '', 'é', 'ab€', '日本'];
const SEGMENTS = [
  ...WORDS,
  '0',
  '7',
  '42',
  '007',
  'x9',
  'a.b',
  'A',
  'a%20b',
  '%41',
  '%7e',
  '%e2%82%ac',
  'a;b=1',
  '0f8fad5b-d9cb-469f-a165-70867728950e',
  '0F8FAD5B-D9CB-469F-A165-70867728950E',
];
/** Path segments that depend on normalization. */
const ODDITIES = ['.', '..', '%2e', '%2E%2e', '', 'a%2Fb', 'a%5cb', '%00', '%', '%zz', '%25'];

export function randomRequest(random: Random, model: Model): RandomRequest {
  const route = random.pick(model.routes);
  const host =
    random.chance(0.8) && route.match.hosts.length > 0
      ? hostFor(random, random.pick(route.match.hosts))
      : random.pick(HOSTS);
  const version = random.chance(0.06) ? '1.0' : '1.1';
  const absolute = random.chance(0.1) ? `${random.pick(['http', 'http', 'HTTP', 'https'])}://${host}` : '';
  const named = absolute !== '' && random.chance(0.5) ? random.pick(HOSTS) : host;
  const headers: [string, string][] = [];
  if (!random.chance(version === '1.0' ? 0.5 : 0.02))
    headers.push(['host', random.chance(0.1) ? `${named.toUpperCase()}:8080` : named]);
  const query = conditions(random, route, headers);
  credentials(random, headers, query);
  forwardingFields(random, headers);
  if (random.chance(0.15)) headers.push(['origin', random.pick(ORIGINS)]);
  if (random.chance(0.04)) headers.push(['x-name', random.pick(VALUES)]);
  const method = methodFor(random, route, headers);
  const body = bodyFor(random, method);
  if (body !== '' || method === 'POST' || method === 'PUT' || method === 'PATCH')
    headers.push(['content-length', String(body.length)]);
  if (random.chance(0.5)) headers.push(['accept', random.pick(ACCEPTED)]);
  if (random.chance(0.6)) headers.push(['accept-encoding', random.pick(CODINGS)]);
  const suffix = query.length > 0 ? `?${query.join('&')}` : random.chance(0.03) ? '?' : '';
  const bodiless = !headers.some(([name]) => name === 'content-length');
  if (bodiless && random.chance(0.03)) headers.push(...random.pick(UPGRADES));
  return { method, url: `${absolute}${pathFor(random, route)}${suffix}`, version, addHost: false, headers, body };
}

const ACCEPTED = [
  '*/*',
  'text/html',
  'application/json',
  'text/html;q=0.5, application/json',
  'image/png',
  'text/*, */*;q=0.1',
];
const CODINGS = ['gzip', 'br;q=0.9, gzip', '*', 'identity', 'gzip;q=0, identity;q=0'];

/** Text in ASCII. */
function bodyFor(random: Random, method: string): string {
  const usual = method === 'POST' || method === 'PUT' || method === 'PATCH';
  if (!random.chance(usual ? 0.7 : 0.03)) return '';
  return random.pick([
    '{"a": 1}',
    'x',
    'a=b&c=d',
    'x'.repeat(99),
    'y'.repeat(101),
    'GET / HTTP/1.1\r\n\r\n',
    'z'.repeat(20_000),
  ]);
}

const ORIGINS = ['https://app.example.com', 'https://other.example.com', 'https://evil.example'];
const UPGRADES: readonly (readonly [string, string][])[] = [
  [
    ['connection', 'upgrade'],
    ['upgrade', 'websocket'],
  ],
  [
    ['connection', 'keep-alive, Upgrade'],
    ['upgrade', 'a/1, b'],
  ],
  [
    ['connection', 'upgrade'],
    ['upgrade', 'h2c'],
  ],
  [['upgrade', 'websocket']],
];

/** Forwarding fields, as sent by proxies or forged by clients. */
function forwardingFields(random: Random, headers: [string, string][]): void {
  if (random.chance(0.12)) headers.push(['x-forwarded-for', random.some(NODES, 3).join(', ') || 'unknown']);
  if (random.chance(0.12)) headers.push(['x-forwarded-proto', random.some(SCHEMES, 3).join(', ')]);
  if (random.chance(0.06)) headers.push(['x-forwarded-host', random.pick(['front.example', 'a.example, b.example'])]);
  if (random.chance(0.12)) headers.push(['forwarded', random.some(ELEMENTS, 2).join(', ')]);
}

const NODES = ['9.9.9.9', '10.0.0.1', '10.0.0.2', '6.6.6.6:80', '[2001:db8::1]', '_hidden'];
const SCHEMES = ['http', 'https', 'HTTPS', 'junk'];
const ELEMENTS = [
  'for=9.9.9.9;proto=https;host=front.example',
  'for=10.0.0.1;host="In.Example:81"',
  'for="[2001:db8::1]";proto=http',
  'for=_x;host=_y',
  'for=9.9.9.9;for=8.8.8.8',
];

function methodFor(random: Random, route: RouteModel, headers: [string, string][]): string {
  if (random.chance(0.08)) {
    const asked = random.chance(0.6) && route.match.methods.length > 0 ? route.match.methods : METHODS;
    headers.push(['access-control-request-method', random.pick(asked)]);
    if (!headers.some(([name]) => name === 'origin')) headers.push(['origin', random.pick(ORIGINS)]);
    if (random.chance(0.3)) headers.push(['access-control-request-headers', random.pick(HEADER_NAMES)]);
    return 'OPTIONS';
  }
  if (random.chance(0.07)) return 'HEAD';
  if (random.chance(0.75) && route.match.methods.length > 0) return random.pick(route.match.methods);
  return random.pick([...METHODS, 'GET', 'PROPFIND']);
}

function hostFor(random: Random, pattern: string): string {
  if (!pattern.startsWith('*.')) return pattern;
  return `${random.pick(['one', 'two.three', 'API'])}${pattern.slice(1)}`;
}

function pathFor(random: Random, route: RouteModel): string {
  const segments = route.match.segments.map((segment) => segmentFor(random, segment));
  if (random.chance(0.15)) segments.splice(random.index(segments.length + 1), 0, random.pick(SEGMENTS));
  if (random.chance(0.08)) segments.splice(random.index(segments.length + 1), 0, random.pick(ODDITIES));
  if (random.chance(0.08)) segments.splice(random.index(segments.length), 1);
  if (random.chance(0.08)) segments.push('');
  return `/${segments.join('/')}`;
}

function segmentFor(random: Random, segment: SegmentModel): string {
  if (segment.kind === 'literal') {
    return random.chance(0.95) ? escaped(random, segment.text) : random.pick(SEGMENTS);
  }
  if (segment.kind === 'tail') {
    return Array.from({ length: random.index(4) }, () => random.pick(SEGMENTS)).join('/');
  }
  if (segment.kind === 'typed' && random.chance(0.7)) {
    const fitting: Record<string, string> = { int: '42', uuid: '0f8fad5b-d9cb-469f-a165-70867728950e' };
    return fitting[segment.type] ?? random.pick(['ab', 'x12', 'y', 'a-1']);
  }
  return random.pick(SEGMENTS);
}

/** The same segment, sometimes with a letter percent-encoded: RFC 3986 calls the two equivalent. */
function escaped(random: Random, text: string): string {
  if (text === '' || !random.chance(0.1)) return text;
  const at = random.index(text.length);
  const code = text.charCodeAt(at).toString(16);
  return `${text.slice(0, at)}%${random.chance(0.5) ? code : code.toUpperCase()}${text.slice(at + 1)}`;
}

function conditions(random: Random, route: RouteModel, headers: [string, string][]): string[] {
  const query: string[] = [];
  for (const { on, name } of route.match.conditions) {
    if (!random.chance(0.8)) continue;
    if (on === 'scheme') {
      headers.push(['x-forwarded-proto', random.pick(SCHEMES)]);
      continue;
    }
    if (on === 'header') headers.push([random.chance(0.3) ? name.toUpperCase() : name, random.pick(VALUES)]);
    else query.push(`${name}=${encodeURIComponent(random.pick(VALUES))}`);
    if (on === 'query' && random.chance(0.3)) query.push(`${name}=${encodeURIComponent(random.pick(VALUES))}`);
  }
  if (random.chance(0.1)) headers.push([random.pick(HEADER_NAMES), random.pick(VALUES)]);
  if (random.chance(0.1)) query.push(`${random.pick(QUERY_NAMES)}=${encodeURIComponent(random.pick(VALUES))}`);
  if (random.chance(0.05)) query.push(random.pick(['page', '%70age=1', 'q=a%20b+c', '=', '&&', 'other=1']));
  return query;
}

function credentials(random: Random, headers: [string, string][], query: string[]): void {
  if (random.chance(0.45)) headers.push(['x-api-key', random.pick(KEYS)]);
  if (random.chance(0.15))
    headers.push(['Authorization', `${random.pick(['Bearer', 'bearer', 'Basic'])} ${random.pick(KEYS)}`]);
  if (random.chance(0.2))
    headers.push(['authorization', random.chance(0.7) ? `Bearer ${random.pick(TOKENS)}` : random.pick(PASSWORDS)]);
  if (random.chance(0.25)) query.push(`key=${random.pick(KEYS)}`);
}
