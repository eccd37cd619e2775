import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Generator } from '../../src/actions/mock/generate.js';
import { type Data, parseOpenApi } from '../../src/openapi/document.js';
import { runner } from './kit.js';

const HEAD = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:8080"\n';

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  servers: [{ url: 'https://api.example.com/v1' }],
  paths: {
    '/orders/{orderId}': {
      get: {
        operationId: 'getOrder',
        responses: {
          200: {
            description: 'An order',
            headers: { 'X-Rate': { schema: { type: 'integer', const: 5 } }, 'Content-Length': { example: 1 } },
            content: {
              'application/json': {
                examples: { open: { value: { id: 1, state: 'open' } }, paid: { value: { id: 2, state: 'paid' } } },
              },
              'text/plain': { example: 'order 1' },
            },
          },
          404: { $ref: '#/components/responses/Missing' },
          '5XX': { description: 'Failure', content: { 'application/json': { example: { title: 'failed' } } } },
        },
      },
      delete: { responses: { 204: { description: 'Gone' } } },
    },
  },
  components: {
    responses: {
      Missing: { description: 'Missing', content: { 'application/json': { schema: { const: 'missing' } } } },
    },
  },
};

async function withDocument(
  work: (run: (route: string) => ReturnType<typeof runner>) => Promise<void>,
  files: { readonly [name: string]: unknown } = { 'api.json': DOCUMENT },
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-mock-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    }
    await work((route) => runner(`${HEAD}[[route]]\n${route}\n`, join(folder, 'gateway.toml')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a fixed example', async () => {
  const run = runner(`${HEAD}[[route]]\nmatch = "/x"\nmock = { body = '{"a":1}', status = 201 }\n`);
  const reply = await run('POST /x', { prefer: 'code=404' });
  assert.equal([reply.status, reply.body, reply.headers.get('content-type')], [201, '{"a":1}', 'application/json']);
});

test('examples of a document: the first by default, others by Prefer', () =>
  withDocument(async (on) => {
    const run = on('match = "/orders/{id:int}"\nmock = "api.json"');
    const first = await run('GET /orders/7');
    assert.equal([first.status, JSON.parse(first.body)], [200, { id: 1, state: 'open' }]);
    assert.equal([first.headers.get('x-rate'), first.headers.get('vary')], ['5', 'accept, prefer']);
    assert.not.ok(first.headers.has('preference-applied'));
    const paid = await run('GET /orders/7', { prefer: 'respond-async, example="paid"' });
    assert.equal(JSON.parse(paid.body), { id: 2, state: 'paid' });
    assert.is(paid.headers.get('preference-applied'), 'example="paid"');
    const missing = await run('GET /orders/7', { prefer: 'code=404; example=nope' });
    assert.equal([missing.status, JSON.parse(missing.body)], [404, 'missing']);
    assert.is(missing.headers.get('preference-applied'), 'code=404');
    assert.is((await run('GET /orders/7', { prefer: 'code=503' })).status, 503, 'of the class 5XX');
    for (const ignored of ['code=418', 'code=100', 'code=abc', 'code', '', ';,=', 'example='])
      assert.is((await run('GET /orders/7', { prefer: ignored })).status, 200, ignored);
  }));

test('methods choose their operation, and others get 405', () =>
  withDocument(async (on) => {
    const run = on('match = "/orders/{id}"\nmock = "api.json"');
    const gone = await run('DELETE /orders/7');
    assert.equal([gone.status, gone.body, gone.headers.has('content-type')], [204, '', false]);
    assert.is((await run('HEAD /orders/7')).status, 200);
    const patch = await run('PATCH /orders/7');
    assert.equal([patch.status, patch.error, patch.headers.get('allow')], [405, 'mock/method', 'GET, DELETE, HEAD']);
  }));

test('media types are negotiated', () =>
  withDocument(async (on) => {
    const run = on('match = "GET /v1/orders/{id}"\nmock = "api.json"');
    assert.is((await run('GET /v1/orders/7', { accept: 'text/*' })).body, 'order 1');
    assert.is((await run('GET /v1/orders/7', { accept: '*/*' })).headers.get('content-type'), 'application/json');
    assert.equal([(await run('GET /v1/orders/7', { accept: 'image/png' })).error], ['mock/not-acceptable']);
  }));

test('the config chooses operation, status and example', () =>
  withDocument(async (on) => {
    const named = await on('match = "/x"\nmock = { document = "api.json", operation = "getOrder", example = "paid" }')(
      'PUT /x',
    );
    assert.equal(JSON.parse(named.body), { id: 2, state: 'paid' });
    const status = await on(
      'match = "/x"\nmock = { document = "api.json", operation = "GET /orders/{id}", status = 502 }',
    )('GET /x');
    assert.equal([status.status, JSON.parse(status.body)], [502, { title: 'failed' }]);
  }));

