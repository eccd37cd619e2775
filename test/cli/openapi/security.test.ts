/** Import of `security`: a route is open only if the document says so, and never silently. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { summary } from '../../../src/cli/openapi/notes.js';
import { type Checked, imported, type Json, withPaths } from './kit.js';

const SCHEMES = {
  key: { type: 'apiKey', in: 'header', name: 'X-Key' },
  other: { type: 'apiKey', in: 'header', name: 'X-Other' },
  param: { type: 'apiKey', in: 'query', name: 'api_key' },
  cookie: { type: 'apiKey', in: 'cookie', name: 'session' },
  inCookieField: { type: 'apiKey', in: 'header', name: 'Cookie' },
  badName: { type: 'apiKey', in: 'header', name: 'X Key:' },
  aws: { type: 'apiKey', in: 'header', name: 'Authorization', 'x-amazon-apigateway-authtype': 'awsSigv4' },
  authorizer: { type: 'apiKey', in: 'header', name: 'Authorization', 'x-amazon-apigateway-authorizer': {} },
  basic: { type: 'http', scheme: 'basic' },
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  oauth: { type: 'oauth2', flows: {} },
  oidc: { type: 'openIdConnect', openIdConnectUrl: 'https://example.com' },
  tls: { type: 'mutualTLS' },
  external: { $ref: 'schemes.yaml#/x' },
  circle: { $ref: '#/components/securitySchemes/circle' },
};

const withSecurity = (security: Json, more: object = {}): Checked =>
  imported(
    withPaths(
      { '/a': { get: { operationId: 'a', ...(security === undefined ? {} : { security }) } } },
      { components: { securitySchemes: SCHEMES }, ...more },
    ),
  );

/** Configs of the policies of the first route. */
const policiesOf = ({ model }: Checked): Json[] =>
  (model.routes[0]?.policies ?? []).map(({ policy }) => {
    const { header, query, optional } = policy.config as { header?: string; query?: string; optional: boolean };
    return { ...(header ? { header } : {}), ...(query ? { query } : {}), ...(optional ? { optional } : {}) };
  });

for (const [what, security, policies] of [
  ['a key in a header', [{ key: [] }], [{ header: 'X-Key' }]],
  ['a key in the query', [{ param: [] }], [{ query: 'api_key' }]],
  ['either of the two', [{ key: [] }, { param: [] }], [{ header: 'X-Key', query: 'api_key' }]],
  ['two keys together', [{ key: [], param: [] }], [{ header: 'X-Key' }, { query: 'api_key' }]],
  ['a key, or nothing', [{}, { key: [] }], [{ header: 'X-Key', optional: true }]],
  ['a table where a list should be', { key: [] }, [{ header: 'X-Key' }]],
  ['a name where a table should be', ['key'], [{ header: 'X-Key' }]],
] as const) {
  test(`security: ${what}`, () => {
    const result = withSecurity(security);
    assert.equal(policiesOf(result), policies);
    assert.equal(
      result.remarks.filter(({ warning }) => warning),
      [],
    );
    assert.ok(result.apiKey);
  });
}

for (const name of [
  'cookie',
  'inCookieField',
  'badName',
  'aws',
  'authorizer',
  'basic',
  'bearer',
  'oauth',
  'oidc',
  'tls',
  'external',
  'circle',
  'missing',
]) {
  test(`security: the scheme ${name}, which gw cannot check, leaves no route open`, () => {
    const result = withSecurity([{ [name]: [] }]);
    assert.equal(policiesOf(result), [{ header: 'x-api-key' }]);
    const [warning] = result.remarks.filter((note) => note.warning);
    assert.match(warning?.text ?? '', new RegExp(`^\`a\` \\(GET /a\\): the document asks for ${name} `));
    assert.match(result.spec, new RegExp(`^# The document asks for ${name} .*, which gw cannot check`, 'm'));
  });
}

test('invalid security leaves no route open', () => {
  for (const security of [[null], [1], 7, [[]], 'x']) {
    const result = withSecurity(security);
    assert.is(policiesOf(result).length, 1, JSON.stringify(security));
    assert.is(result.remarks.filter(({ warning }) => warning).length, 1);
  }
});

test('security: a supported scheme is checked next to an unsupported one', () => {
  const both = withSecurity([{ key: [], oauth: ['read'] }]);
  assert.equal(policiesOf(both), [{ header: 'X-Key' }]);
  assert.match(both.notes[0] ?? '', 'the document asks for oauth (oauth2: read) as well, which gw cannot check');
  const either = withSecurity([{ oauth: [] }, { key: [] }, { other: [] }]);
  assert.equal(policiesOf(either), [{ header: 'X-Key' }]);
  assert.match(
    either.notes[0] ?? '',
    'also accepts oauth (oauth2) or other (apiKey in header X-Other); this route does not',
  );
});

