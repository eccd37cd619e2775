/** Documents with junk in any place: rejected with one sentence, or a spec that validates without diagnostics. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CommandError } from '../../../src/cli/exit-codes.js';
import { importOpenApi } from '../../../src/cli/openapi/index.js';
import { checkSpec } from '../../../src/lint/index.js';
import { seededBelow } from '../../support/random.js';

type Node = { [key: string]: unknown };

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'A b', version: '1' },
  servers: [
    { url: 'https://{h}.x.com/{b}', variables: { h: { default: 'a' }, b: { enum: ['v1'] } } },
    { url: 'http://y' },
  ],
  security: [{ k: [] }, { o: ['a'] }],
  paths: {
    '/a/{x}/{y}.json': {
      parameters: [
        { name: 'x', in: 'path', style: 'matrix', explode: true, schema: { type: 'integer', enum: [1, 2] } },
      ],
      servers: [{ url: '/z' }],
      get: {
        operationId: 'g',
        tags: ['t'],
        security: [{ k: [], o: [] }],
        parameters: [{ $ref: '#/components/parameters/p' }],
      },
      'x-amazon-apigateway-any-method': {},
    },
    '/b#Q=1&r': {
      post: {
        parameters: [
          { in: 'query', name: 'Q', required: true },
          { in: 'header', name: 'r', required: true },
        ],
      },
    },
    '/c?z=1': { $ref: '#/components/pathItems/c' },
  },
  components: {
    parameters: { p: { name: 'y', in: 'path', schema: { allOf: [{ $ref: '#/components/schemas/S' }] } } },
    schemas: { S: { type: ['string', 'null'], format: 'uuid' } },
    pathItems: { c: { put: {} } },
    securitySchemes: { k: { type: 'apiKey', in: 'header', name: 'X-K' }, o: { type: 'oauth2' } },
  },
};

const WORDS = [
  ...[
    '',
    ' ',
    'x'.repeat(5000),
    '\n[x]\n',
    '"',
    '\u0000\u007f',
    '\u{1f600}\ud800',
    '__proto__',
    'constructor',
    '{',
    '}',
    '{a',
  ],
  ...[
    '../..',
    '%',
    '%2F',
    '#',
    '?',
    '*',
    '/',
    '${env:X}',
    '${X',
    'http://0.0.0.0:8080',
    'http://[::]:9',
    'https://a b.com',
  ],
  ...[
    'https://.x.com',
    'http://a..b',
    'http://x:99999',
    'https://a_b.c',
    'http://-a.com',
    'http://xn--a',
    'ftp://x',
    '//h',
  ],
  ...[
    'http://u@h:1/p?q',
    'localhost:3000',
    'http://127.0.0.1:8080',
    'http://h:0',
    'http://h/a/../b',
    'http://h/%zz',
    'http://h/a b',
  ],
  ...[
    'http://${env:X}',
    'https://h/{p}',
    'http://*.x.com',
    'http://1.2.3',
    'http://0x7f.1',
    'http://h.',
    'http://\u65e5\u672c.jp',
  ],
];
const JUNK: readonly unknown[] = [
  ...WORDS,
  ...[
    null,
    0,
    1.5,
    -1,
    true,
    [],
    {},
    [[]],
    [null],
    { a: {} },
    { $ref: '#' },
    { $ref: '#/paths' },
    { $ref: 7 },
    { $ref: 'x.yaml' },
  ],
];

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** Every table and list, with its keys. */
function places(value: unknown): [Node, string][] {
  if (!isNode(value)) return [];
  return Object.keys(value).flatMap((key): [Node, string][] => [[value, key], ...places(value[key])]);
}

test('documents with junk are rejected with one sentence or give a valid spec', () => {
  let refused = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const below = seededBelow(seed);
    const document = structuredClone(DOCUMENT);
    for (let count = 1 + below(3); count > 0; count--) {
      const all = places(document);
      const [node, key] = all[below(all.length)] ?? [{}, ''];
      const kind = below(4);
      const value = node[key];
      if (kind < 2) delete node[key];
      if (kind === 1 && !Array.isArray(node)) node[`${below(2) === 0 ? '/' : ''}${WORDS[below(WORDS.length)]}`] = value;
      if (kind > 1) node[key] = structuredClone(JUNK[below(JUNK.length)]);
    }
    let spec: string;
    try {
      spec = importOpenApi(JSON.stringify(document), 'a.json').spec;
    } catch (error) {
      assert.instance(error, CommandError, `seed ${seed}: ${error}`);
      refused++;
      continue;
    }
    const { diagnostics } = checkSpec({ path: 'gateway.toml', text: spec });
    assert.equal(diagnostics, [], `seed ${seed}`);
  }
  assert.ok(refused < 60, `${refused} refused`);
});

test.run();