const SPLIT = {
  'api.json': { openapi: '3.1.0', paths: { '/pets/{id}': { $ref: 'paths/pets.yaml#/one' } } },
  'paths/pets.yaml': `one:
  get:
    responses:
      "200": { $ref: "../replies.json#/pet" }
      "404": { $ref: "../replies.json#/missing" }
`,
  'replies.json': {
    pet: {
      headers: { 'X-A': { $ref: 'a.yaml#/header' } },
      content: { 'application/json': { schema: { $ref: 'pets/pet.yaml' } } },
    },
    missing: { content: { 'application/json': { examples: { one: { $ref: 'a.yaml#/example' } } } } },
  },
  'a.yaml': 'header: { example: 5 }\nexample: { value: { $ref: "this is data" } }',
  'pets/pet.yaml': `oneOf: [{ $ref: cat.yaml }, { $ref: "dog.yaml" }]
discriminator: { propertyName: kind, mapping: { tom: cat.yaml } }
`,
  'pets/cat.yaml': 'type: object\nrequired: [kind, lives]\nproperties: { kind: { type: string }, lives: { const: 9 } }',
  'pets/dog.yaml': `type: object
required: [kind]
properties: { kind: { type: string }, friend: { $ref: pet.yaml } }
`,
};

test('everything may be in other files, also in a circle', () =>
  withDocument(async (on) => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const run = on(`match = "GET /pets/{id}"\nmock = { document = "api.json", seed = ${seed} }`);
      const reply = await run('GET /pets/7');
      assert.equal([reply.status, reply.headers.get('x-a')], [200, '5']);
      const { kind, lives } = JSON.parse(reply.body) as { kind: string; lives?: number };
      kinds.add(kind);
      assert.is(lives, kind === 'tom' ? 9 : undefined);
      const missing = await run('GET /pets/7', { prefer: 'code=404' });
      assert.equal(JSON.parse(missing.body), { $ref: 'this is data' });
    }
    assert.equal([...kinds].sort(), ['dog', 'tom']);
  }, SPLIT));

for (const gone of Object.keys(SPLIT)) {
  test(`a missing file is found: ${gone}`, () => {
    const { [gone]: _, ...rest } = SPLIT as { readonly [name: string]: unknown };
    return withDocument(async (on) => {
      assert.throws(() => on('match = "GET /pets/{id}"\nmock = "api.json"'), /^mock\/document: .*no such file/);
    }, rest);
  });
}

// ---- Generation ----

const SCHEMAS: Record<string, Data> = {
  Bounds: {
    type: 'object',
    required: ['a', 'b', 'c', 'd', 'e'],
    properties: {
      a: { type: 'integer', minimum: 10, maximum: 12 },
      b: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 0.5 },
      c: { type: 'integer', multipleOf: 7, minimum: 50 },
      d: { type: 'number', multipleOf: 0.1, maximum: -3 },
      e: { type: ['null', 'integer'], exclusiveMinimum: 4, maximum: 5 },
    },
  },
  Texts: {
    type: 'object',
    properties: Object.fromEntries(
      [
        'date-time',
        'date',
        'time',
        'duration',
        'uuid',
        'email',
        'hostname',
        'ipv4',
        'ipv6',
        'uri',
        'uri-reference',
        'json-pointer',
        'regex',
        'byte',
      ]
        .map((format): [string, Data] => [format, { type: 'string', format }])
        .concat([
          ['short', { type: 'string', maxLength: 3 }],
          ['long', { type: 'string', minLength: 40, maxLength: 45 }],
          ['sku', { type: 'string', pattern: '^[A-Z]{3}-\\d{4}$' }],
          ['word', { type: 'string', pattern: '[a-z]+', minLength: 5 }],
          ['part', { type: 'string', pattern: 'x', minLength: 4 }],
          ['begin', { type: 'string', pattern: '^\\d{3}', minLength: 6 }],
          ['end', { type: 'string', pattern: '-(a|b)$', minLength: 6 }],
        ]),
    ),
  },
  Lists: {
    type: 'object',
    properties: {
      few: { type: 'array', items: { type: 'boolean' }, minItems: 3, maxItems: 5 },
      unique: { type: 'array', items: { enum: ['a', 'b', 'c'] }, uniqueItems: true, minItems: 2 },
      tuple: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
      map: { type: 'object', additionalProperties: { type: 'integer' }, minProperties: 2 },
    },
  },
  Node: {
    type: 'object',
    required: ['name', 'children'],
    properties: {
      name: { type: 'string' },
      parent: { $ref: '#/components/schemas/Node' },
      children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
    },
  },
  Cat: {
    type: 'object',
    required: ['kind', 'lives'],
    properties: { kind: { type: 'string' }, lives: { type: 'integer' } },
  },
  Dog: { type: 'object', required: ['kind'], properties: { kind: { type: 'string' } } },
  Pet: {
    oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }],
    discriminator: { propertyName: 'kind', mapping: { cat: '#/components/schemas/Cat' } },
  },
  Named: {
    allOf: [
      { $ref: '#/components/schemas/Dog' },
      { type: 'object', required: ['name'], properties: { name: { type: 'string', minLength: 3 } } },
    ],
  },
};

