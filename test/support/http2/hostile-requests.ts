/** Hostile requests in HTTP/2, and what they are in HTTP/1.1: gw must decide the same, and forward the same. */
import type { Fields } from './hpack.js';

export interface HostileRequest {
  readonly what: string;
  readonly fields: Fields;
  readonly body?: string;
}

const METHOD = ':method';
const SCHEME = ':scheme';
const PATH = ':path';
const AUTHORITY = ':authority';

/** A GET with other or further fields; a value of '' as the second argument would be an empty value. */
function get(change: Readonly<Record<string, string>>, ...more: [string, string][]): Fields {
  const base = { [METHOD]: 'GET', [SCHEME]: 'http', [PATH]: '/v', [AUTHORITY]: 'a.example', ...change };
  return [...Object.entries(base), ...more];
}
const field = (name: string, value: string): Fields => get({}, [name, value]);
const post = (body: string, ...more: [string, string][]): Omit<HostileRequest, 'what'> => ({
  fields: get({ [METHOD]: 'POST' }, ...more),
  body,
});
const hex = (char: string): string => `%${char.charCodeAt(0).toString(16)}`;
const chars = (...codes: number[]): string[] => codes.map((code) => String.fromCharCode(code));
const CONTROL = chars(0, 1, 8, 9, 11, 12, 14, 31, 127, 128, 160, 255);
const NO_TOKEN = [...chars(0, 9, 11, 32, 127, 128, 255), ...'"(),/;<=>?@[\\]{}'];

/** A request for each of these values. */
const each = (what: string, values: readonly string[], of: (value: string) => Fields): HostileRequest[] =>
  values.map((value) => ({ what: `${what} ${JSON.stringify(value.slice(0, 40))}`, fields: of(value) }));

/** Requests of which HTTP/1.1 has an equivalent text. */
export const EQUIVALENT: readonly HostileRequest[] = [
  ...each('a value with', CONTROL, (char) => field('x-a', `b${char}c`)),
  ...each('a name with', NO_TOKEN, (char) => field(`x${char}a`, 'b')),
  ...each('a method with', [...CONTROL, ' ', '@', '/', ':'], (char) => get({ [METHOD]: `G${char}T` })),
  ...each('the method', ['get', 'M'.repeat(40), 'PURGE', 'TRACE', 'X'], (name) => get({ [METHOD]: name })),
  ...each('a path with', [...CONTROL, ' ', '#', '"', '<', '>', '\\', '^', '`', '{', '|', '}'], (char) =>
    get({ [PATH]: `/a${char}b` }),
  ),
  ...each('a path with encoded', ['\0', '\r', '\n', '/', '\\', '.', '%', ' ', '\x7f', '?', '#'], (char) =>
    get({ [PATH]: `/a${hex(char).padEnd(3, '0')}b` }),
  ),
  ...each(
    'the path',
    [
      '*',
      'a',
      '//',
      '//b.example/',
      '/a//b',
      '/../',
      '/a/..',
      '/a/../../b',
      '/./a',
      '/a/.',
      '/%2e%2e/a',
      '/%2E/',
      '/..%2fa',
      '/a/..;/b',
      '/%',
      '/%g0',
      '/%00',
      '/a?b?c',
      '/?',
      '/??',
      '/a%0d%0aX: y',
      'http:/a',
      '?a',
      '/@a',
      `/${'a'.repeat(1100)}`,
      `/?${'a'.repeat(5000)}`,
    ],
    (path) => get({ [PATH]: path }),
  ),
  ...each(
    'the host',
    [
      '',
      'u@a.example',
      'u:p@a.example',
      'a.example,b.example',
      'a.example b.example',
      'a.example/x',
      'a.example?x',
      'a.example#x',
      'a.example:',
      'a.example:0',
      'a.example:80',
      'a.example:99999',
      'a.example:8x',
      'a.example:-1',
      'A.EXAMPLE',
      'a.example.',
      '.',
      '..',
      '-',
      'a..b',
      '[::1]',
      '[::1]:80',
      '[::1',
      '::1',
      '[v1.a]',
      '127.0.0.1',
      '0x7f.1',
      'a_b.example',
      'a%2eexample',
      'a\\b',
      '\xe4.example',
      'xn--4ca.example',
      'h'.repeat(300),
    ],
    (host) => get({ [AUTHORITY]: host }),
  ),
  ...each('Expect:', ['100-continue', '100-Continue', '200-ok', '', '100-continue, x'], (value) =>
    get({ [METHOD]: 'POST' }, ['expect', value], ['content-length', '0']),
  ),
  ...each(
    'Content-Length of nothing:',
    ['0', '00', '', '+0', '-0', '-1', '0x0', '0,0', '0, 0', '0 ', '1e0', '0.'],
    (value) => field('content-length', value.trim()),
  ),
  ...each(
    'the field',
    ['x-consumer-name', 'x-consumer_name', 'content_length', 'x_y', 'x-forwarded-for', 'forwarded', 'via'],
    (name) => field(name, '1'),
  ),
  ...each(
    'a value of',
    ['', 'a b', 'a\tb', '\xe4', ' '.repeat(10), 'v'.repeat(3000), 'v'.repeat(5000)].map((one) => one.trim()),
    (value) => field('x-a', value),
  ),
  ...[1, 15, 25, 60].map((count) => ({
    what: `${count} fields`,
    fields: get({}, ...Array.from({ length: count }, (_, at): [string, string] => [`x-${at}`, 'b'])),
  })),
  { what: 'the same field twice', fields: get({}, ['x-a', '1'], ['x-a', '2']) },
  { what: 'the same cookie twice', fields: get({}, ['cookie', 'a=1; a=2']) },
  { what: 'a cookie with a line break', fields: get({}, ['cookie', 'a=1\nb=2']) },
  { what: 'a host field beside that of the connection', fields: get({}, ['x-forwarded-host', 'b.example']) },
  { what: 'a body', ...post('abc', ['content-length', '3']) },
  { what: 'two equal lengths', ...post('abc', ['content-length', '3'], ['content-length', '3']) },
  { what: 'two lengths', ...post('abc', ['content-length', '3'], ['content-length', '2']) },
  { what: 'a list of lengths', ...post('abc', ['content-length', '3, 3']) },
  { what: 'a signed length', ...post('abc', ['content-length', '+3']) },
  { what: 'a length that is no number', ...post('abc', ['content-length', '3x']) },
  { what: 'a length beyond 2^53', ...post('abc', ['content-length', '99999999999999999999']) },
  { what: 'a length with zeros', ...post('abc', ['content-length', '003']) },
  { what: 'a body above max_body', ...post('b'.repeat(3000), ['content-length', '3000']) },
];

