/** Several issuers, discovery, the profile of access tokens, revoked tokens, step-up. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DutyHost, Json, Refused } from '../../src/policies/contract.js';
import { createDuty } from '../../src/policies/jwt/duty.js';
import { metadataUrls } from '../../src/policies/kits/jose/discovery.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { CLAIMS, jwt, NOW, type Signer, said, sign, signer, withToken } from './jwt-kit.js';
import { compile, decode, host, lint, noBody, world } from './support.js';

const [one, two] = [await signer('ES256', 'one'), await signer('ES256', 'two')];
type Value = { readonly [name: string]: Json };

const TWO = `audience = "orders"
cooldown = "30s"
[[issuers]]
issuer = "https://one.example"
jwks = "https://one.example/keys"
[[issuers]]
issuer = "https://two.example"
discovery = true
scope = "read"
`;

interface World {
  readonly published: Value[];
  readonly requests: string[];
  now: number;
}

/** The duty of a policy; `replies` by URL. */
function dutyOf(text: string, replies: { [url: string]: unknown }, last?: Json) {
  const facts: World = { published: [], requests: [], now: 1_000_000 };
  const dutyHost: DutyHost = {
    name: 'p',
    clock: { now: () => facts.now, monotonic: () => facts.now },
    random: () => 0.5,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    fetch: async (url) => {
      facts.requests.push(url);
      const found = replies[url];
      if (found instanceof Error) throw found;
      const body = Buffer.from(typeof found === 'string' ? found : JSON.stringify(found ?? {}));
      return { status: found === undefined ? 404 : 200, headers: {}, body };
    },
    publish: (value) => void facts.published.push(JSON.parse(JSON.stringify(value)) as Value),
    last,
  };
  const settings = JSON.parse(JSON.stringify(compile('jwt', text))) as Json;
  const duty = createDuty(settings, dutyHost);
  const around = Object.assign(world(), { wall: NOW * 1000 });
  const ask = (question: Json): Promise<Json> => duty.ask!(question);
  const policy = runHalves['jwt']!(settings, { ...host(around), ask });
  const by = async (who: Signer, claims: object): Promise<string> =>
    said(await policy.authenticate!(withToken(await sign(who, { ...CLAIMS, ...claims })), noBody));
  return Object.assign(facts, { duty, policy, by, around });
}

const metadata = (issuer: string, more: object = {}) => ({ issuer, jwks_uri: `${issuer}/keys`, ...more });
const REPLIES = {
  'https://one.example/keys': { keys: [one.jwk] },
  'https://two.example/.well-known/openid-configuration': metadata('https://two.example'),
  'https://two.example/keys': { keys: [two.jwk] },
};

test('several issuers: the claim iss chooses the keys and the rules', async () => {
  const { duty, published, policy, by, requests } = dutyOf(TWO, REPLIES);
  await duty.run();
  assert.equal([...requests].sort(), Object.keys(REPLIES).sort());
  policy.published!(published.at(-1)!);
  assert.is(await by(one, { iss: 'https://one.example' }), 'identity');
  assert.is(await by(two, { iss: 'https://two.example', scope: 'read' }), 'identity');
  assert.is(await by(two, { iss: 'https://two.example' }), 'The token needs the scope read.');
  // A key of one issuer signs for no other.
  assert.match(await by(two, { iss: 'https://one.example' }), /No known key/);
  assert.match(await by({ ...two, kid: 'one' }, { iss: 'https://one.example' }), /signature of the token/);
  for (const iss of ['https://three.example', 'https://one.example/', undefined, ['https://one.example'], '__proto__'])
    assert.is(await by(one, { iss }), 'The issuer of the token is not accepted.');
  assert.is(await by(one, { iss: 'https://one.example', aud: 'x' }), 'The token is for another audience.');
});

test('an outage of one issuer leaves the others as they are', async () => {
  const replies: { [url: string]: unknown } = {
    ...REPLIES,
    'https://one.example/keys': new Error('connection refused'),
  };
  const { duty, published, policy, by } = dutyOf(TWO, replies);
  const failure = await duty.run().then(
    () => '',
    (error: Error) => error.message,
  );
  assert.is(failure, 'connection refused');
  policy.published!(published.at(-1)!);
  assert.is(await by(two, { iss: 'https://two.example', scope: 'read' }), 'identity');
  assert.is(await by(one, { iss: 'https://one.example' }), 'unavailable');
});

