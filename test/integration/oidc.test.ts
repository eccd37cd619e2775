/** Logins at an issuer over sockets: the code flow, sessions, their refresh and their end, outages. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Jar, signIn, type Visit, visit } from '../support/browser-jar.js';
import { call, removeFolders, temporaryFolder, until } from './control-kit.js';
import { SECRET, startSite, startTarget, stopSite } from './oidc-kit.js';

test.after.each(stopSite);
test.after(removeFolders);

/** What the target has got. */
const seen = ({ body }: Visit): { readonly url: string; readonly headers: Record<string, string> } => JSON.parse(body);

test('a person signs in at the issuer, returns to the page, and the target gets no cookie of the login', async () => {
  const { issuer, url } = await startSite({ more: 'fields = { x-user = "sub", x-groups = "groups" }' });
  const jar = new Jar();
  jar.of(new URL(url).host).set('theme', 'dark');
  const page = await visit(jar, `${url}/orders?page=2`);
  assert.is(page.status, 200);
  assert.match(page.url, `${issuer.url}/authorize?`);
  const asked = issuer.authorizations[0]!;
  assert.equal(
    [asked.get('response_type'), asked.get('client_id'), asked.get('redirect_uri'), asked.get('code_challenge_method')],
    ['code', 'shop', `${url}/oauth2/callback`, 'S256'],
  );
  const home = await signIn(jar, page);
  assert.is(home.url, `${url}/orders?page=2`);
  const got = seen(home);
  assert.is(got.url, '/orders?page=2');
  assert.equal(
    [got.headers['cookie'], got.headers['x-user'], got.headers['x-groups']],
    ['theme=dark', 'ann', 'staff,admins'],
  );
  // The login is over, and the session stays.
  assert.equal(jar.names(url), ['gw-login.0', 'gw-login.m', 'theme']);
  const again = await visit(jar, `${url}/cart`, { headers: { 'x-user': 'eve' } });
  assert.equal([again.path.length, seen(again).headers['x-user']], [1, 'ann']);
  assert.is(issuer.count('/token'), 1);
});

test('the session reaches no target of a route without the policy either', async () => {
  const rest = ['partner', 'either'].map((name) => {
    const policies = name === 'either' ? '\npolicies = ["either"]' : '';
    return `[[route]]\nname = "${name}"\nmatch = "/${name}/{rest...}"\nto = "${name}"${policies}\n[service.${name}]\ntargets = ["TARGET"]`;
  });
  const other = await startTarget();
  const members = '[policy.key]\nuse = "api-key"\n[policy.either]\nuse = "any-of"\npolicies = ["key", "login"]';
  const { url } = await startSite({ rest: [members, ...rest].join('\n').replaceAll('TARGET', other) });
  const jar = new Jar();
  jar.of(new URL(url).host).set('theme', 'dark');
  await visit(jar, `${url}/a`);
  await signIn(jar, await visit(jar, `${url}/b`));
  assert.equal(jar.names(url).filter((name) => name.startsWith('gw-login.')).length, 3, 'a session, a login, a mark');
  for (const path of ['/partner/x', '/either/x', '/x']) {
    const { status, body } = await visit(jar.copy(), `${url}${path}`);
    assert.equal([status, seen({ body } as Visit).headers['cookie']], [200, 'theme=dark'], path);
  }
});

