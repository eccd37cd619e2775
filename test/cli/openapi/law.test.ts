/** Import invariants: each allowed request matches a route, an open one only if intended, and the spec validates. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOpenApi } from '../../../src/cli/openapi/index.js';
import { checkSpec } from '../../../src/lint/index.js';
import { judgeImport } from '../../support/imported-spec.js';
import { seededBelow } from '../../support/random.js';
import { gw, inFolder } from '../kit.js';
import { imported, type Json, withPaths } from './kit.js';

const SCHEMAS: readonly Json[] = [
  { type: 'integer' },
  { type: 'integer', minimum: 0 },
  { type: 'integer', enum: [-1, 0, 17] },
  { type: 'number' },
  { type: 'boolean' },
  { type: 'string' },
  { type: 'string', format: 'uuid' },
  { type: 'string', format: 'date' },
  { type: 'string', enum: ['a.b', 'c+d', "o'k"] },
  { enum: ['x/y', 'z'] },
  { type: 'array', items: { type: 'string' } },
  { allOf: [{ type: 'integer' }, { maximum: 9 }] },
  {},
];
const PIECES = ['a', 'b', '{x}', '{y}', '{x}.json', 'v-{y}', '{x},{y}', '{.x}', '{;y}', '', 'caf\u00e9', ':verb'];
const ENDS = ['', '/', '/{z+}', '#p=1', '#p', '#q', '#p&q', '#q=2&p=1', '#H=1', '#unknown'];
const METHODS = ['get', 'post', 'delete', 'x-amazon-apigateway-any-method'];
const SCHEMES = {
  key: { type: 'apiKey', in: 'header', name: 'X-Key' },
  param: { type: 'apiKey', in: 'query', name: 'k' },
  oauth: { type: 'oauth2', flows: {} },
};
const SECURITY: readonly Json[] = [
  undefined,
  [],
  [{}],
  [{ key: [] }],
  [{ oauth: [] }],
  [{ param: [] }, { oauth: [] }],
  [{ key: [], oauth: [] }],
  [{}, { key: [] }],
  [{ oauth: [] }, {}],
];

/** A document with many overlapping paths. */
function randomDocument(seed: number): Json {
  const below = seededBelow(seed);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
  const paths: { [path: string]: { [method: string]: Json } } = {};
  for (let count = 3 + below(12); count > 0; count--) {
    const pieces = Array.from({ length: 1 + below(3) }, () => pick(PIECES));
    const end = pick(ENDS);
    const path = `/${pieces.join('/')}${end}`;
    const names = [...path.split('#')[0]!.matchAll(/\{[.;]?(\w+)\+?\}/g)].map((found) => found[1]!);
    const fragment = (end.split('#')[1] ?? '').split('&').map((part) => part.split('=')[0]!);
    const parameters = [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: pick(SCHEMAS) })),
      ...fragment
        .filter((name) => ['p', 'q', 'H'].includes(name))
        .map((name) => ({ name, in: name === 'H' ? 'header' : 'query', required: true, schema: { type: 'string' } })),
    ];
    const security = pick(SECURITY);
    const operation = {
      parameters,
      tags: [pick(['one', 'two', '\u4e09'])],
      ...(security === undefined ? {} : { security }),
    };
    paths[path] = { ...paths[path], [pick(METHODS)]: operation };
  }
  return withPaths(paths, { components: { securitySchemes: SCHEMES }, security: pick(SECURITY) });
}

test('each request allowed by a random document matches a route, and only intended requests an open route', () => {
  let requests = 0;
  for (let seed = 1; seed <= 70; seed++) {
    const document = randomDocument(seed);
    const { model, spec } = imported(document);
    const report = judgeImport(document, model);
    requests += report.requests;
    if (report.lost.length > 0 || report.opened.length > 0) console.error(JSON.stringify(document, null, 1), spec);
    assert.equal(report.lost, [], `seed ${seed}: lost`);
    assert.equal(report.opened, [], `seed ${seed}: opened`);
  }
  assert.ok(requests > 1_500, `${requests} requests`);
});

