/** oidc: the issuer ends sessions (OpenID Connect Back-Channel Logout 1.0), on a virtual clock. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../src/policies/contract.js';
import { Browser, LoginPolicy, NOW } from './oidc-kit.js';
import { exchange, world } from './support.js';

const STORED = 'session = "stored"\nback_channel_logout = "/oauth2/bye"';
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };

let tokens = 0;

async function logout(login: LoginPolicy, claims: { readonly [name: string]: Json }): Promise<number> {
  const token = await login.idToken({ jti: `j${++tokens}`, events: EVENTS, ...claims });
  const headers = [['content-type', 'application/x-www-form-urlencoded']] as const;
  const body = Buffer.from(`logout_token=${token}`);
  return (await login.policy.answer!(exchange({ method: 'POST', headers }), 'back-channel-logout', body)).status;
}

async function signedIn(login: LoginPolicy, claims: { readonly [name: string]: Json }): Promise<Browser> {
  login.claims = claims;
  const browser = new Browser();
  await login.login(browser);
  assert.ok(await login.identity(browser), 'signed in');
  return browser;
}

const isIn = async (login: LoginPolicy, browser: Browser): Promise<boolean> =>
  (await login.identity(browser)) !== undefined;

test('a session whose ID token had no sid ends with a logout token that has sid and sub', async () => {
  const login = await LoginPolicy.create(STORED);
  const unnamed = await signedIn(login, {});
  const named = await signedIn(login, { sid: 's1' });
  const other = await signedIn(login, { sid: 's2' });
  const eve = await signedIn(login, { sub: 'eve' });
  assert.is(await logout(login, { sid: 's1', sub: 'ann' }), 200);
  assert.equal(
    [await isIn(login, unnamed), await isIn(login, named), await isIn(login, other), await isIn(login, eve)],
    [false, false, true, true],
  );
  assert.ok(await isIn(login, await signedIn(login, {})), 'a new login');
});

test('a logout token with sid alone ends that session alone, one with sub all of the person', async () => {
  const login = await LoginPolicy.create(STORED);
  const unnamed = await signedIn(login, {});
  const named = await signedIn(login, { sid: 's1' });
  const other = await signedIn(login, { sid: 's2' });
  const state = async (): Promise<boolean[]> => [
    await isIn(login, unnamed),
    await isIn(login, named),
    await isIn(login, other),
  ];
  assert.is(await logout(login, { sid: 's1', sub: undefined as unknown as Json }), 200);
  assert.equal(await state(), [true, false, true]);
  assert.is(await logout(login, {}), 200);
  assert.equal(await state(), [false, false, false]);
});

test('a session stays the same one if only a refresh names the sid', async () => {
  const login = await LoginPolicy.create(STORED);
  const browser = await signedIn(login, {});
  login.claims = { sid: 's9' };
  login.pass(280);
  assert.ok(await isIn(login, browser), 'refreshed');
  assert.is(login.asked.at(-1)?.['do'], 'refresh');
  assert.ok(await isIn(login, browser));
  assert.is(await logout(login, { sid: 's9', sub: 'ann' }), 200);
  assert.not.ok(await isIn(login, browser));
});

test('a logout that could not end the sessions may be sent again with the same token', async () => {
  const around = Object.assign(world(), { wall: NOW * 1000 });
  const { marks } = around.stores;
  let down = false;
  around.stores = {
    ...around.stores,
    marks: {
      store: (identity) => {
        const store = marks.store(identity);
        return {
          get: (key) => store.get(key),
          set: (key, value, ttl) => store.set(key, value, ttl),
          delete: (key) => (down ? Promise.reject(new Error('down')) : store.delete(key)),
        };
      },
    },
  };
  const login = await LoginPolicy.create(STORED, { around });
  const browser = await signedIn(login, { sid: 's1' });
  down = true;
  assert.is(await logout(login, { jti: 'same', sid: 's1' }), 503);
  down = false;
  assert.is(await logout(login, { jti: 'same', sid: 's1' }), 200);
  assert.not.ok(await isIn(login, browser));
  assert.is(await logout(login, { jti: 'same', sid: 's1' }), 400);
});

test.run();