test('programs and scripts get 401 in place of a redirect', async () => {
  const { issuer, url } = await startSite();
  const json = { accept: 'application/json' };
  const cases: readonly (readonly [string, Parameters<typeof call>[1]])[] = [
    ['a program', { headers: json }],
    ['no Accept', {}],
    ['fetch()', { headers: { accept: 'text/html', 'sec-fetch-mode': 'cors' } }],
    ['XMLHttpRequest', { headers: { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' } }],
    ['a form', { method: 'POST', body: 'a=b', headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } }],
    ['HEAD', { method: 'HEAD', headers: { accept: 'text/html' } }],
  ];
  for (const [what, options] of cases) {
    const { status, headers } = await call(`${url}/orders`, options);
    assert.equal([status, headers['set-cookie'], headers['location']], [401, undefined, undefined], what);
    assert.match(String(headers['www-authenticate']), /^Session realm="api"$/);
  }
  assert.is(issuer.count('/authorize'), 0);
});

test('several tabs sign in at once, and each returns to its page', async () => {
  const { url } = await startSite();
  const jar = new Jar();
  const tabs = [];
  for (const name of ['a', 'b', 'c']) tabs.push(await visit(jar, `${url}/${name}`));
  assert.is(jar.names(url).filter((name) => name.startsWith('gw-login.l.')).length, 3);
  const homes = [];
  for (const tab of tabs.reverse()) homes.push(await signIn(jar, tab));
  assert.equal(
    homes.map((home) => [home.status, home.url]),
    [
      [200, `${url}/c`],
      [200, `${url}/b`],
      [200, `${url}/a`],
    ],
  );
  // A further login takes the place of the oldest.
  const other = new Jar();
  for (let tab = 0; tab < 8; tab++) await visit(other, `${url}/${tab}`);
  assert.is(other.names(url).length, 5);
});

test('tokens are refreshed by one request across all workers, and the old cookie gets the same result', async () => {
  const { issuer, url } = await startSite({ top: 'workers = 2', more: 'forward_token = true' });
  issuer.accessLife = 2;
  const jar = new Jar();
  const first = seen(await signIn(jar, await visit(jar, `${url}/`))).headers['authorization'];
  const old = jar.copy();
  const before = jar.of(new URL(url).host).get('gw-login.0');
  await new Promise((resolve) => setTimeout(resolve, 1700));
  issuer.accessLife = 300;
  const many = await Promise.all(Array.from({ length: 20 }, () => visit(old.copy(), `${url}/`)));
  const tokens = new Set(many.map((one) => seen(one).headers['authorization']));
  assert.is(tokens.size, 1);
  assert.not(tokens.has(first));
  assert.is(issuer.count('/token'), 2);
  for (const one of many) assert.match(String(one.headers['set-cookie']), /gw-login\.0=/);
  for (const one of many) assert.match(String(one.headers['cache-control']), /private/);
  // Another tab comes later with the old cookie.
  const late = await visit(old, `${url}/`);
  assert.equal([late.status, issuer.count('/token'), issuer.reused], [200, 2, 0]);
  assert.is.not(old.of(new URL(url).host).get('gw-login.0'), before);
});

test('a session whose tokens the issuer refuses ends in a new login', async () => {
  const { issuer, url } = await startSite();
  issuer.accessLife = 1;
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/`));
  issuer.endSessions();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const api = await visit(jar.copy(), `${url}/`, { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' } });
  assert.is(api.status, 401);
  assert.match((await visit(jar, `${url}/`)).url, `${issuer.url}/authorize`);
});

test('an outage of the token endpoint: the session goes on until its token expires, then 503, then it goes on', async () => {
  const { issuer, url } = await startSite();
  issuer.accessLife = 4;
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/`));
  issuer.replies.set('/token', { status: 503, body: '{}' });
  await new Promise((resolve) => setTimeout(resolve, 3200));
  assert.is((await visit(jar.copy(), `${url}/`)).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const down = await visit(jar.copy(), `${url}/`);
  assert.equal([down.status, down.headers['location']], [503, undefined]);
  assert.is(issuer.count('/token'), 2, 'the issuer is not asked by every request');
  issuer.replies.clear();
  await until(async () => (await visit(jar.copy(), `${url}/`)).status === 200, 'the refresh', 10_000);
});

test('a logout ends the session here and at the issuer, and returns to this site', async () => {
  const { issuer, url } = await startSite({ more: 'after_logout = "/bye"', rest: BYE });
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/`));
  const bye = await visit(jar, `${url}/oauth2/logout`, { headers: { 'sec-fetch-site': 'same-origin' } });
  assert.equal([bye.status, bye.url, bye.body], [200, `${url}/bye`, 'bye']);
  const [, atIssuer] = bye.path;
  const hint = new URL(atIssuer!).searchParams;
  assert.equal([hint.get('client_id'), hint.get('post_logout_redirect_uri')], ['shop', `${url}/bye`]);
  assert.match(hint.get('id_token_hint') ?? '', /^ey/);
  assert.equal(jar.names(url), []);
  assert.match((await visit(jar, `${url}/`)).body, /Sign in/);
  assert.is(issuer.count('/logout'), 1);
});

const BYE = '[[route]]\nmatch = "GET /bye"\nreply = { body = "bye" }';

test('a stored session ends with its logout, also in a copy of its cookies; one in a cookie alone does not', async () => {
  for (const [session, status] of [
    ['stored', 401],
    ['cookie', 200],
  ] as const) {
    const { url } = await startSite({ more: `session = "${session}"\nlogout_at_issuer = false` });
    const jar = new Jar();
    await signIn(jar, await visit(jar, `${url}/`));
    const thief = jar.copy();
    const out = await visit(jar, `${url}/oauth2/logout`, { method: 'POST', body: '' });
    assert.equal([out.status, out.body], [200, 'Signed out.\n']);
    assert.is((await visit(thief, `${url}/`, API)).status, status, session);
    await stopSite();
  }
});

const API = { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' } };
const BACK = 'session = "stored"\nback_channel_logout = "/oauth2/back-channel-logout"';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

test('the issuer ends a session by its sid, and all sessions of a person by sub', async () => {
  const { issuer, url } = await startSite({ more: BACK });
  const post = async (token: string): Promise<number> =>
    (await call(`${url}/oauth2/back-channel-logout`, { method: 'POST', headers: FORM, body: `logout_token=${token}` }))
      .status;
  const [phone, laptop] = [new Jar(), new Jar()];
  for (const jar of [phone, laptop]) await signIn(jar, await visit(jar, `${url}/`));
  const other = new Jar();
  await signIn(other, await visit(other, `${url}/`), 'bob');
  const statuses = async (): Promise<number[]> =>
    Promise.all([phone, laptop, other].map(async (jar) => (await visit(jar.copy(), `${url}/`, API)).status));
  assert.equal(await statuses(), [200, 200, 200]);
  const first = await issuer.logoutToken({ sid: issuer.sidsOf('ann')[0], sub: 'ann' });
  assert.is(await post(first), 200);
  assert.equal(await statuses(), [401, 200, 200]);
  assert.is(await post(first), 400, 'used before');
  assert.is(await post(await issuer.logoutToken({ sub: 'ann' })), 200);
  assert.equal(await statuses(), [401, 401, 200]);
  // A new login of the same person is a new session.
  await signIn(phone, await visit(phone, `${url}/`, { headers: {} }));
  issuer.endSessions();
  assert.is((await visit(phone, `${url}/`, API)).status, 200);
});

test('a logout token that is not valid ends nothing', async () => {
  const { issuer, url } = await startSite({ more: BACK });
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/`));
  const event = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const time = Math.floor(Date.now() / 1000);
  const tokens = {
    'of another client': await issuer.logoutToken({ sub: 'ann', aud: 'other' }),
    'of another issuer': await issuer.logoutToken({ sub: 'ann', iss: 'https://other.example' }),
    'without a jti': await issuer.sign({ sub: 'ann', events: event }, { typ: 'logout+jwt' }),
    'without the event': await issuer.logoutToken({ sub: 'ann', events: {} }),
    'with a nonce': await issuer.logoutToken({ sub: 'ann', nonce: 'x' }),
    'without sid and sub': await issuer.logoutToken({}),
    'that is old': await issuer.logoutToken({ sub: 'ann', iat: time - 3600, exp: time + 60 }),
    'that has expired': await issuer.logoutToken({ sub: 'ann', iat: time - 300, exp: time - 60 }),
    'of another type': await issuer.logoutToken({ sub: 'ann' }, { typ: 'at+jwt' }),
    'that is none': 'a.b.c',
  };
  for (const [what, token] of Object.entries(tokens)) {
    const body = new URLSearchParams({ logout_token: token }).toString();
    const { status } = await call(`${url}/oauth2/back-channel-logout`, { method: 'POST', headers: FORM, body });
    assert.is(status, 400, what);
  }
  const untyped = await call(`${url}/oauth2/back-channel-logout`, { method: 'POST', body: 'logout_token=a' });
  assert.is(untyped.status, 400);
  const large = await call(`${url}/oauth2/back-channel-logout`, {
    method: 'POST',
    headers: FORM,
    body: 'a'.repeat(70_000),
  });
  assert.is(large.status, 413);
  assert.is((await visit(jar, `${url}/`, API)).status, 200);
});