test('a token with an unknown key causes a fetch of the key set of its issuer alone', async () => {
  const replies: { [url: string]: unknown } = { ...REPLIES };
  const test = dutyOf(TWO, replies);
  await test.duty.run();
  test.policy.published!(test.published.at(-1)!);
  const fresh = await signer('ES256', 'fresh');
  replies['https://two.example/keys'] = { keys: [two.jwk, fresh.jwk] };
  test.now += 60_000;
  test.requests.length = 0;
  const before = test.published.length;
  const pending = test.by(fresh, { iss: 'https://two.example', scope: 'read' });
  await pending;
  assert.equal(test.requests, Object.keys(REPLIES).slice(1));
  assert.is(test.published.length, before + 1);
  test.policy.published!(test.published.at(-1)!);
  assert.is(await test.by(fresh, { iss: 'https://two.example', scope: 'read' }), 'identity');
});

test('keys of an earlier generation are taken over by their URL, whatever else has changed', async () => {
  const first = dutyOf(TWO, REPLIES);
  await first.duty.run();
  const next = dutyOf(
    `${TWO}[[issuers]]\nissuer = "https://3.example"\njwks = "https://3.example/keys"\n`,
    {
      'https://3.example/keys': { keys: [one.jwk] },
    },
    first.published.at(-1)!,
  );
  await next.duty.run();
  assert.equal(next.requests, ['https://3.example/keys']);
  assert.is((next.published.at(-1)!['sets'] as Json[]).length, 3);
});

test('explain: key sets by the name of their issuer; a bare key set would be ambiguous', async () => {
  const { policy, by } = dutyOf(TWO, {});
  assert.throws(() => policy.published!({ keys: [one.jwk] as unknown as Json }), /several issuers/);
  const sets = [
    { issuer: 'https://one.example', keys: [one.jwk] },
    { issuer: 'https://two.example', keys: [two.jwk] },
  ];
  policy.published!({ sets } as unknown as Json);
  assert.is(await by(one, { iss: 'https://one.example' }), 'identity');
  assert.match(await by(one, { iss: 'https://two.example' }), /No known key/);
});

test('discovery: OpenID Connect appends to the path of the issuer, RFC 8414 inserts before it', () => {
  assert.equal(metadataUrls('https://id.example.com'), [
    'https://id.example.com/.well-known/openid-configuration',
    'https://id.example.com/.well-known/oauth-authorization-server',
  ]);
  assert.equal(metadataUrls('https://id.example.com/realms/shop/'), [
    'https://id.example.com/realms/shop/.well-known/openid-configuration',
    'https://id.example.com/.well-known/oauth-authorization-server/realms/shop',
  ]);
});

test('discovery: the second place is used if the first has no document; a wrong document fails', async () => {
  const text = 'issuer = "https://id.example"\naudience = "orders"\ndiscovery = true';
  const [openid, oauth] = metadataUrls('https://id.example') as [string, string];
  const keys = { 'https://id.example/keys': { keys: [one.jwk] } };
  const right = dutyOf(text, { [oauth]: metadata('https://id.example'), ...keys });
  await right.duty.run();
  assert.equal(right.requests, [openid, oauth, 'https://id.example/keys']);
  // One key set by itself keeps the form that it always had.
  assert.equal(Object.keys(right.published[0]!).sort(), ['dueAt', 'fetchedAt', 'keys', 'of']);
  right.policy.published!(right.published[0]!);
  assert.is(await right.by(one, { iss: 'https://id.example' }), 'identity');
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [metadata('https://id.example/'), /of another issuer/],
    [metadata('https://evil.example'), /of another issuer/],
    ['<html>', /not JSON/],
    ['[]', /not JSON/],
    [{ issuer: 'https://id.example' }, /no jwks_uri/],
    [metadata('https://id.example', { jwks_uri: 'http://id.example/keys' }), /not an https URL/],
    [metadata('https://id.example', { jwks_uri: 'file:///etc/passwd' }), /not an https URL/],
    [metadata('https://id.example', { jwks_uri: 'https://a:b@id.example/keys' }), /not an https URL/],
    ['{"issuer":"https://evil","issuer":"https://id.example","jwks_uri":"https://evil/keys"}', /not JSON/],
    [undefined, /has status 404/],
  ];
  for (const [document, cause] of cases) {
    const wrong = dutyOf(text, { [openid]: document, ...keys });
    const failure = await wrong.duty.run().then(
      () => 'no failure',
      (error: Error) => error.message,
    );
    assert.match(failure, cause, JSON.stringify(document));
    assert.not.ok(wrong.requests.includes('https://id.example/keys'));
  }
});

