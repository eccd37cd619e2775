/** oidc on a virtual clock: sessions, cookies, lifetimes, refresh. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PolicyCookies } from '../../src/policies/oidc/cookies.js';
import { Sealer } from '../../src/policies/oidc/sealed.js';
import { laterReplays, replaysThat } from '../support/stores.js';
import { Browser, ISSUER, LoginPolicy, locationOf, NOW, SECRET, SITE, setCookies } from './oidc-kit.js';
import { compile, exchange, lint, world } from './support.js';

const session = (browser: Browser): string | undefined => browser.cookies.get('__Host-gw-login.0');

test('a login: state, nonce and PKCE lead to the issuer and back', async () => {
  const login = await LoginPolicy.create('scope = "email"\nmax_age = "1h"');
  const browser = new Browser();
  const to = await login.begin(browser, { path: '/orders', query: 'page=2' });
  assert.is(`${to.origin}${to.pathname}`, `${ISSUER}/authorize`);
  const params = Object.fromEntries(to.searchParams);
  for (const name of ['state', 'nonce', 'code_challenge']) assert.is(params[name]?.length, 43, name);
  assert.equal(
    [params['scope'], params['redirect_uri'], params['max_age'], params['response_type']],
    ['openid email', `${SITE}/oauth2/callback`, '3600', 'code'],
  );
  login.claims = { auth_time: login.now };
  const done = await login.callback(browser, { code: 'c', state: params['state']! });
  assert.equal([done.status, locationOf(done).href], [302, `${SITE}/orders?page=2`]);
  assert.is(done.headers.get('cache-control'), 'no-store');
  const [dropped, kept] = setCookies(done);
  assert.match(dropped!, /^__Host-gw-login\.l\.[^=]+=; .*Max-Age=0/);
  assert.match(kept!, /^__Host-gw-login\.0=1~[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  const found = await login.identity(browser);
  assert.equal(found?.claims?.['sub'], 'ann');
  // Claims about the token are not about the person.
  assert.equal(Object.keys(found?.claims ?? {}).sort(), ['auth_time', 'iss', 'sub']);
});

test('a session ends with its lifetime, or if it is idle; its use is noted from time to time', async () => {
  const login = await LoginPolicy.create('session_lifetime = "3h"\nsession_idle = "1h"');
  login.accessLife = 24 * 3_600_000;
  const browser = new Browser();
  await login.login(browser);
  const first = session(browser);
  login.pass(60);
  await login.identity(browser);
  assert.is(session(browser), first, 'not with every request');
  for (let round = 0; round < 3; round++) {
    login.pass(50 * 60);
    assert.ok(await login.identity(browser), `after ${round}`);
  }
  assert.is.not(session(browser), first);
  login.pass(30 * 60);
  assert.is(await login.identity(browser), undefined, 'the lifetime is over');
  const idle = new Browser();
  await login.login(idle);
  login.pass(3600);
  assert.is(await login.identity(idle), undefined);
});

test('a refresh keeps the id and takes the new tokens; an outage is bridged until the token expires', async () => {
  const login = await LoginPolicy.create('forward_token = true');
  login.accessLife = 100_000;
  const browser = new Browser();
  await login.login(browser);
  const token = async (): Promise<string | undefined> =>
    (await login.identity(browser))?.fields?.find(([name]) => name === 'authorization')?.[1];
  assert.is(await token(), 'Bearer access-1');
  login.pass(74);
  assert.is(await token(), 'Bearer access-1');
  // A quarter of the lifetime is left.
  login.pass(2);
  const old = browser.copy();
  assert.is(await token(), 'Bearer access-2');
  assert.equal(login.asked.at(-1), { do: 'refresh', token: 'refresh-1' });
  login.pass(50);
  const before = login.asked.length;
  assert.ok(await login.identity(old), 'the old cookie gets the same result');
  assert.is(login.asked.length, before);
  login.answer = (question) => (question['do'] === 'refresh' ? { fault: 'outage', cause: 'down' } : undefined);
  login.pass(28);
  assert.is(await token(), 'Bearer access-2');
  assert.is(await token(), 'Bearer access-2');
  assert.is(login.asked.length, before + 1, 'not with every request');
  login.pass(30);
  const down = await login.on(browser);
  assert.is(down.outcome, 'unavailable');
  login.answer = undefined;
  login.pass(6);
  assert.is(await token(), 'Bearer access-3');
  login.answer = () => ({ fault: 'refused', error: 'invalid_grant', cause: 'no' });
  login.pass(100);
  const ended = await login.on(browser);
  assert.equal([ended.outcome, 'reply' in ended && ended.reply?.status], ['absent', 302]);
});

test('tokens with a short life are refreshed each time, whether the refresh token stays the same or not', async () => {
  for (const same of [true, false]) {
    const login = await LoginPolicy.create('forward_token = true');
    login.accessLife = 20_000;
    let count = 0;
    login.answer = (question) => {
      if (question['do'] !== 'refresh') return undefined;
      count++;
      const refresh = same ? {} : { refresh: `next-${count}` };
      return { access: `short-${count}`, type: 'bearer', expiresIn: 20_000, ...refresh };
    };
    const browser = new Browser();
    await login.login(browser);
    const old = browser.copy();
    const token = async (from: Browser): Promise<string | undefined> =>
      (await login.identity(from))?.fields?.find(([name]) => name === 'authorization')?.[1];
    for (let round = 1; round <= 5; round++) {
      login.pass(16);
      assert.equal([await token(browser), count], [`Bearer short-${round}`, round], String(same));
      // A tab that still has the cookie of the login, within a minute after its refresh.
      if (round < 4) assert.equal([await token(old.copy()), count], [`Bearer short-${round}`, round], String(same));
    }
  }
});

test('tokens that expire at once are refreshed once by a request, and not for ever', async () => {
  const login = await LoginPolicy.create('forward_token = true');
  login.accessLife = 1;
  const browser = new Browser();
  await login.login(browser);
  login.pass(1);
  const before = login.asked.length;
  assert.ok(await login.identity(browser));
  assert.is(login.asked.length, before + 1);
});

test('an expired token of the issuer, or one for another API, is no attempt to guess one', async () => {
  const login = await LoginPolicy.create('bearer = { audience = "orders" }');
  const counts = async (claims: Parameters<typeof login.idToken>[0], end = ''): Promise<unknown[]> => {
    const authorization = `Bearer ${await login.idToken(claims)}${end}`;
    const found = await login.on(new Browser(), { headers: [['authorization', authorization]] });
    return [found.outcome, 'counts' in found ? found.counts : undefined];
  };
  const { now } = login;
  assert.equal(await counts({ aud: 'orders' }), ['identity', undefined]);
  assert.equal(await counts({ aud: 'orders', iat: now - 900, exp: now - 600 }), ['refused', false]);
  assert.equal(await counts({ aud: 'other' }), ['refused', false]);
  assert.equal(await counts({ aud: 'orders', at_hash: 'x' }), ['refused', false]);
  assert.equal(await counts({ aud: 'orders' }, 'AAAA'), ['refused', undefined]);
});

test('for a policy that needs more scopes, a token has the challenge of bearer tokens, and a session has none', async () => {
  const login = await LoginPolicy.create(
    'bearer = { audience = "orders", resource = "https://shop.example.com/orders" }',
  );
  const browser = new Browser();
  await login.login(browser);
  assert.is((await login.identity(browser))?.challenge, undefined);
  const headers = [['authorization', `Bearer ${await login.idToken({ aud: 'orders' })}`]] as [string, string][];
  for (let round = 0; round < 2; round++) {
    const found = await login.on(new Browser(), { headers });
    assert.match(
      'challenge' in found ? String(found.challenge) : found.outcome,
      /^Bearer realm="api", resource_metadata=/,
    );
  }
});

test('a refresh that answers for another person ends the session', async () => {
  const login = await LoginPolicy.create();
  login.accessLife = 10_000;
  const browser = new Browser();
  await login.login(browser);
  login.claims = { sub: 'eve' };
  login.pass(9);
  assert.is(await login.identity(browser), undefined);
});

test('without a refresh token, a session with a forwarded token ends with that', async () => {
  for (const [text, ends] of [
    ['forward_token = true', true],
    ['', false],
  ] as const) {
    const login = await LoginPolicy.create(text);
    const browser = new Browser();
    const to = await login.begin(browser);
    const idToken = await login.idToken({ nonce: to.searchParams.get('nonce') });
    login.answer = () => ({ access: 'a', type: 'bearer', expiresIn: 60_000, idToken });
    await login.callback(browser, { code: 'c', state: to.searchParams.get('state')! });
    assert.ok(await login.identity(browser));
    login.pass(61);
    assert.is((await login.identity(browser)) === undefined, ends, text);
  }
});

test('a login takes its time at most, and its reply counts once', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  const state = (await login.begin(browser)).searchParams.get('state')!;
  const late = browser.copy();
  const twice = browser.copy();
  assert.is((await login.callback(browser, { code: 'c', state })).status, 302);
  const asked = login.asked.length;
  // The browser has sent the request twice: the code is not redeemed again.
  assert.is((await login.callback(twice, { code: 'c', state })).status, 302);
  assert.is(login.asked.length, asked);
  login.pass(601);
  assert.is((await login.callback(late, { code: 'c', state })).status, 400);
});

test('an outage while the code is redeemed keeps the login, so that a reload ends it', async () => {
  const login = await LoginPolicy.create();
  const browser = new Browser();
  const state = (await login.begin(browser)).searchParams.get('state')!;
  login.answer = () => ({ fault: 'outage', cause: 'down' });
  const down = await login.callback(browser, { code: 'c', state });
  assert.equal([down.status, down.headers.get('retry-after')], [503, '5']);
  login.answer = undefined;
  login.pass(6);
  assert.is((await login.callback(browser, { code: 'c', state })).status, 302);
});

test('sealed texts open with any secret, with their context, and unchanged', () => {
  const [a, b] = [SECRET, 'another secret of at least 32 bytes!'];
  const sealed = new Sealer([a], 'x').seal('text', 'cookie');
  assert.is(new Sealer([b, a], 'x').open(sealed, 'cookie'), 'text');
  assert.is(new Sealer([b], 'x').open(sealed, 'cookie'), undefined);
  assert.is(new Sealer([a], 'y').open(sealed, 'cookie'), undefined);
  assert.is(new Sealer([a], 'x').open(sealed, 'other'), undefined);
  for (let at = 0; at < sealed.length; at++) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    const opened = new Sealer([a], 'x').open(changed, 'cookie');
    // The last character has bits that mean nothing.
    assert.ok(opened === undefined || at === sealed.length - 1, String(at));
  }
  for (const other of ['', 'A', 'AAAA', `${sealed}A`, sealed.slice(4), '!', 'a b', '\u00e4'])
    assert.is(new Sealer([a], 'x').open(other, 'cookie'), undefined, other);
  assert.throws(() => new Sealer(['short'], 'x'), /5 bytes; it needs at least 32/);
});

test('a session is cut into parts that browsers accept, and parts that do not fit are no session', () => {
  const cookies = new PolicyCookies('__Host-gw-login', true);
  for (const length of [0, 1, 3797, 3798, 3799, 7600, 18_998]) {
    const text = 'x'.repeat(length);
    const lines = cookies.setSession(text, new Map());
    for (const line of lines) assert.ok(line.length < 4000);
    const jar = lines.map((line) => line.split(';')[0]!);
    const own = cookies.of(exchange({ headers: [['cookie', jar.join('; ')]] }).headers);
    assert.is(cookies.session(own), length === 0 ? '' : text, String(length));
    if (jar.length > 1)
      assert.is(
        cookies.session(cookies.of(exchange({ headers: [['cookie', jar.slice(1).join('; ')]] }).headers)),
        undefined,
      );
  }
  for (const field of [
    '__Host-gw-login.0=9~x',
    '__Host-gw-login.0=0~x',
    '__Host-gw-login.0=x',
    '__Host-gw-login.0=2~x',
  ])
    assert.is(cookies.session(cookies.of(exchange({ headers: [['cookie', field]] }).headers)), undefined, field);
  const double = '__Host-gw-login.0=1~a; __Host-gw-login.0=1~b';
  assert.is(cookies.session(cookies.of(exchange({ headers: [['cookie', double]] }).headers)), undefined);
});

test('only the cookies of the policy are removed from a request', () => {
  const cookies = new PolicyCookies('__Host-gw-login', true);
  const rest = (field: string): string | undefined => {
    const at = exchange({ headers: [['cookie', field]] });
    cookies.strip(at);
    return at.headers.get('cookie');
  };
  assert.is(
    rest('a=1; __Host-gw-login.0=1~x; __Host-gw-login.1=y; b=2; __Host-gw-login.l.abc=z; __Host-gw-login.m=m'),
    'a=1; b=2',
  );
  assert.is(rest('__Host-gw-login.0=1~x'), undefined);
  assert.is(
    rest('__Host-gw-login2.0=x; x__Host-gw-login.0=y; __Host-gw-login=z'),
    '__Host-gw-login2.0=x; x__Host-gw-login.0=y; __Host-gw-login=z',
  );
  const several = exchange({
    headers: [
      ['cookie', 'a=1; __Host-gw-login.0=x'],
      ['cookie', '__Host-gw-login.1=y; b=2'],
    ],
  });
  cookies.strip(several);
  assert.is(several.headers.get('cookie'), 'a=1; b=2');
});

test('fields for targets: lists are joined, and what no field can hold is left out', async () => {
  const login = await LoginPolicy.create(
    'fields = { X-Groups = "groups", x-name = "name", x-age = "age", x-none = "none", x-deep = "deep" }',
  );
  login.claims = { groups: ['a', 'b'], name: 'Z\u00fcrich\r\nx', age: 7, deep: { a: 1 } };
  const browser = new Browser();
  await login.login(browser);
  const found = await login.identity(browser);
  const fields = new Map(found?.fields);
  assert.equal(
    [fields.get('x-groups'), fields.get('x-age'), fields.has('x-none'), fields.has('x-deep')],
    ['a,b', '7', false, false],
  );
  assert.match(fields.get('x-name')!, /^[\x20-\x7e]*$/);
  const at = exchange({
    headers: [
      ['x-groups', 'admins'],
      ['x-none', 'x'],
      ['x-other', 'y'],
    ],
  });
  login.policy.strip!(at);
  assert.equal([...at.headers.entries()], [['x-other', 'y']]);
});

test('claims of the session can be chosen', async () => {
  const login = await LoginPolicy.create('claims = ["email"]');
  login.claims = { email: 'a@example.com', name: 'Ann', sid: 's1' };
  const browser = new Browser();
  await login.login(browser);
  assert.equal(Object.keys((await login.identity(browser))?.claims ?? {}).sort(), ['email', 'iss', 'sid', 'sub']);
});

test('a logout token is used once; without room to note it, or without the store, it ends nothing', async () => {
  const text = 'session = "stored"\nback_channel_logout = "/oauth2/bye"';
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const ask = async (login: LoginPolicy): Promise<readonly [number, string | undefined]> => {
    const token = await login.idToken({ jti: 'j1', events });
    const headers = [['content-type', 'application/x-www-form-urlencoded']] as const;
    const body = Buffer.from(`logout_token=${token}`);
    const reply = await login.policy.answer!(exchange({ method: 'POST', headers }), 'back-channel-logout', body);
    return [reply.status, reply.code];
  };
  for (const [replays, ...expected] of [
    [laterReplays(), [200, undefined], [400, 'oidc/logout-token']],
    [replaysThat('full'), [503, 'auth/replay-window'], [503, 'auth/replay-window']],
    [replaysThat(new Error('down')), [503, 'auth/replay-window'], [503, 'auth/replay-window']],
  ] as const) {
    const around = Object.assign(world({ replays }), { wall: NOW * 1000 });
    const login = await LoginPolicy.create(text, { around });
    assert.equal([await ask(login), await ask(login)], expected);
  }
});

test('the compiled settings', () => {
  const text = `issuer = "${ISSUER}"\nclient_id = "shop"\nbase_url = "https://shop.example.com/app/"\nsession_secrets = ["\${env:A}"]\n`;
  const settings = compile('oidc', `${text}after_logout = "/bye"`, { name: 'shop/oidc' }) as Record<string, unknown>;
  assert.equal(
    [settings['redirectUri'], settings['cookie'], settings['afterLogout'], settings['scope']],
    [
      'https://shop.example.com/app/oauth2/callback',
      '__Host-gw-shop-oidc',
      'https://shop.example.com/app/bye',
      'openid',
    ],
  );
});

test('lint: what browsers and issuers would not accept', () => {
  const base = (url: string, more = ''): string =>
    `issuer = "${ISSUER}"\nclient_id = "shop"\nclient_secret = "\${env:S}"\nbase_url = "${url}"\nsession_secrets = ["\${env:A}"]\n${more}`;
  assert.equal(lint('oidc', base('https://shop.example.com')), []);
  const byTls = base('https://shop.example.com').replace(/client_secret.*/, 'client_auth = "tls_client_auth"');
  assert.equal(lint('oidc', byTls), ['oidc/client client_auth']);
  assert.equal(lint('oidc', base('http://127.0.0.1:8080', 'insecure_cookies = true')), []);
  assert.equal(lint('oidc', base('http://shop.example.com', 'insecure_cookies = true')), [
    'oidc/insecure-cookies insecure_cookies',
  ]);
  assert.equal(lint('oidc', base('http://shop.example.com')), ['oidc/cookie base_url']);
  assert.equal(lint('oidc', base('https://shop.example.com', 'extra = { nonce = "1", a = "b" }')), [
    'oidc/extra extra.nonce',
  ]);
  const routes = (hosts: string[]) => ({
    routes: [{ name: 'r', params: [], methods: [], path: '/', schemes: ['https' as const], hosts }],
  });
  assert.equal(lint('oidc', base('https://shop.example.com'), routes(['*.example.com'])), []);
  assert.equal(lint('oidc', base('https://shop.example.com'), routes(['other.example.com'])), [
    'oidc/base-url base_url',
  ]);
});

test.run();