const document = parseOpenApi(
  JSON.stringify({ openapi: '3.1.0', info: { title: 't', version: '1' }, paths: {}, components: { schemas: SCHEMAS } }),
  'api.json',
);

test('generated values satisfy their schema, for every seed, and are the same for the same seed', () => {
  const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 6 });
  formats.default(ajv);
  ajv.addSchema({ $id: 'root', components: { schemas: SCHEMAS } });
  for (const name of Object.keys(SCHEMAS)) {
    if (name === 'Pet') continue;
    const check = ajv.compile({ $ref: `root#/components/schemas/${name}` });
    const seen = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const value = new Generator(document, seed).generate({ $ref: `#/components/schemas/${name}` }, name);
      assert.ok(check(value), `${name} ${seed}: ${JSON.stringify(value)} ${ajv.errorsText(check.errors)}`);
      assert.equal(new Generator(document, seed).generate({ $ref: `#/components/schemas/${name}` }, name), value);
      seen.add(JSON.stringify(value));
    }
    if (name !== 'Named') assert.ok(seen.size > 1, `${name}: the seed has no effect`);
  }
});

test('a discriminator names the form', () => {
  for (let seed = 0; seed < 20; seed++) {
    const value = new Generator(document, seed).generate({ $ref: '#/components/schemas/Pet' }, 'pet') as {
      kind: string;
    };
    assert.ok('lives' in value ? value.kind === 'cat' : value.kind === 'Dog');
  }
});

test('exclusive bounds and nullable of OpenAPI 3.0', () => {
  for (let seed = 0; seed < 50; seed++) {
    const generator = new Generator(document, seed);
    const value = generator.generate(
      { type: 'integer', minimum: 4, exclusiveMinimum: true, maximum: 6, exclusiveMaximum: true },
      'n',
    );
    assert.is(value, 5);
    assert.type(generator.generate({ type: 'string', nullable: true }, 's'), 'string');
  }
});

test('keys beside a reference count in OpenAPI 3.1', () => {
  const more = { $ref: '#/components/schemas/Dog', required: ['age'], properties: { age: { const: 3 } } };
  const value = new Generator(document, 1).generate(more, 'x') as Record<string, Data>;
  assert.is(value['age'], 3);
  assert.type(value['kind'], 'string');
  assert.is(new Generator(document, 1).generate({ $ref: '#/components/schemas/Dog', example: 1 }, 'x'), 1);
});

test('combined schemas that multiply end with bounded work', () => {
  const schemas = Object.fromEntries(
    Array.from({ length: 13 }, (_, at) => [
      `A${at}`,
      { allOf: new Array<Data>(8).fill({ $ref: `#/components/schemas/A${at + 1}` }) },
    ]),
  );
  const text = JSON.stringify({ openapi: '3.0.3', components: { schemas: { ...schemas, A13: { type: 'object' } } } });
  const start = performance.now();
  new Generator(parseOpenApi(text, 'api.json'), 1).generate({ $ref: '#/components/schemas/A0' }, 'x');
  assert.ok(performance.now() - start < 5000);
});

test('hostile schemas end with bounded work', () => {
  const generator = new Generator(document, 1);
  const wide = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`p${index}`, { $ref: '#/x' }]));
  const evil = parseOpenApi(
    JSON.stringify({ openapi: '3.1.0', x: { type: 'object', properties: wide, required: Object.keys(wide) } }),
    'api.json',
  );
  const start = performance.now();
  new Generator(evil, 1).generate({ $ref: '#/x' }, 'x');
  for (const schema of [
    { $ref: '#/nowhere' },
    { allOf: [{ $ref: '#/components/schemas/Node' }, { $ref: '#/components/schemas/Node' }] },
    { type: 'array', minItems: 1e9, items: { type: 'string' } },
    { type: 'string', minLength: 1e9 },
    { type: 'integer', minimum: 1e308, maximum: -1e308 },
    { type: 'string', pattern: '(a+)+$' },
    { oneOf: [] },
    { type: 'nonsense' },
    false,
    null,
  ] as Data[])
    assert.type(JSON.stringify(generator.generate(schema, 'x')), 'string');
  assert.ok(performance.now() - start < 2000);
  assert.equal(Object.keys(generator.generate({ type: 'object', required: ['__proto__'] }, 'x') as object), [
    '__proto__',
  ]);
});

test.run();