test('profile at+jwt: the type and all claims of RFC 9068', async () => {
  const { on } = jwt('issuer = "https://id.example.com"\naudience = "orders"\nprofile = "at+jwt"', { keys: [one.jwk] });
  const claims = { ...CLAIMS, client_id: 'shop', jti: 'j1' };
  const typ = 'at+jwt';
  assert.is(said(await on(await sign(one, claims, { typ }))), 'identity');
  assert.is(said(await on(await sign(one, claims, { typ: 'application/at+jwt' }))), 'identity');
  assert.is(said(await on(await sign(one, claims))), 'The token has no type.');
  assert.is(said(await on(await sign(one, claims, { typ: 'JWT' }))), 'The type of the token is not accepted.');
  for (const name of ['sub', 'client_id', 'jti', 'iat']) {
    const found = said(await on(await sign(one, { ...claims, [name]: undefined }, { typ })));
    assert.is(found, `The token lacks the claim ${name}.`);
  }
  for (const name of ['sub', 'client_id', 'jti'])
    assert.match(said(await on(await sign(one, { ...claims, [name]: 7 }, { typ }))), /is not accepted/);
  assert.is(said(await on(await sign(one, { ...claims, exp: undefined }, { typ }))), 'The token has no expiry.');
});

test('roles, groups and entitlements may have the values of SCIM', async () => {
  const { on } = jwt('claims = { roles = "admin", level = "1" }', { keys: [one.jwk] });
  const withRoles = async (roles: unknown): Promise<string> =>
    said(await on(await sign(one, { ...CLAIMS, level: 1, roles })));
  assert.is(await withRoles([{ value: 'admin', display: 'Administrator' }]), 'identity');
  assert.is(await withRoles(['user', 'admin']), 'identity');
  assert.match(await withRoles([{ display: 'admin' }]), /is not accepted/);
  assert.match(await withRoles({ value: 'admin' }), /is not accepted/);
});

test('revoked tokens, by id, subject, client and time of issue; also those that were verified before', async () => {
  const url = 'https://id.example/revoked';
  const text = `jwks = "https://id.example/keys"\nrevocations = { url = "${url}", stale_for = "10min" }`;
  const replies: { [url: string]: unknown } = {
    'https://id.example/keys': { keys: [one.jwk] },
    [url]: { revoked: [] },
  };
  const test = dutyOf(text, replies);
  assert.is(await test.duty.run(), 60_000);
  const claims = { jti: 'j1', sub: 'ann', client_id: 'shop', iat: NOW - 10 };
  assert.is(await test.by(one, claims), 'unavailable');
  test.policy.published!(test.published.at(-1)!);
  assert.is(await test.by(one, claims), 'identity');
  const cases: readonly (readonly [object, boolean])[] = [
    [{ jti: 'j1' }, true],
    [{ jti: 'j2' }, false],
    [{ sub: 'ann' }, true],
    [{ sub: 'ann', iss: 'https://other.example' }, false],
    [{ sub: 'ann', issued_before: NOW - 9 }, true],
    [{ sub: 'ann', issued_before: NOW - 10 }, false],
    [{ client_id: 'shop' }, true],
    [{ issued_before: NOW }, true],
    [{ jti: 'j1', sub: 'bob' }, false],
  ];
  for (const [entry, revoked] of cases) {
    test.now += 60_000;
    test.around.now += 60_000;
    replies[url] = { revoked: [entry] };
    await test.duty.run();
    test.policy.published!(test.published.at(-1)!);
    assert.is(await test.by(one, claims), revoked ? 'The token is revoked.' : 'identity', JSON.stringify(entry));
  }
  // A list that cannot be used leaves the last one, until it is too old.
  for (const wrong of [
    { revoked: [{}] },
    { revoked: [{ jit: 'x' }] },
    { revoked: 1 },
    { revoked: [{ sub: 1 }] },
    '<',
  ]) {
    replies[url] = wrong;
    test.now += 60_000;
    assert.match(
      await test.duty.run().then(
        () => '',
        (error: Error) => error.message,
      ),
      /^the list of revoked tokens /,
    );
  }
  test.around.now = test.now + 700_000;
  assert.is(await test.by(one, { ...claims, jti: 'other' }), 'unavailable');
});

