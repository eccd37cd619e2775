/** Cache deception: paths that look like static files and are answered with a page of the caller, whom an attacker made ask for them. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

const test = cacheSuite('cache deception');

const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

const ANN = { 'x-api-key': 'key-of-ann-0123456789' };
const BOB = { 'x-api-key': 'key-of-bob-0123456789' };

const CALLERS = `
[consumer.ann]
api_keys = ["${hashOf(ANN['x-api-key'])}"]
[consumer.bob]
api_keys = ["${hashOf(BOB['x-api-key'])}"]
[policy.who]
use = "api-key"
[policy.name]
use = "headers"
request.set.x-who = "{consumer.name}"
`;

/** Each is the account for an origin that ignores what follows, or reads the path in another way than gw. */
const TRICKS = [
  '/account/x.css',
  '/account/x.js',
  '/account;x.css',
  '/account;jsessionid=1/x.png',
  '/account%2Fx.css',
  '/account%252Fx.css',
  '/account%3Fx.css',
  '/account%23x.css',
  '/account%0Ax.css',
  '/account%00x.css',
  '/account/..%2Fstatic/x.css',
  '/static/%2e%2e/account',
  '/static/..%2Faccount',
  '/static/..;/account',
  '/account/./x.css',
  '/account//x.css',
  '/account/?x.css',
  '/ACCOUNT.css',
  '/account.css',
  '/account/x.css?a=1',
];

test('what a caller gets is never sent to another one, whatever the path looks like', async ({ bed }) => {
  // The worst case: replies that say nothing of caches are stored too.
  await bed.load(`${CALLERS}[policy.c]\nuse = "cache"\nttl = "60s"\n`, 'policies = ["who", "c", "name"]\n');
  bed.origin = (request) => ({ fields: { 'content-type': 'text/css' }, body: `page of ${request.header('x-who')}` });
  let answered = 0;
  for (const path of TRICKS) {
    const own = await bed.ask(path, ANN);
    if (own.status === 400) continue;
    answered++;
    assert.is(own.body.toString(), 'page of ann', path);
    assert.is((await bed.ask(path, BOB)).body.toString(), 'page of bob', path);
    assert.is((await bed.ask(path)).status, 401, path);
    assert.is((await bed.ask(path, ANN)).body.toString(), 'page of ann', path);
  }
  assert.ok(answered > 8, `${answered} paths`);
});

test('without a ttl, the look of a path or of Content-Type stores nothing', async ({ bed }) => {
  bed.origin = (request) => ({ fields: { 'content-type': 'text/css' }, body: request.header('cookie') ?? 'none' });
  for (const path of TRICKS) {
    const victim = await bed.ask(path, { cookie: 'session=1' });
    if (victim.status === 400) continue;
    assert.is(victim.body.toString(), 'session=1', path);
    assert.is((await bed.ask(path)).body.toString(), 'none', path);
  }
});

test('a stored reply answers only the path that it was stored for', async ({ bed }) => {
  bed.origin = (request) => ({ fields: { 'cache-control': 'max-age=60' }, body: request.url });
  await bed.ask('/account');
  for (const path of TRICKS) {
    const reply = await bed.ask(path);
    if (reply.status === 400) continue;
    // One of them is the account in another spelling, for the target too.
    assert.is(reply.body.toString() === '/account', path === '/static/%2e%2e/account', path);
    assert.is(reply.body.toString(), (await bed.ask(path)).body.toString(), path);
  }
});

test('with a ttl, pages by session cookie need the cookie in the key', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nttl = "60s"\nkey = { cookies = ["session"] }\n');
  bed.origin = (request) => ({ body: request.header('cookie') ?? 'none' });
  assert.is((await bed.ask('/account/x.css', { cookie: 'session=1' })).body.toString(), 'session=1');
  assert.is((await bed.ask('/account/x.css', { cookie: 'session=2' })).body.toString(), 'session=2');
  assert.is((await bed.ask('/account/x.css')).body.toString(), 'none');
});

test.run();
