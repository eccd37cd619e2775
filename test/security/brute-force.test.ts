/** Attempts to guess credentials are slowed, and do not lock a caller out; over sockets, with clients behind a trusted proxy. */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { genSaltSync, hashSync } from 'bcryptjs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Answer,
  call,
  closeAll,
  type Running,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  temporaryFolder,
  until,
} from '../integration/control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const SECRET = 'x'.repeat(32);

interface Settings {
  readonly authentication?: string;
  readonly attempts?: string;
  readonly workers?: number;
}

async function start({
  authentication = '',
  attempts = '',
}: Settings): Promise<Running & { readonly lines: () => string }> {
  const origin = await startOrigin();
  const access = join(temporaryFolder(), 'access.log');
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1/32"]
${authentication}
[service.orders]
targets = ["${origin.url}"]
[consumer.acme]
api_keys = ["sha256:${sha256('key-of-acme')}"]
[policy.keys]
use = "api-key"
[policy.people]
use = "basic"
users = "users"
${attempts}
[[route]]
name = "keys"
match = "GET /keys"
to = "orders"
policies = ["keys"]
[policy.tokens]
use = "jwt"
secret = "\${env:TOKEN_SECRET}"
audience = "orders"
[[route]]
name = "tokens"
match = "GET /tokens"
to = "orders"
policies = ["tokens"]
[[route]]
name = "people"
match = "GET /people"
to = "orders"
policies = ["people"]
`);
  writeFileSync(join(spec.folder, 'users'), `ada:${hashSync('open sesame', genSaltSync(4))}\n`);
  const running = await startGateway({
    spec: spec.path,
    env: { TOKEN_SECRET: SECRET },
    accessLog: { path: access, format: 'json' },
  });
  return { ...running, lines: () => readFileSync(access, 'utf8') };
}

const key = ({ url }: Running, from: string, value: string): Promise<Answer> =>
  call(`${url}/keys`, { headers: { 'x-forwarded-for': from, 'x-api-key': value } });

const login = ({ url }: Running, from: string, user: string, password: string): Promise<Answer> =>
  call(`${url}/people`, {
    headers: {
      'x-forwarded-for': from,
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    },
  });

const codeOf = ({ body }: Answer): string => (JSON.parse(body) as { type: string }).type;

test('wrong keys from one address get 429 above the rate, for all policies together; a valid key always passes', async () => {
  const gw = await start({ authentication: '[authentication]\nfailures = "5/min"' });
  for (let at = 0; at < 5; at++) assert.is((await key(gw, '192.0.2.1', `guess ${at}`)).status, 401);
  const slowed = await key(gw, '192.0.2.1', 'guess');
  assert.is(slowed.status, 429);
  assert.is(codeOf(slowed), 'urn:gw:problem:auth/too-many-failures');
  assert.match(slowed.headers['retry-after'] ?? '', /^([1-9]|1\d)$/);
  assert.is(slowed.headers['www-authenticate'], undefined);
  assert.is((await login(gw, '192.0.2.1', 'ada', 'guess')).status, 429, 'another policy');
  assert.is((await key(gw, '192.0.2.1', 'key-of-acme')).status, 200, 'a valid key');
  assert.is((await login(gw, '192.0.2.1', 'ada', 'open sesame')).status, 200, 'a valid password');
  assert.is((await key(gw, '192.0.2.2', 'guess')).status, 401, 'another address');
  assert.is(
    (await call(`${gw.url}/keys`, { headers: { 'x-forwarded-for': '192.0.2.1' } })).status,
    401,
    'no credential',
  );
});

test('an IPv6 network of one subscriber counts as one address', async () => {
  const gw = await start({ authentication: '[authentication]\nfailures = "3/min"' });
  for (let at = 0; at < 3; at++) assert.is((await key(gw, `2001:db8:1:2::${at + 1}`, 'guess')).status, 401);
  assert.is((await key(gw, '2001:db8:1:2:ffff::9', 'guess')).status, 429);
  assert.is((await key(gw, '2001:db8:1:3::1', 'guess')).status, 401);
});

const json64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(gw: Running, from: string, exp: number, secret = SECRET): Promise<Answer> {
  const text = `${json64({ alg: 'HS256' })}.${json64({ aud: 'orders', exp })}`;
  const signature = createHmac('sha256', secret).update(text).digest('base64url');
  return call(`${gw.url}/tokens`, {
    headers: { 'x-forwarded-for': from, authorization: `Bearer ${text}.${signature}` },
  });
}

test('tokens that have expired are no attempts: many clients behind one address may fetch new ones', async () => {
  const gw = await start({ authentication: '[authentication]\nfailures = "2/min"' });
  for (let at = 0; at < 10; at++) assert.is((await token(gw, '192.0.2.1', 1_700_000_000 + at)).status, 401);
  const soon = Math.floor(Date.now() / 1000) + 600;
  assert.is((await token(gw, '192.0.2.1', soon)).status, 200);
  for (let at = 0; at < 2; at++) assert.is((await token(gw, '192.0.2.1', soon, `guess ${at}`.repeat(5))).status, 401);
  assert.is((await token(gw, '192.0.2.1', soon, 'guess'.repeat(8))).status, 429);
});

test('requests without credentials are no attempts', async () => {
  const gw = await start({ authentication: '[authentication]\nfailures = "2/min"' });
  for (let at = 0; at < 10; at++)
    assert.is((await call(`${gw.url}/keys`, { headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 401);
  assert.is((await key(gw, '192.0.2.1', 'guess')).status, 401);
});

test('by default 60 a minute, and addresses of this machine are not limited; false is no limit', async () => {
  const gw = await start({});
  for (let at = 0; at < 60; at++) assert.is((await key(gw, '192.0.2.1', `guess ${at}`)).status, 401);
  const more = await Promise.all([...Array(5)].map(() => key(gw, '192.0.2.1', 'guess')));
  assert.ok(more.filter(({ status }) => status === 429).length >= 3);
  const here = await Promise.all([...Array(100)].map(() => key(gw, '127.0.0.1', 'guess')));
  assert.ok(here.every(({ status }) => status === 401));
  const off = await start({ authentication: '[authentication]\nfailures = false' });
  const all = await Promise.all([...Array(100)].map(() => key(off, '192.0.2.1', 'guess')));
  assert.ok(all.every(({ status }) => status === 401));
});

test('a stranger who guesses the password of a user does not lock the user out', async () => {
  const gw = await start({ attempts: 'attempts = "5/min"' });
  const home = '198.51.100.7';
  assert.is((await login(gw, home, 'ada', 'open sesame')).status, 200);
  // A crowd of addresses, each with few attempts.
  const crowd: number[] = [];
  for (let at = 0; at < 40; at++) crowd.push((await login(gw, `203.0.113.${at % 8}`, 'ada', `guess ${at}`)).status);
  assert.equal(new Set(crowd.slice(0, 5)), new Set([401]));
  assert.equal(new Set(crowd.slice(-8)), new Set([429]), 'each has had its three attempts');
  // From where the user was before: also a mistyped password is only a mistyped password.
  assert.is((await login(gw, home, 'ada', 'open sesame!')).status, 401);
  assert.is((await login(gw, home, 'ada', 'open sesame')).status, 200);
  // From elsewhere, and at an address of the crowd.
  assert.is((await login(gw, '192.0.2.99', 'ada', 'open sesame')).status, 200);
  assert.is((await login(gw, '203.0.113.1', 'ada', 'open sesame')).status, 200);
});

test('metrics count refusals by policy and reason; the access log has the code, and no log a credential', async () => {
  const gw = await start({ authentication: '[authentication]\nfailures = "2/min"' });
  await login(gw, '192.0.2.1', 'ada', 'hunter2');
  await login(gw, '192.0.2.1', 'hunter3', 'x');
  await login(gw, '192.0.2.1', 'ada', 'hunter4');
  await login(gw, '192.0.2.2', 'ada', 'open sesame');
  await key(gw, '192.0.2.2', 'hunter5');
  await call(`${gw.url}/keys`);
  const text = async (): Promise<string> => (await call('/metrics', { socketPath: gw.gateway.adminSocket! })).body;
  await until(async () => (await text()).includes('gw_refused_total{policy="keys",reason="auth/missing"} 1'));
  const counted = (await text()).split('\n').filter((line) => line.startsWith('gw_refused_total{'));
  assert.equal(counted.sort(), [
    'gw_refused_total{policy="keys",reason="auth/invalid"} 1',
    'gw_refused_total{policy="keys",reason="auth/missing"} 1',
    'gw_refused_total{policy="people",reason="auth/invalid"} 2',
    'gw_refused_total{policy="people",reason="auth/too-many-failures"} 1',
  ]);
  await until(() => gw.lines().split('\n').length > 6);
  const records = gw
    .lines()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { status: number; error: string | null; cause: string | null });
  assert.equal(records[2]?.error, 'auth/too-many-failures');
  assert.equal(records[2]?.cause, 'unknown user or wrong password; too many failed attempts');
  const all = gw.lines() + JSON.stringify(gw.log.lines) + JSON.stringify(gw.gateway.snapshot()) + (await text());
  for (const secret of ['hunter', 'open sesame', '$2b$', Buffer.from('ada:hunter2').toString('base64').slice(0, 8)])
    assert.not.ok(all.includes(secret), secret);
});

test.run();
