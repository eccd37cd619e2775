/** Attacks on tokens by name: RFC 8725, RFC 7515 section 10. */
import { createHmac } from 'node:crypto';
import { SignJWT } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLAIMS, forged, jwt, NOW, said, sign, signer, withSecret, withToken } from '../policies/jwt-kit.js';
import { noBody } from '../policies/support.js';

const ec = await signer('ES256', 'k1');
const rsa = await signer('RS256', 'k2');
const keys = [ec.jwk, rsa.jwk];
const base64url = (text: string): string => Buffer.from(text).toString('base64url');

test('alg none, in any case and with any signature', async () => {
  const { on } = jwt('', { keys });
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 0, ['ES256'], undefined]) {
    const token = forged({ alg, kid: 'k1' }, CLAIMS);
    assert.is(said(await on(token)), 'The algorithm of the token is not accepted.', String(alg));
    const unsigned = `${token.slice(0, token.lastIndexOf('.'))}.`;
    assert.is(said(await on(unsigned)), 'The token has no signature.');
  }
});

test('key confusion: HS256 signed with the public key', async () => {
  const { on } = jwt('algorithms = ["ES256", "RS256"]', { keys });
  const texts = [JSON.stringify(rsa.jwk), rsa.jwk.n!, JSON.stringify(ec.jwk)];
  for (const secret of texts) {
    const token = await new SignJWT(CLAIMS).setProtectedHeader({ alg: 'HS256', kid: 'k2' }).sign(Buffer.from(secret));
    assert.is(said(await on(token)), 'The algorithm of the token is not accepted.');
  }
});

test('key confusion: RS256 in the header of a token that another type of key signed', async () => {
  const { on } = jwt('algorithms = ["ES256", "RS256", "PS256"]', { keys });
  const [, payload, signature] = (await sign(ec)).split('.');
  for (const [alg, kid] of [
    ['RS256', 'k2'],
    ['PS256', 'k2'],
    ['RS256', 'k1'],
    ['ES256', 'k2'],
  ] as const) {
    const header = base64url(JSON.stringify({ alg, kid }));
    assert.match(said(await on(`${header}.${payload}.${signature}`)), /signature of the token|No known key/);
  }
});

test('a symmetric key in a key set is never used', async () => {
  const k = base64url('s'.repeat(32));
  const { policy, on } = jwt('jwks = "https://a"', { ask: async () => ({ ok: true, notBefore: 0 }) });
  policy.published!({
    keys: [{ kty: 'oct', kid: 's', alg: 'HS256', k }, ec.jwk as { readonly [name: string]: string }],
  });
  const token = await new SignJWT(CLAIMS)
    .setProtectedHeader({ alg: 'HS256', kid: 's' })
    .sign(Buffer.from('s'.repeat(32)));
  assert.is(said(await on(token)), 'The algorithm of the token is not accepted.');
});

test('kid injection: a kid is only compared with those of the keys', async () => {
  const { on } = jwt('', { keys });
  for (const kid of [
    '../../../../dev/null',
    "' OR '1'='1",
    'http://evil.example/key',
    '__proto__',
    'constructor',
    '\0',
    'k1\0',
    'K1',
  ]) {
    assert.is(said(await on(await sign(ec, CLAIMS, { kid }))), 'No known key verifies the token.', kid);
  }
  for (const kid of ['k'.repeat(2000), 1, {}, ['k1'], null])
    assert.is(said(await on(forged({ alg: 'ES256', kid }, CLAIMS))), 'The key id of the token is malformed.');
});

test('jku, x5u, x5c and an embedded jwk are not followed', async () => {
  const evil = await signer('ES256', 'evil');
  const { on, asked } = jwt('', { keys });
  for (const header of [
    { jwk: evil.jwk },
    { jku: 'http://evil.example/jwks.json' },
    { x5u: 'http://evil.example/cert.pem' },
    { x5c: ['MIIB'] },
  ]) {
    assert.is(said(await on(await sign(evil, CLAIMS, header))), 'No known key verifies the token.');
    assert.is(
      said(await on(await sign({ ...evil, kid: 'k1' }, CLAIMS, header))),
      'The signature of the token is not valid.',
    );
    // A right token may have them.
    assert.is(said(await on(await sign(ec, CLAIMS, header))), 'identity');
  }
  assert.equal(asked, []);
});

test('critical header parameters are refused, also b64', async () => {
  const { on } = jwt('', { keys });
  for (const more of [{ crit: ['exp'], exp: NOW }, { crit: [] }, { crit: ['b64'], b64: false }, { b64: true }])
    assert.match(said(await on(forged({ alg: 'ES256', kid: 'k1', ...more }, CLAIMS))), /critical header parameters/);
});

/** A token with a valid signature over any payload. */
async function signedText(payload: string, header = '{"alg":"HS256"}'): Promise<string> {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}
const SECRET = 's'.repeat(32);