test('a document always gives the same spec except for the key', () => {
  const text = JSON.stringify(randomDocument(7));
  const [one, two] = [importOpenApi(text, 'a.json'), importOpenApi(text, 'a.json')];
  const masked = (spec: string): string => spec.replace(/sha256:[0-9a-f]{64}/, 'HASH');
  assert.is(masked(one.spec), masked(two.spec));
});

function manyRoutes(count: number, tagsOf: (index: number) => Json): Json {
  const operation = (index: number): Json => ({
    operationId: `op${index}`,
    tags: tagsOf(index),
    security: [{ oauth: [] }],
  });
  const paths = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`/p${index}/{id}`, { get: operation(index) }]),
  );
  return withPaths(paths, { components: { securitySchemes: SCHEMES } });
}

test('more than 100 routes are split into a file per tag, with safe unique names', () =>
  inFolder({}, async (cwd) => {
    const tags: Json[] = [
      ['Pets'],
      ['pets!'],
      ['../../etc/passwd', 'Pets'],
      ['CON'],
      ['\u4e2d\u6587'],
      ['\u65e5\u672c'],
      [],
      undefined,
      [7, 'x'.repeat(300)],
      ['untagged'],
    ];
    const document = manyRoutes(101, (index) => tags[index % tags.length]);
    writeFileSync(join(cwd, 'api.json'), JSON.stringify(document));
    const { code, out, err } = await gw(['init', 'shop', '--from', 'api.json'], { cwd });
    assert.is(code, 0, err);
    const { value, diagnostics, files } = checkSpec({ path: join(cwd, 'shop', 'gateway.toml') });
    assert.equal(diagnostics, []);
    assert.is(value?.routes.length, 101);
    assert.equal(files.map(({ path }) => path).sort(), [
      'gateway.toml',
      'routes/etc-passwd.toml',
      'routes/pets-2.toml',
      'routes/pets.toml',
      'routes/tag-2.toml',
      'routes/tag-con.toml',
      'routes/tag.toml',
      'routes/untagged-2.toml',
      'routes/untagged.toml',
      `routes/${'x'.repeat(50)}.toml`,
    ]);
    assert.match(out, 'routes/ (9 files, one for each tag)');
    assert.match(out, 'warning: 101 routes ask for an API key of gw instead of `oauth`');
    assert.is(out.split('\n').filter((line) => line.includes('op1')).length, 1);
    assert.equal(judgeImport(document, value!).lost, []);
    const validated = await gw(['validate', 'shop', '--deny-warnings'], { cwd });
    assert.is(validated.code, 0, validated.out);
  }));

test('up to 100 routes go into one file', () => {
  assert.equal(importOpenApi(JSON.stringify(manyRoutes(100, () => ['a'])), 'a.json').files, []);
});

test('many routes with the same id, and many on one path, are imported in bounded time', () => {
  const same = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, index) => [`/p${index}`, { get: { operationId: 'x' } }]),
  );
  const started = Date.now();
  const result = importOpenApi(JSON.stringify(withPaths(same)), 'a.json');
  assert.is(result.routes, 5_000);
  assert.ok(Date.now() - started < 30_000, `${Date.now() - started} ms`);
});

test('existing part files are listed, and nothing is written', () =>
  inFolder({ 'api.json': JSON.stringify(manyRoutes(101, () => ['a'])) }, async (cwd) => {
    const path = join(cwd, 'routes', 'a.toml');
    mkdirSync(dirname(path));
    writeFileSync(path, 'mine');
    const { code, err } = await gw(['init', '--from', 'api.json'], { cwd });
    assert.is(code, 1);
    assert.match(err, '  routes/a.toml');
  }));

test('--from with a URL is an error with a download command', async () => {
  const { code, err } = await gw(['init', '--from', 'https://example.com/v1/openapi.yaml?x=1']);
  assert.is(code, 2);
  assert.match(err, "curl -fsSL -o openapi.yaml 'https://example.com/v1/openapi.yaml?x=1'");
  assert.match(err, 'gw init --from openapi.yaml');
});

test.run();
