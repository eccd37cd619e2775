import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Absent, Exchange, Refused } from '../../../src/policies/contract.js';
import { resourcePath, resourceUrl } from '../../../src/policies/kits/protected-resource.js';
import { CLAIMS, jwt, sign, signer } from '../jwt-kit.js';
import { bodyOf, declaration, decode, exchange, lint, noBody } from '../support.js';

test('the well-known path comes before the path of the API, RFC 9728 section 3.1', () => {
  const cases = [
    ['https://api.example.com', '/.well-known/oauth-protected-resource'],
    ['https://api.example.com/', '/.well-known/oauth-protected-resource'],
    ['https://api.example.com/orders', '/.well-known/oauth-protected-resource/orders'],
    ['https://api.example.com:8443/a/b', '/.well-known/oauth-protected-resource/a/b'],
  ] as const;
  for (const [resource, path] of cases) assert.is(resourcePath(resource), path);
  assert.is(
    resourceUrl('https://api.example.com:8443/a'),
    'https://api.example.com:8443/.well-known/oauth-protected-resource/a',
  );
});

const TEXT = `issuer = ["https://id.example.com", "not a URL"]
resource = "https://api.example.com/orders"
scopes = ["read", "write"]
scope = "read"
header = "authorization"
query = "access_token"
dpop = "required"`;

test('the document has the issuers that are URLs, the scopes, and what tokens must be like', async () => {
  const { policy } = jwt(TEXT);
  assert.equal(bodyOf(await policy.answer!(exchange(), 'resource', new Uint8Array(0))), {
    resource: 'https://api.example.com/orders',
    authorization_servers: ['https://id.example.com'],
    scopes_supported: ['read', 'write'],
    bearer_methods_supported: ['header', 'query'],
    dpop_signing_alg_values_supported: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA'],
    dpop_bound_access_tokens_required: true,
  });
  const methods = async (places: string): Promise<unknown> => {
    const own = jwt(`resource = "https://api.example.com"\n${places}`).policy;
    const document = bodyOf(await own.answer!(exchange(), 'resource', new Uint8Array(0)));
    return (document as { readonly [name: string]: unknown })['bearer_methods_supported'];
  };
  // Only the ways of RFC 6750 are in the document: a client cannot guess another field.
  assert.equal(await methods('header = "x-token"'), []);
  assert.equal(await methods('header = "authorization"\nscheme = "Token"'), []);
  assert.equal(await methods('cookie = "t"'), []);
  assert.equal(await methods('query = "token"\nheader = "Authorization"'), ['header']);
  const paths = (text: string) => declaration('jwt').paths!(decode('jwt', text).config);
  assert.equal(paths(TEXT), [
    { name: 'resource', match: 'GET /.well-known/oauth-protected-resource/orders', at: ['resource'] },
  ]);
  assert.equal(paths(`${TEXT}\nresource_document = false`), []);
  assert.equal(paths('jwks = "https://a"'), []);
});

test('every challenge names the document, and proofs are for the origin of the API', async () => {
  const key = await signer();
  const { policy } = jwt('resource = "https://api.example.com"\ndpop = "optional"', { keys: [key.jwk] });
  const named = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"';
  const challenge = async (on: Exchange): Promise<string> =>
    ((await policy.authenticate!(on, noBody)) as Absent | Refused).problem.challenge ?? '';
  const bearer = (token: string) => exchange({ headers: [['authorization', `Bearer ${token}`]] });
  for (const on of [exchange(), bearer('x'), bearer(await sign(key, { ...CLAIMS, exp: 1 }))])
    assert.is((await challenge(on)).split(named).length, 3);
  assert.equal(lint('jwt', 'jwks = "https://a"\naudience = "a"\ndpop = "optional"\nresource = "https://b"'), []);
});

test('lint: a required scope that the document does not name; URLs that clients could not use', () => {
  const text = 'jwks = "https://a"\naudience = "a"\nresource = "https://b"\nscopes = ["read"]';
  assert.equal(lint('jwt', `${text}\nscope = "read"`), []);
  assert.equal(lint('jwt', `${text}\nscope = "read write"`), ['jwt/unknown-scope scope']);
  for (const url of ['http://api.example.com', 'https://a/?x=1', 'https://a/#f', 'https://u:p@a', 'a', 'ftp://a'])
    assert.is(decode('jwt', `resource = "${url}"`).errors.length, 1, url);
  assert.equal(decode('jwt', 'resource = "http://localhost:8080"').errors, []);
});

test.run();