test('security: optional credentials that gw cannot check leave the route open, with a warning', () => {
  const result = withSecurity([{ oauth: [] }, {}]);
  assert.equal(policiesOf(result), []);
  assert.ok(result.remarks[0]?.warning);
  assert.match(result.spec, '# Open: oauth (oauth2) is optional, and gw cannot check it.');
  // A token in this header would be refused as a wrong key.
  const field = { type: 'apiKey', in: 'header', name: 'Authorization' };
  const mixed = withSecurity([{ field: [] }, { oauth: [] }, {}], {
    components: { securitySchemes: { ...SCHEMES, field } },
  });
  assert.equal(policiesOf(mixed), []);
});

test('security: the header for gw keys is not used by the document', () => {
  const schemes = { ...SCHEMES, own: { type: 'apiKey', in: 'header', name: 'X-API-Key' } };
  const result = withSecurity([{ oauth: [] }], { components: { securitySchemes: schemes } });
  assert.equal(policiesOf(result), [{ header: 'x-gateway-key' }]);
});

test('security: document, path and operation levels apply; open routes next to guarded ones are listed', () => {
  const result = imported(
    withPaths(
      {
        '/inherits': { get: { operationId: 'inherits' } },
        '/own': { get: { operationId: 'own', security: [{ other: [] }] } },
        '/open': { get: { operationId: 'open', security: [] } },
        '/nothing': { post: { operationId: 'nothing', security: [{}] } },
        '/null': { get: { operationId: 'null', security: null } },
        '/item': { security: [{ param: [] }], get: { operationId: 'item' } },
      },
      { components: { securitySchemes: SCHEMES }, security: [{ key: [] }] },
    ),
  );
  const policies = result.model.routes.map(
    ({ name, policies: list }) => `${name}: ${list.map(({ policy }) => policy.name)}`,
  );
  assert.equal(policies, ['inherits: key', 'own: other', 'open: ', 'nothing: ', 'null: key', 'item: param']);
  assert.equal(result.notes, [
    '`open` is open: the document says that no credentials are needed.',
    '`nothing` is open: the document says that no credentials are needed.',
  ]);
  assert.match(result.spec, '# Open: the document says that no credentials are needed.\n[[route]]\nname = "open"');
});

test('security: a document without security gives one note', () => {
  const without = imported(withPaths({ '/a': { get: {} }, '/b': { get: {} } }));
  assert.is(without.openness, 'All 2 routes are open: the document does not mention credentials here.');
  assert.match(without.spec, '# All 2 routes are open');
  assert.is(without.apiKey, undefined);
  assert.equal(without.notes, []);
  assert.match(
    withSecurity(undefined).notes[0] ?? '',
    /describes the credentials `key`, .* but no operation asks for them/,
  );
});

test('security: of two operations on the same requests the stricter one applies', () => {
  const result = imported(
    withPaths(
      {
        '/p/{id}': { get: { operationId: 'first', security: [] } },
        '/p/{name}': { get: { operationId: 'second', security: [{ key: [] }] } },
        '/q#a': { get: { operationId: 'qa', security: [], parameters: [{ name: 'a', in: 'query', required: true }] } },
        '/q#b': { get: { operationId: 'qb', parameters: [{ name: 'b', in: 'query', required: true }] } },
      },
      { components: { securitySchemes: SCHEMES }, security: [{ key: [] }] },
    ),
  );
  for (const route of result.model.routes) assert.is(route.policies.length, 1, route.name);
  assert.match(result.notes.join('\n'), 'The document asks for other credentials there; the stricter ones hold.');
  assert.match(result.notes.join('\n'), '`qa`: a request could also be meant for `qb`');
});

test('many routes with the same gap give one line on the terminal, and a comment each in the spec', () => {
  const operation = (index: number): Json => ({ get: { operationId: `op${index}`, security: [{ oauth: [] }] } });
  const paths = Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`/p${index}`, operation(index)]));
  const result = imported(withPaths(paths, { components: { securitySchemes: SCHEMES } }));
  assert.equal(summary(result.remarks), [
    {
      warning: true,
      text: '90 routes ask for an API key of gw instead of `oauth`, which gw cannot check: op0, op1, op2 and 87 more. Comments in the spec mark each of them.',
    },
  ]);
  assert.is(result.spec.match(/^# The document asks for oauth \(oauth2\), .*\n\[\[route\]\]$/gm)?.length, 90);
});

test.run();