test('while the issuer cannot be reached, pages and programs get 503, and logins work as soon as it is back', async () => {
  const { issuer, parts, file } = await startSite();
  await stopSite();
  const again = await startSite({ issuer, more: 'wait = "300ms"' }).catch((error: unknown) => error);
  assert.ok(!(again instanceof Error), String(again));
  const { url } = again as Awaited<ReturnType<typeof startSite>>;
  assert.is((await visit(new Jar(), `${url}/`)).status, 503);
  assert.is((await visit(new Jar(), `${url}/`, API)).status, 401);
  await issuer.listen(Number(new URL(parts.issuer).port));
  await until(async () => (await visit(new Jar(), `${url}/`)).status === 200, 'the login', 10_000);
  assert.ok(file.path);
  await issuer.close();
});

test('a browser that keeps no session does not go round in circles', async () => {
  const { issuer, url } = await startSite();
  issuer.asks = false;
  const jar = new Jar();
  let last: Visit | undefined;
  for (let round = 0; round < 4; round++) {
    last = await visit(jar, `${url}/`, { follow: 2 });
    jar.of(new URL(url).host).delete('gw-login.0');
  }
  assert.equal([last?.status, last?.path.length], [508, 1]);
  assert.match(last?.body ?? '', /oidc\/loop/);
  assert.is(issuer.count('/token'), 3);
  // After that the person may try again.
  assert.is((await visit(jar, `${url}/`)).status, 200);
});

