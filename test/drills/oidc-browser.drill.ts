/** Logins in a real browser: what it does with cookies and redirects, not what we think it does. */
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { removeFolders, SpecFile, startGateway } from '../integration/control-kit.js';
import { env, specOf, startIssuer, startTarget, stopSite } from '../integration/oidc-kit.js';
import { Chromium, chromiumPath, type Tab } from '../support/chromium.js';
import { freePort } from '../support/ports.js';

const path = chromiumPath();
const open = new Set<Chromium>();
test.after.each(async () => {
  for (const browser of open) await browser.close();
  open.clear();
  await stopSite();
});
test.after(removeFolders);

const fixture = (name: string): string => join(resolve('test/integration/fixtures'), name);

/** A site over https at `localhost`. The issuer at `127.0.0.1` is another site for browsers. */
async function started() {
  const [issuer, target, port] = [await startIssuer(), await startTarget(), await freePort()];
  const base = `https://localhost:${port}`;
  const tls = `tls = { cert = "${fixture('tls-cert.pem')}", key = "${fixture('tls-key.pem')}" }`;
  const text = specOf({
    port,
    target,
    issuer: issuer.url,
    more: `fields = { x-user = "sub" }\nafter_logout = "/oauth2/login?return=/"\nsession = "stored"\nback_channel_logout = "/back"`,
  })
    .replace(/base_url = .*/, `base_url = "${base}"`)
    .replace('insecure_cookies = true', '')
    .replace(/(\[listener.main\]\n.*\n)/, `$1${tls}\n`);
  await startGateway({ spec: new SpecFile(text).path, env: env(issuer) });
  const browser = await Chromium.start(path!);
  open.add(browser);
  return { issuer, base, browser };
}

const signIn = (tab: Tab, user = 'ann'): Promise<void> =>
  tab.leave(`user.value = '${user}'; password.value = 'secret'; document.getElementById('go').click();`);

/** A site, and a tab in which ann has signed in on her way to this page. */
async function signedIn(page = '/') {
  const site = await started();
  const tab = await site.browser.tab(site.base + page);
  await tab.at(`${site.issuer.url}/authorize`);
  await signIn(tab);
  await tab.at(site.base + page);
  return { ...site, tab };
}

const userOf = async (tab: Tab): Promise<string> =>
  (JSON.parse(await tab.text()) as { headers: Record<string, string> }).headers['x-user'] ?? '';

if (path === undefined) {
  console.log('# skipped: logins in a browser need chromium');
} else {
  test('a person signs in, and the browser keeps the cookies from scripts and from other sites', async () => {
    const { base, browser, issuer, tab } = await signedIn('/orders?page=2');
    const got = JSON.parse(await tab.text()) as { headers: Record<string, string> };
    assert.equal([got.headers['x-user'], got.headers['cookie']], ['ann', undefined]);
    const cookies = await tab.cookies(base);
    const session = cookies.find(({ name }) => name === '__Host-gw-login.0');
    assert.equal(
      [session?.['httpOnly'], session?.['secure'], session?.['sameSite'], session?.['path'], session?.['session']],
      [true, true, 'Lax', '/', true],
    );
    assert.is(await tab.value('document.cookie'), '');
    // A script gets 401 in place of a redirect once the session is gone.
    const status = `fetch('/data').then((reply) => reply.status)`;
    assert.is(await tab.value(status), 200);
    const thief = await browser.tab(`${issuer.url}/authorize`);
    assert.is(
      await thief.value(`fetch('${base}/data', { credentials: 'include', mode: 'no-cors' }).then((r) => r.type)`),
      'opaque',
    );
  });

  test('two tabs sign in at once, and each returns to its page', async () => {
    const { base, browser, issuer } = await started();
    const tabs = [await browser.tab(`${base}/a`), await browser.tab(`${base}/b`)];
    for (const tab of tabs) await tab.at(`${issuer.url}/authorize`);
    for (const tab of tabs.reverse()) await signIn(tab);
    await tabs[0]!.at(`${base}/b`);
    await tabs[1]!.at(`${base}/a`);
    assert.equal([await userOf(tabs[0]!), await userOf(tabs[1]!)], ['ann', 'ann']);
  });

  test('a logout ends the session here and at the issuer; the next page asks for the password again', async () => {
    const { base, issuer, tab } = await signedIn();
    await tab.leave(`location.href = '/oauth2/logout'`);
    // By way of the issuer, and to its page again.
    await tab.at(`${issuer.url}/authorize`);
    assert.is(issuer.count('/logout'), 1);
    await signIn(tab, 'bob');
    await tab.at(`${base}/`);
    assert.is(await userOf(tab), 'bob');
  });

  test('a page of another site cannot end the session', async () => {
    const { base, browser, issuer, tab } = await signedIn();
    const evil = await browser.tab(`${issuer.url}/authorize`);
    await evil.leave(`location.href = '${base}/oauth2/logout'`);
    await evil.at(`${base}/oauth2/logout`);
    assert.match(await evil.text(), /oidc\/cross-site/);
    await tab.open(`${base}/`);
    assert.is(await userOf(tab), 'ann');
  });

  test('the issuer ends the session over the back channel', async () => {
    const { base, issuer, tab } = await signedIn();
    const token = await issuer.logoutToken({ sub: 'ann' });
    const sent = await tab.value(
      `fetch('/back', { method: 'POST', body: new URLSearchParams({ logout_token: '${token}' }) }).then((r) => r.status)`,
    );
    assert.is(sent, 200);
    assert.is(await tab.value(`fetch('/data').then((reply) => reply.status)`), 401);
    issuer.endSessions();
    await tab.open(`${base}/`);
    await tab.at(`${issuer.url}/authorize`);
  });
}

test.run();