/** Requests that only HTTP/2 can say, all of which are against RFC 9113. */
export const MALFORMED: readonly HostileRequest[] = [
  ...each(
    'a value with a line break',
    ['b\r\nx-b: c', 'b\nx-b: c', 'b\rc', '\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
    (value) => field('x-a', value),
  ),
  ...each('a name with a line break', ['x\r\nx-b', 'x: y\r\nhost', 'transfer-encoding: chunked\r\nx'], (name) =>
    field(name, 'b'),
  ),
  ...each('a name in capitals', ['X-A', 'x-A', 'Content-length', 'Host', 'TE'], (name) => field(name, 'trailers')),
  ...each('a name with a colon', ['x:a', ':x', ':status', ':', 'host:', ':path:'], (name) => field(name, 'b')),
  ...each('the pseudo-field twice', [METHOD, SCHEME, PATH, AUTHORITY], (name) => [
    [name, name === PATH ? '/v' : name === METHOD ? 'GET' : name === SCHEME ? 'http' : 'a.example'],
    ...get({}),
  ]),
  ...each('after a field the pseudo-field', [METHOD, SCHEME, PATH, AUTHORITY], (name) => {
    const all = get({});
    return [...all.filter(([one]) => one !== name), ['x-a', 'b'], ...all.filter(([one]) => one === name)];
  }),
  ...each('without the pseudo-field', [METHOD, SCHEME, PATH], (name) => get({}).filter(([one]) => one !== name)),
  ...each('an empty pseudo-field', [METHOD, SCHEME, PATH], (name) => get({ [name]: '' })),
  ...each('the scheme', ['ftp', 'javascript', 'http ', 'http\r\nx: y', 'http://b.example/'], (scheme) =>
    get({ [SCHEME]: scheme }),
  ),
  ...each('the path with a line break', ['/\r\nx: y', '/ HTTP/1.1\r\nhost: b.example\r\n\r\n', '/\n'], (path) =>
    get({ [PATH]: path }),
  ),
  ...each('the absolute path', ['http://a.example/', 'https://a.example/v', 'HTTP://b.example/'], (path) =>
    get({ [PATH]: path }),
  ),
  ...each('the method with a line break', ['GET / HTTP/1.1\r\nhost: x\r\n\r\nGET', 'GET\n'], (name) =>
    get({ [METHOD]: name }),
  ),
  ...each('the authority with a line break', ['a.example\r\nx: y', 'a.example\n'], (host) =>
    get({ [AUTHORITY]: host }),
  ),
  ...each(
    'of one connection the field',
    ['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'transfer-encoding'],
    (name) => field(name, name === 'transfer-encoding' ? 'chunked' : 'x-a'),
  ),
  ...each('te:', ['gzip', 'trailers, gzip', 'chunked', 'trailers;q=1', ''], (value) => field('te', value)),
  ...each('Host beside :authority:', ['b.example', 'a.example:81', 'a.example@b', 'a.example, a.example'], (value) =>
    field('host', value),
  ),
  ...each('a value with space around', [' b', 'b ', '\tb', 'b\t', ' '], (value) => field('x-a', value)),
  { what: 'an empty name', fields: field('', 'b') },
  {
    what: 'two hosts',
    fields: [...get({}).filter(([name]) => name !== AUTHORITY), ['host', 'a.example'], ['host', 'b.example']],
  },
  { what: 'a length without a body', fields: field('content-length', '5') },
  { what: 'a body that is shorter than its length', ...post('abc', ['content-length', '4']) },
  { what: 'a body that is longer than its length', ...post('abc', ['content-length', '2']) },
  { what: 'a body beside a length of 0', ...post('abc', ['content-length', '0']) },
  { what: ':protocol without CONNECT', fields: [[':protocol', 'websocket'], ...get({})] },
  { what: 'CONNECT with :path', fields: get({ [METHOD]: 'CONNECT' }) },
  { what: 'CONNECT without :authority', fields: [[METHOD, 'CONNECT']] },
  {
    what: ':protocol twice',
    fields: [[':protocol', 'websocket'], [':protocol', 'websocket'], ...get({ [METHOD]: 'CONNECT' })],
  },
  { what: 'an empty :protocol', fields: [[':protocol', ''], ...get({ [METHOD]: 'CONNECT' })] },
  { what: 'an unknown :protocol', fields: [[':protocol', 'connect-udp'], ...get({ [METHOD]: 'CONNECT' })] },
  { what: ':protocol with END_STREAM', fields: [[':protocol', 'websocket'], ...get({ [METHOD]: 'CONNECT' })] },
  {
    what: 'a WebSocket with a length',
    fields: [
      [':protocol', 'websocket'],
      ...get({ [METHOD]: 'CONNECT' }),
      ['sec-websocket-version', '13'],
      ['content-length', '3'],
    ],
    body: 'abc',
  },
];