test('keys of the issuer rotate without a failed login', async () => {
  const { issuer, url } = await startSite();
  for (let round = 0; round < 2; round++) {
    // Longer than the cooldown between two fetches of the keys.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await issuer.rotate();
    await issuer.rotate();
    const jar = new Jar();
    assert.is((await signIn(jar, await visit(jar, `${url}/`))).status, 200);
  }
});

test('tokens that are not right are no login', async () => {
  const { issuer, log, url } = await startSite({ more: 'max_age = "1h"' });
  const time = Math.floor(Date.now() / 1000);
  const wrong: readonly (readonly [string, Record<string, unknown>])[] = [
    ['audience', { aud: 'other' }],
    ['issuer', { iss: 'https://other.example' }],
    ['nonce', { nonce: 'other' }],
    ['no nonce', { nonce: undefined }],
    ['several parties', { aud: ['shop', 'other'] }],
    ['authorized party', { aud: ['shop', 'other'], azp: 'other' }],
    ['at_hash', { at_hash: 'AAAA' }],
    ['expired', { exp: time - 100, iat: time - 200 }],
    ['no expiry', { exp: undefined }],
    ['issued later', { iat: time + 600, exp: time + 900 }],
    ['no subject', { sub: undefined }],
    ['signed in long ago', { auth_time: time - 7200 }],
    ['no auth_time', { auth_time: undefined }],
  ];
  for (const [what, claims] of wrong) {
    issuer.tweak = (given) => ({ ...given, ...claims });
    const jar = new Jar();
    const home = await signIn(jar, await visit(jar, `${url}/`));
    assert.equal([home.status, jar.names(url)], [502, []], what);
    assert.match(home.url, '/oauth2/callback');
  }
  issuer.tweak = (given) => ({ ...given, aud: ['shop', 'other'], azp: 'shop' });
  const jar = new Jar();
  assert.is((await signIn(jar, await visit(jar, `${url}/`))).status, 200);
  issuer.tweakReply = ({ id_token: _, ...rest }) => rest;
  assert.is((await signIn(new Jar(), await visit(new Jar(), `${url}/`))).status, 400);
  assert.not.match(JSON.stringify(log.lines), /secret/);
});