test('revoked tokens in a file', async () => {
  const list = JSON.stringify({ revoked: [{ jti: 'j1' }, { sub: '17' }, { issued_before: NOW - 1000 }] });
  const keys = JSON.stringify({ keys: [one.jwk] });
  const readFile = (path: string) => ({ text: path === 'revoked.json' ? list : keys });
  const text = 'keys = ["keys.json"]\naudience = "orders"\nrevocations.file = "revoked.json"';
  const settings = JSON.parse(JSON.stringify(compile('jwt', text, { readFile }))) as Json;
  const policy = runHalves['jwt']!(settings, host(Object.assign(world(), { wall: NOW * 1000 })));
  const on = async (claims: object): Promise<string> =>
    said(await policy.authenticate!(withToken(await sign(one, { ...CLAIMS, ...claims })), noBody));
  assert.is(await on({}), 'identity');
  assert.is(await on({ jti: 'j1' }), 'The token is revoked.');
  // Some issuers write a number where RFC 7519 wants a text.
  for (const sub of ['17', 17]) assert.is(await on({ sub }), 'The token is revoked.');
  assert.is(await on({ sub: 18 }), 'identity');
  assert.is(await on({ iat: NOW - 2000 }), 'The token is revoked.');
  assert.is(await on({ iat: undefined }), 'The token is revoked.');
  assert.equal(lint('jwt', text, { readFile }), []);
  assert.equal(lint('jwt', text, { readFile: () => ({ text: keys }) }), ['jwt/revocations revocations.file']);
});

test('step-up: the challenge says how the person must sign in; the age counts for remembered tokens', async () => {
  const text = 'acr_values = ["phr", "mfa"]\nmax_age = "5min"\nleeway = "0s"';
  const { on, around } = jwt(text, { keys: [one.jwk] });
  const right = await sign(one, { ...CLAIMS, acr: 'mfa', auth_time: NOW - 100 });
  assert.is(said(await on(right)), 'identity');
  around.wall = (NOW + 199) * 1000;
  assert.is(said(await on(right)), 'identity');
  around.wall = (NOW + 200) * 1000;
  const late = (await on(right)) as Refused;
  assert.equal([late.problem.status, late.problem.code], [401, 'auth/insufficient-user-authentication']);
  assert.is(
    late.problem.challenge,
    'Bearer realm="api", error="insufficient_user_authentication", error_description="a more recent authentication is required", acr_values="phr mfa", max_age="300"',
  );
  around.wall = NOW * 1000;
  for (const claims of [{ acr: 'pwd', auth_time: NOW }, { auth_time: NOW }, { acr: ['mfa'], auth_time: NOW }])
    assert.match(said(await on(await sign(one, { ...CLAIMS, ...claims }))), /stronger authentication/);
  for (const claims of [{}, { auth_time: 'now' }, { auth_time: NOW - 300 }])
    assert.match(said(await on(await sign(one, { ...CLAIMS, acr: 'phr', ...claims }))), /more recent/);
});

test('lint: several issuers, discovery, the profile, plain http', () => {
  assert.equal(lint('jwt', TWO), []);
  const both = `jwks = "https://x"\n${TWO}`;
  assert.equal(lint('jwt', both), ['jwt/issuers jwks']);
  assert.equal(lint('jwt', 'audience = "a"\n[[issuers]]\njwks = "https://x"'), ['jwt/issuers issuers.0']);
  const same = TWO.replace('two.example', 'one.example');
  assert.equal(lint('jwt', same), ['jwt/issuers issuers.1.issuer']);
  assert.equal(lint('jwt', 'audience = "a"\n[[issuers]]\nissuer = "x"'), ['jwt/keys issuers.0']);
  assert.equal(lint('jwt', '[[issuers]]\nissuer = "x"\njwks = "https://x"'), ['jwt/no-audience issuers.0']);
  assert.equal(lint('jwt', 'audience = "a"\ndiscovery = true'), ['jwt/discovery discovery']);
  assert.equal(lint('jwt', 'audience = "a"\nissuer = ["https://a", "https://b"]\ndiscovery = true'), [
    'jwt/discovery discovery',
  ]);
  assert.equal(lint('jwt', 'audience = "a"\nissuer = "http://a"\ndiscovery = true'), ['jwt/plain-http issuer']);
  assert.equal(lint('jwt', 'audience = "a"\nissuer = "x"\nmetadata = "http://a/m"'), ['jwt/plain-http metadata']);
  assert.equal(lint('jwt', 'jwks = "https://a"\nprofile = "at+jwt"\naudience = "a"'), ['jwt/profile']);
  assert.equal(lint('jwt', 'jwks = "https://a"\naudience = "a"\nrevocations = {}'), ['jwt/revocations revocations']);
  assert.equal(lint('jwt', 'jwks = "https://a"\naudience = "a"\nrevocations.url = "http://a"'), [
    'jwt/plain-http revocations.url',
  ]);
  assert.equal(lint('jwt', 'jwks = "https://a"\naudience = "a"\ndpop = "optional"'), ['jwt/dpop-origin dpop']);
  assert.match(decode('jwt', 'dpop = { origin = "https://a/b" }').errors[0] ?? '', /without a path/);
});

test.run();
