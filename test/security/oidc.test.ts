/** Attacks on logins and sessions, by name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../src/policies/contract.js';
import { signer } from '../policies/jwt-kit.js';
import { Browser, ISSUER, LoginPolicy, locationOf, SITE } from '../policies/oidc-kit.js';
import { exchange, noBody, world } from '../policies/support.js';

const NAME = '__Host-gw-login';

test('login CSRF: a reply to a login of another browser is refused', async () => {
  const login = await LoginPolicy.create();
  const [attacker, victim] = [new Browser(), new Browser()];
  const state = (await login.begin(attacker)).searchParams.get('state')!;
  // The attacker lets the victim open the callback with the code of the attacker.
  const refused = await login.callback(victim, { code: 'c', state });
  assert.equal([refused.status, victim.cookies.size], [400, 0]);
  // Also if the victim has begun a login too.
  await login.begin(victim);
  assert.is((await login.callback(victim, { code: 'c', state })).status, 400);
  assert.equal(
    login.asked.filter(({ do: what }) => what === 'code'),
    [],
  );
});

test('login CSRF: a reply without state, with an empty one, or with two is refused', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  const state = (await login.begin(browser)).searchParams.get('state')!;
  for (const query of [
    'code=c',
    'code=c&state=',
    `code=c&state=x&state=${state}`,
    `code=a&code=b&state=${state}`,
    `state=${state}&iss=${ISSUER}`,
  ])
    assert.is((await login.path(browser.copy(), 'callback', query)).status, 400, query);
});

test('mix-up: a reply of another issuer, or of none, is refused', async () => {
  const login = await LoginPolicy.create();
  for (const iss of ['https://evil.example', `${ISSUER}/`, '']) {
    const browser = new Browser();
    const state = (await login.begin(browser)).searchParams.get('state')!;
    assert.is((await login.callback(browser, { code: 'c', state, iss })).status, 400, iss);
  }
  const browser = new Browser();
  const state = (await login.begin(browser)).searchParams.get('state')!;
  assert.is((await login.path(browser, 'callback', `code=c&state=${state}`)).status, 400, 'the issuer promises iss');
  const old = await LoginPolicy.create('', { endpoints: { sendsIssuer: false } });
  const other = new Browser();
  const quiet = (await old.begin(other)).searchParams.get('state')!;
  assert.is((await old.path(other, 'callback', `code=c&state=${quiet}`)).status, 302);
});

test('open redirect: the page after a login is always one of this site', async () => {
  const login = await LoginPolicy.create();
  for (const path of [
    '//evil.example',
    '/\\evil.example',
    '/%2F%2Fevil.example',
    '/a//b',
    '/@evil.example',
    '/.evil.example',
  ]) {
    const browser = new Browser();
    const to = await login.begin(browser, { path });
    const done = await login.callback(browser, { code: 'c', state: to.searchParams.get('state')! });
    assert.is(locationOf(done).origin, SITE, path);
  }
  const outside = [
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example',
    'evil.example',
    '/\t/evil.example',
    '/\n/a',
    '',
    '/a b',
    '/\u00e4',
    `/${'a'.repeat(3000)}`,
  ];
  for (const wanted of outside)
    assert.is((await login.path(new Browser(), 'login', `return=${encodeURIComponent(wanted)}`)).status, 400, wanted);
  for (const wanted of ['/', '/a?b=https://evil.example', '/a//b'])
    assert.is((await login.path(new Browser(), 'login', `return=${encodeURIComponent(wanted)}`)).status, 302, wanted);
});

test('header injection: a query that no field can hold is encoded', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  const to = await login.begin(browser, { path: '/a', query: 'q=\u00e4\u{1f600}"<>' });
  const done = await login.callback(browser, { code: 'c', state: to.searchParams.get('state')! });
  assert.is(done.headers.get('location'), `${SITE}/a?q=%C3%A4%F0%9F%98%80%22%3C%3E`);
});

test('open redirect: Host and forwarding fields have no effect on URLs', async () => {
  const login = await LoginPolicy.create('after_logout = "/bye"');
  const headers = [
    ['host', 'evil.example'],
    ['x-forwarded-host', 'evil.example'],
    ['forwarded', 'host=evil.example'],
  ] as const;
  const browser = new Browser();
  const to = await login.begin(browser, { headers });
  assert.not.match(to.href, /evil/);
  const query = new URLSearchParams({ code: 'c', iss: ISSUER, state: to.searchParams.get('state')! }).toString();
  assert.not.match(locationOf(await login.path(browser, 'callback', query, { headers })).href, /evil/);
  assert.not.match(locationOf(await login.path(browser, 'logout', '', { headers })).href, /evil/);
});

test('cookie tampering: a changed, swapped, cut or foreign session is none', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  await login.login(browser);
  const value = browser.cookies.get(`${NAME}.0`)!;
  assert.ok(await login.identity(browser));
  const tampered = [
    value.slice(0, -2),
    `${value.slice(0, 40)}${value[40] === 'A' ? 'B' : 'A'}${value.slice(41)}`,
    `2${value.slice(1)}`,
    value.slice(2),
    `1~${Buffer.from(JSON.stringify({ i: 'x', c: { sub: 'eve' }, t: 0, u: 0, k: {} })).toString('base64url')}`,
    '',
    '1~',
  ];
  for (const text of tampered) {
    const other = new Browser();
    other.cookies.set(`${NAME}.0`, text);
    assert.is(await login.identity(other), undefined, text.slice(0, 50));
  }
});

test('cookie tampering: what was sealed for one purpose is not accepted for another one', async () => {
  const around = Object.assign(world(), { wall: 1_800_000_000_000 });
  const key = await signer('ES256', 'k1');
  const login = await LoginPolicy.create('', { around, signer: key });
  const browser = new Browser();
  const to = await login.begin(browser);
  const [cookie, sealed] = [...browser.cookies][0]!;
  // The cookie of a login as a session, as another login, and as the marker of logins.
  const planted = new Browser();
  planted.cookies.set(`${NAME}.0`, `1~${sealed}`);
  planted.cookies.set(`${NAME}.m`, sealed);
  assert.is(await login.identity(planted), undefined);
  const swapped = new Browser();
  swapped.cookies.set(`${cookie.slice(0, -1)}${cookie.endsWith('x') ? 'y' : 'x'}`, sealed);
  assert.is((await login.callback(swapped, { code: 'c', state: to.searchParams.get('state')! })).status, 400);
  await login.login(browser);
  // Another policy with the same secret and the same cookie name.
  const other = await LoginPolicy.create('cookie = "gw-login"', { around, signer: key, name: 'admin' });
  assert.ok(await login.identity(browser));
  assert.is(await other.identity(browser), undefined);
});

test('session fixation: a login makes a new session, whatever the browser had before', async () => {
  const login = await LoginPolicy.create('session = "stored"\nlogout_at_issuer = false');
  const attacker = new Browser();
  await login.login(attacker);
  const planted = attacker.cookies.get(`${NAME}.0`)!;
  const victim = new Browser();
  victim.cookies.set(`${NAME}.0`, planted);
  const to = locationOf(await login.path(victim, 'login', 'return=/'));
  login.answer = undefined;
  assert.not.ok(victim.cookies.has(`${NAME}.0`), 'the login drops it');
  victim.cookies.set(`${NAME}.0`, planted);
  const idToken = await login.idToken({ sub: 'victim', nonce: to.searchParams.get('nonce') });
  login.answer = () => ({ access: 'a', type: 'bearer', idToken });
  await login.callback(victim, { code: 'c', state: to.searchParams.get('state')! });
  assert.is.not(victim.cookies.get(`${NAME}.0`), planted);
  assert.is((await login.identity(victim))?.claims?.['sub'], 'victim');
  assert.is((await login.identity(attacker))?.claims?.['sub'], 'ann');
  // The logout of one does not end the other.
  await login.path(victim, 'logout', '');
  assert.ok(await login.identity(attacker));
});

test('identity smuggling: fields of the policy and its cookies never pass from a client to a target', async () => {
  const login = await LoginPolicy.create('fields = { x-user = "sub" }\nforward_token = true\noptional = true');
  assert.equal(login.policy.requestFields, ['x-user', 'authorization']);
  const at = exchange({
    headers: [
      ['X-User', 'admin'],
      ['authorization', 'Bearer x'],
      ['cookie', `${NAME}.0=1~x; ${NAME}.9=y; a=b`],
    ],
  });
  login.policy.strip!(at);
  assert.equal([...at.headers.entries()], [['cookie', 'a=b']]);
});

test('logout CSRF: pages of other sites cannot end a session', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  await login.login(browser);
  for (const headers of [
    [['sec-fetch-site', 'cross-site']],
    [['sec-fetch-site', 'same-site']],
    [['origin', 'https://evil.example']],
    [['origin', 'null']],
  ] as [string, string][][])
    assert.is((await login.path(browser, 'logout', '', { headers })).status, 403);
  assert.ok(await login.identity(browser));
  for (const headers of [[['sec-fetch-site', 'same-origin']], [['sec-fetch-site', 'none']], [['origin', SITE]], []] as [
    string,
    string,
  ][][])
    assert.is((await login.path(browser.copy(), 'logout', '', { headers })).status, 302);
});

test('endless logins: a browser that keeps no session is stopped, and only that browser', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  for (let round = 0; round < 3; round++) {
    await login.login(browser);
    browser.cookies.delete(`${NAME}.0`);
  }
  const stopped = await login.on(browser);
  assert.is('reply' in stopped && stopped.reply?.status, 508);
  assert.ok((await login.begin(new Browser())).href.startsWith(ISSUER));
  login.pass(61);
  assert.ok((await login.begin(browser)).href.startsWith(ISSUER));
});

test('memory: logins that never end leave nothing in the gateway, and five cookies in the browser', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  for (let round = 0; round < 50; round++) await login.begin(browser);
  assert.is(browser.cookies.size, 5);
  const state = (await login.begin(browser)).searchParams.get('state')!;
  assert.is((await login.callback(browser, { code: 'c', state })).status, 302);
});

test('ID tokens: signatures of other keys, no signature, and other algorithms are refused', async () => {
  const login = await LoginPolicy.create();
  const stranger = await LoginPolicy.create();
  const answers = async (nonce: string) => {
    const payload = (await login.idToken({ nonce })).split('.')[1]!;
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const hs = Buffer.from('{"alg":"HS256","kid":"k1"}').toString('base64url');
    return [
      await stranger.idToken({ nonce }),
      `${none}.${payload}.`,
      `${none}.${payload}.AA`,
      `${hs}.${payload}.AAAA`,
      `${none}.${payload}`,
    ];
  };
  for (let index = 0; index < 5; index++) {
    const browser = new Browser();
    const to = await login.begin(browser);
    const idToken = (await answers(to.searchParams.get('nonce')!))[index]!;
    login.answer = () => ({ access: 'a', type: 'bearer', idToken });
    assert.is((await login.callback(browser, { code: 'c', state: to.searchParams.get('state')! })).status, 502);
    assert.not.ok(browser.cookies.has(`${NAME}.0`));
    login.answer = undefined;
  }
});

const bearerOf = async (login: LoginPolicy, claims: Parameters<LoginPolicy['idToken']>[0], fingerprint?: string) => {
  const headers = [['authorization', `Bearer ${await login.idToken(claims)}`]] as const;
  const plain = exchange({ headers });
  const tls = { clientCertificate: fingerprint === undefined ? undefined : { fingerprint } };
  const at = Object.assign(plain, { connection: { ...plain.connection, tls } });
  // Twice: verified, and remembered.
  const [first, second] = [await login.policy.authenticate!(at, noBody), await login.policy.authenticate!(at, noBody)];
  assert.is(second.outcome, first.outcome);
  return second;
};

test('a stolen token that is bound to a key or a certificate is worth nothing to its thief', async () => {
  const login = await LoginPolicy.create('bearer = { audience = "orders" }');
  const print = 'ab'.repeat(32);
  const digest = Buffer.from(print, 'hex').toString('base64url');
  const outcome = async (cnf: object | null | string, fingerprint?: string) =>
    (await bearerOf(login, { aud: 'orders', cnf: cnf as Json }, fingerprint)).outcome;
  assert.is(await outcome({ jkt: 'a'.repeat(43) }), 'refused');
  assert.is(await outcome({ 'x5t#S256': digest }), 'refused');
  assert.is(await outcome({ 'x5t#S256': digest }, 'cd'.repeat(32)), 'refused');
  assert.is(await outcome({ 'x5t#S256': digest }, print), 'identity');
  for (const cnf of [null, 'x', {}, { jwk: {} }]) assert.is(await outcome(cnf), 'refused');
  assert.is((await bearerOf(login, { aud: 'orders' })).outcome, 'identity');
  const lenient = await LoginPolicy.create('bearer = { audience = "orders", bindings = "ignore" }');
  assert.is((await bearerOf(lenient, { aud: 'orders', cnf: { jkt: 'a'.repeat(43) } })).outcome, 'identity');
});

test('an ID token or a logout token is no access token, also where the client is the audience', async () => {
  const login = await LoginPolicy.create('bearer = { audience = "shop" }');
  const event = 'http://schemas.openid.net/event/backchannel-logout';
  for (const claims of [{ nonce: 'n' }, { at_hash: 'h' }, { c_hash: 'h' }, { events: { [event]: {} } }])
    assert.is((await bearerOf(login, claims)).outcome, 'refused', Object.keys(claims)[0]);
  // Some issuers write the nonce of the login into access tokens too.
  for (const claims of [{}, { nonce: 'n', scope: 'openid' }, { nonce: 'n', client_id: 'shop' }])
    assert.is((await bearerOf(login, claims)).outcome, 'identity');
});

test('a token that is verified while the keys of the issuer are replaced is not remembered', async () => {
  const [old, next] = [await signer('ES256', 'k1'), await signer('ES256', 'k2')];
  const login = await LoginPolicy.create('bearer = { audience = "orders" }', { signer: old });
  const headers = [['authorization', `Bearer ${await login.idToken({ aud: 'orders' })}`]] as const;
  const pending = login.policy.authenticate!(exchange({ headers }), noBody);
  login.policy.published!({ keys: [{ ...next.jwk, alg: next.alg }] as Json });
  await pending;
  assert.is((await login.policy.authenticate!(exchange({ headers }), noBody)).outcome, 'refused');
});

test.run();