test('what the issuer refuses is told, and leads to no further login', async () => {
  const { issuer, url } = await startSite();
  issuer.consent = true;
  const jar = new Jar();
  const home = await signIn(jar, await visit(jar, `${url}/`));
  assert.equal([home.status, jar.names(url)], [403, []]);
  assert.match(home.body, /access_denied/);
  assert.is((await signIn(jar, await visit(jar, `${url}/`), 'ann', '&consent=on')).status, 200);
});

test('failed logins, logouts of other sites and wrong logout tokens are counted by reason', async () => {
  const { gateway, url } = await startSite({ more: 'session = "stored"\nback_channel_logout = "/oauth2/back"' });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const failed = [
    await call(`${url}/oauth2/callback?code=c&state=x`),
    await call(`${url}/oauth2/logout`, { headers: { 'sec-fetch-site': 'cross-site' } }),
    await call(`${url}/oauth2/back`, { method: 'POST', headers: form, body: 'logout_token=a.b.c' }),
    await call(`${url}/oauth2/login?return=//evil.example`),
  ];
  const reasons = failed.map(({ body }) => (JSON.parse(body) as { type: string }).type.replace('urn:gw:problem:', ''));
  assert.is(new Set(reasons).size, 4);
  const counted = async (): Promise<string[]> =>
    (await call('/metrics', { socketPath: gateway.adminSocket! })).body
      .split('\n')
      .filter((line) => line.startsWith('gw_refused_total{'));
  await until(async () => (await counted()).length >= 4, 'the counters');
  assert.equal(
    (await counted()).sort(),
    reasons.map((reason) => `gw_refused_total{policy="login",reason="${reason}"} 1`).sort(),
  );
});

test('large sessions take several cookies, and those that fit into none are refused', async () => {
  const { issuer, url } = await startSite({ more: 'fields = { x-first = "first" }' });
  const jar = new Jar();
  issuer.tweak = (claims) => ({ ...claims, first: 'one', large: 'x'.repeat(7000) });
  const home = await signIn(jar, await visit(jar, `${url}/`));
  assert.is(seen(home).headers['x-first'], 'one');
  assert.is(seen(home).headers['cookie'], undefined);
  assert.equal(
    jar.names(url).filter((name) => /\.\d$/.test(name)),
    ['gw-login.0', 'gw-login.1', 'gw-login.2'],
  );
  for (const value of jar.of(new URL(url).host).values()) assert.ok(value.length < 3900);
  jar.of(new URL(url).host).delete('gw-login.1');
  issuer.tweak = (claims) => claims;
  const smaller = await visit(jar, `${url}/`);
  assert.equal([smaller.status, jar.names(url).filter((name) => /\.\d$/.test(name))], [200, ['gw-login.0']]);
  issuer.tweak = (claims) => ({ ...claims, large: 'x'.repeat(20_000) });
  const fresh = new Jar();
  const refused = await signIn(fresh, await visit(fresh, `${url}/`));
  assert.equal([refused.status, fresh.names(url)], [502, []]);
});