test('duplicate names in the header or the payload, deep nesting, and what is no object', async () => {
  const { runHalves } = await import('../../src/policies/run-registry.js');
  const { host, world } = await import('../policies/support.js');
  const around = Object.assign(world(), { wall: NOW * 1000 });
  const policy = runHalves['jwt']!(withSecret('secret = "${env:S}"', SECRET), host(around));
  const on = async (token: string): Promise<string> => said(await policy.authenticate!(withToken(token), noBody));
  const exp = `"exp":${NOW + 60}`;
  assert.is(await on(await signedText(`{${exp},"sub":"ann"}`)), 'identity');
  assert.is(
    await on(await signedText(`{${exp},"sub":"ann","sub":"root"}`)),
    'The payload of the token has a name twice.',
  );
  assert.is(
    await on(await signedText(`{${exp},"sub":"ann","s\\u0075b":"root"}`)),
    'The payload of the token has a name twice.',
  );
  assert.is(
    await on(await signedText(`{${exp}}`, '{"alg":"HS256","alg":"none"}')),
    'The header of the token has a name twice.',
  );
  assert.is(
    await on(await signedText(`{${exp},"__proto__":{"admin":true}}`)),
    'The payload of the token is not valid JSON.',
  );
  assert.is(
    await on(await signedText(`{${exp},"a":${'['.repeat(100)}${']'.repeat(100)}}`)),
    'The payload of the token is not valid JSON.',
  );
  for (const payload of ['[]', 'null', '"x"', '1', ''])
    assert.match(await on(await signedText(payload)), /The payload of the token is not|malformed/);
  assert.is(await on(await signedText(`{${exp}}`, '[]')), 'The header of the token is not a JSON object.');
  assert.is(await on(await signedText(`{${exp}`)), 'The payload of the token is not valid JSON.');
});

test('oversized tokens are refused before they are read', async () => {
  const { policy, on } = jwt('max_token = "1KiB"', { keys });
  const long = `${'A'.repeat(1025)}`;
  const found = policy.authenticate!(withToken(long), noBody);
  assert.not.instance(found, Promise);
  assert.is(said(await on(long)), 'The token is too long.');
  assert.is(said(await on('A'.repeat(1024))), 'The token is malformed.');
});

test('encrypted and malformed tokens', async () => {
  const { on } = jwt('', { keys });
  assert.is(said(await on('a.b.c.d.e')), 'The token is encrypted, which is not supported.');
  const good = await sign(ec);
  for (const token of [
    'a',
    'a.b',
    'a.b.c.d',
    '..',
    `${good} `.repeat(2),
    good.replace('.', '..'),
    `${good}=`,
    good.replace(/.$/, '+'),
    `é${good}`,
  ])
    assert.match(said(await on(token)), /malformed|no signature|encrypted/, token);
  const [header, payload, signature] = good.split('.');
  assert.match(said(await on(`${header}.${payload}.${signature!.slice(0, -4)}`)), /signature/);
});

test('tokens at the edge of the leeway: accepted until its last millisecond, also if they were verified before', async () => {
  const { on, around } = jwt('leeway = "30s"', { keys });
  const at = async (ms: number, token: string): Promise<string> => {
    around.wall = NOW * 1000 + ms;
    return said(await on(token));
  };
  const expires = await sign(ec, { ...CLAIMS, exp: NOW });
  assert.equal(
    [await at(29_999, expires), await at(30_000, expires), await at(29_999, expires)],
    ['identity', 'The token has expired.', 'identity'],
  );
  const begins = await sign(ec, { ...CLAIMS, nbf: NOW + 30 });
  assert.equal([await at(-1, begins), await at(0, begins)], ['The token is not valid yet.', 'identity']);
  const issued = await sign(ec, { ...CLAIMS, iat: NOW + 30 });
  assert.equal([await at(-1, issued), await at(0, issued)], ['The token was issued in the future.', 'identity']);
});

test('issuer confusion: a key of one trusted issuer signs for no other one', async () => {
  const text = `audience = "orders"
[[issuers]]
issuer = "https://a.example"
keys = ["a.json"]
[[issuers]]
issuer = "https://b.example"
keys = ["b.json"]
algorithms = ["RS256"]`;
  const readFile = (path: string) => ({ text: JSON.stringify({ keys: [path === 'a.json' ? ec.jwk : rsa.jwk] }) });
  const { compile, host, world } = await import('../policies/support.js');
  const { runHalves } = await import('../../src/policies/run-registry.js');
  const settings = JSON.parse(JSON.stringify(compile('jwt', text, { readFile })));
  const policy = runHalves['jwt']!(settings, host(Object.assign(world(), { wall: NOW * 1000 })));
  const on = async (token: string): Promise<string> => said(await policy.authenticate!(withToken(token), noBody));
  const claims = (iss: unknown) => ({ ...CLAIMS, iss });
  assert.is(await on(await sign(ec, claims('https://a.example'))), 'identity');
  assert.is(await on(await sign(rsa, claims('https://b.example'))), 'identity');
  assert.match(await on(await sign(rsa, claims('https://a.example'))), /No known key|signature/);
  assert.match(await on(await sign(ec, claims('https://b.example'))), /algorithm of the token is not accepted/);
  for (const iss of [['https://a.example', 'https://b.example'], 'https://a.example ', 'HTTPS://A.EXAMPLE', undefined])
    assert.is(await on(await sign(ec, claims(iss))), 'The issuer of the token is not accepted.');
  // Two names in one payload: none is chosen.
  const twice = `{"iss":"https://a.example","iss":"https://b.example","aud":"orders","exp":${NOW + 60}}`;
  assert.is(await on(forged({ alg: 'ES256', kid: 'k1' }, twice)), 'The issuer of the token is not accepted.');
});

test('refusals repeat nothing of the token', async () => {
  const { on } = jwt('', { keys });
  const secretish = 'top-secret-subject';
  const found = await on(await sign({ ...ec, kid: 'nope' }, { ...CLAIMS, sub: secretish }, { x: secretish }));
  assert.not.match(JSON.stringify(found), new RegExp(`${secretish}|nope`));
});

test.run();