test('secrets rotate: an old one still opens, a new one seals', async () => {
  const { file, issuer, parts, url } = await startSite({ gateway: { watch: true } });
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/`));
  const write = async (secrets: string, status: number): Promise<void> => {
    const { specOf } = await import('./oidc-kit.js');
    file.write(
      specOf({ ...parts, issuer: issuer.url }).replace(/session_secrets = .*/, `session_secrets = ${secrets}`),
    );
    await until(async () => (await visit(jar.copy(), `${url}/`, API)).status === status, `${secrets} gives ${status}`);
  };
  // eslint-disable-next-line no-template-curly-in-string
  await write('["${env:OLD_SECRET}"]', 401);
  await write('["${env:OLD_SECRET}", "${env:SESSION_SECRET}"]', 200);
});

test('bearer tokens of the issuer pass, and ID tokens do not', async () => {
  const { issuer, url } = await startSite({
    more: 'forward_token = true\nfields = { x-user = "sub" }\nbearer = { audience = "orders", scope = "read" }',
  });
  const get = (token: string) => call(`${url}/`, { headers: { authorization: `Bearer ${token}` } });
  const token = await issuer.accessToken({ scope: 'read write' });
  for (let round = 0; round < 2; round++) {
    const right = JSON.parse((await get(token)).body) as { headers: Record<string, string> };
    assert.equal([right.headers['x-user'], right.headers['authorization']], ['ann', `Bearer ${token}`]);
  }
  assert.is((await get(await issuer.accessToken())).status, 403);
  for (const wrong of [
    await issuer.accessToken({ aud: 'other' }),
    await issuer.accessToken({ scope: 'read', at_hash: 'x' }),
    'x',
  ])
    assert.is((await get(wrong)).status, 401);
  const missing = await call(`${url}/`);
  assert.equal([missing.status, missing.headers['www-authenticate']], [401, 'Bearer realm="api", scope="read"']);
});

test('a document describes the API, and challenges name it', async () => {
  const { issuer, url } = await startSite({
    more: 'bearer = { audience = "orders", resource = "https://shop.example.com/api", authorization_servers = ["https://id.example.com"] }',
  });
  const document = await call(`${url}/.well-known/oauth-protected-resource/api`);
  assert.is(document.status, 200);
  assert.equal(JSON.parse(document.body), {
    resource: 'https://shop.example.com/api',
    authorization_servers: ['https://id.example.com'],
    bearer_methods_supported: ['header'],
  });
  const missing = await call(`${url}/`);
  const where = 'https://shop.example.com/.well-known/oauth-protected-resource/api';
  assert.match(String(missing.headers['www-authenticate']), `resource_metadata="${where}"`);
  assert.is(issuer.count('/token'), 0);
});

test('pushed requests, further parameters and userinfo', async () => {
  const { issuer, url } = await startSite({
    more: 'push = true\nuserinfo = true\nscope = "profile"\nprompt = "login"\nextra = { ui_locales = "de" }\nfields = { x-email = "email" }',
  });
  const jar = new Jar();
  const page = await visit(jar, `${url}/`);
  assert.match(page.url, /request_uri=urn/);
  assert.not.match(page.url, /nonce|state|scope/);
  const asked = issuer.authorizations[0]!;
  assert.equal(
    ['scope', 'prompt', 'ui_locales'].map((name) => asked.get(name)),
    ['openid profile', 'login', 'de'],
  );
  assert.is(seen(await signIn(jar, page)).headers['x-email'], 'ann@example.com');
  issuer.replies.set('/userinfo', { status: 200, body: '{"sub":"eve"}' });
  const other = new Jar();
  assert.is((await signIn(other, await visit(other, `${url}/`))).status, 502);
});

test('with `optional`, a request without a session passes, and the login begins at its own path', async () => {
  const { url } = await startSite({ more: 'optional = true\nfields = { x-user = "sub" }' });
  const jar = new Jar();
  const open = await visit(jar, `${url}/`, { headers: { 'x-user': 'eve' } });
  assert.equal([open.status, seen(open).headers['x-user']], [200, undefined]);
  const home = await signIn(jar, await visit(jar, `${url}/oauth2/login?return=/cart%3Fa%3D1`));
  assert.equal([home.url, seen(home).headers['x-user']], [`${url}/cart?a=1`, 'ann']);
});

test('in any-of, a session is renewed and the paths are answered, and other credentials count too', async () => {
  const { issuer, url } = await startSite({
    more: `[consumer.robot]
api_keys = ["sha256:a7ed8f602e0b9cb27f2b1e8d8e9999c1a1f71126bada1e752997f78126efb9ae"]
[policy.keys]
use = "api-key"
[policy.callers]
use = "any-of"
policies = ["keys", "login"]`,
    routePolicies: '"callers"',
  });
  issuer.accessLife = 1;
  const jar = new Jar();
  assert.is((await signIn(jar, await visit(jar, `${url}/`))).status, 200);
  const before = jar.of(new URL(url).host).get('gw-login.0');
  issuer.accessLife = 300;
  await new Promise((resolve) => setTimeout(resolve, 900));
  assert.is((await visit(jar, `${url}/`)).status, 200);
  assert.is.not(jar.of(new URL(url).host).get('gw-login.0'), before);
  const wrong = await call(`${url}/`, { headers: { 'x-api-key': 'wrong' } });
  assert.is(wrong.status, 401);
  const none = await call(`${url}/`);
  assert.is(none.status, 401);
});

test('credentials of logins are in no log line, no record of a request, and no bundle', async () => {
  const access = join(temporaryFolder(), 'access.log');
  const { gateway, issuer, log, url } = await startSite({
    more: BACK,
    gateway: { accessLog: { path: access, format: 'json' } },
  });
  issuer.accessLife = 1;
  const jar = new Jar();
  await signIn(jar, await visit(jar, `${url}/page`));
  await new Promise((resolve) => setTimeout(resolve, 900));
  await visit(jar, `${url}/page`);
  await visit(jar, `${url}/page`, { headers: { cookie: 'gw-login.0=1~tampered', ...API.headers } });
  const token = await issuer.logoutToken({ sub: 'ann' });
  await call(`${url}/oauth2/back-channel-logout`, { method: 'POST', headers: FORM, body: `logout_token=${token}` });
  await visit(jar, `${url}/oauth2/callback?code=stolen-code&state=x`);
  await gateway.close();
  const written = [readFileSync(access, 'utf8'), JSON.stringify(log.lines), JSON.stringify(gateway.snapshot())];
  assert.match(written[0]!, 'oauth2/callback');
  const requests = issuer.tokenRequests.flatMap((form) => [...form]);
  const secrets = [
    ...requests.filter(([name]) => /^(code|code_verifier|refresh_token)$/.test(name)).map(([, value]) => value),
    ...[...jar.of(new URL(url).host).values()].filter((value) => value.length > 20),
    issuer.client.secret,
    SECRET,
    'stolen-code',
    token.split('.')[2]!,
  ];
  assert.ok(secrets.length > 6);
  for (const secret of secrets) for (const text of written) assert.not.ok(text.includes(secret), secret);
});

test('a consumer is found by its claim, and a person who is none gets 403', async () => {
  const { url } = await startSite({
    more: 'consumer_claim = "sub"',
    rest: '[consumer.ann]\n',
  });
  for (const [user, status] of [
    ['ann', 200],
    ['bob', 403],
  ] as const) {
    const jar = new Jar();
    assert.is((await signIn(jar, await visit(jar, `${url}/`), user)).status, status);
  }
});

test('idle and absolute lifetimes end a session', async () => {
  const { url, gateway } = await startSite({ more: 'session_idle = "1h"' });
  const jar = new Jar();
  const home = await signIn(jar, await visit(jar, `${url}/`));
  assert.is(home.status, 200);
  assert.ok(gateway.snapshot().duties.length === 1);
});

test.run();
