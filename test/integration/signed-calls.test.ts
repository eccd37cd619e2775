/** Calls of policies to services with upstream-auth, over sockets: signed, repeated, refused if they cannot be signed. */
import { createHash, createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import { type Answer, call, closeAll, removeFolders, SpecFile, startGateway, until } from './control-kit.js';
import { closeServers, type Got, startIssuer, startServer, tokenOf } from './upstream-kit.js';

test.after.each(async () => {
  await closeAll();
  await closeServers();
});
test.after(removeFolders);

const SECRET = 'the-secret-of-the-gateway';
process.env['CALLS_TEST_SECRET'] = SECRET;

interface Parts {
  readonly orders?: string;
  readonly auth: string;
  /** Keys of the upstream-auth policy of `auth`. */
  readonly sign: string;
  /** The policy of the route, which calls `auth`. */
  readonly asks?: string;
}

const FORWARD = 'use = "forward-auth"\nservice = "auth"\npath = "/check"\nsend = ["cookie", "x-c"]';

const specOf = ({ orders = 'http://127.0.0.1:1', auth, sign, asks = FORWARD }: Parts): string => `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${orders}"]
[service.auth]
targets = ["${auth}"]
policies = ["sign"]
[policy.sign]
use = "upstream-auth"
${sign}
[policy.asks]
${asks}
[[route]]
name = "orders"
match = "/orders"
to = "orders"
policies = ["asks"]
`;

async function start(parts: Parts) {
  const orders = await startServer((_got, response) => response.end('ok'));
  const running = await startGateway({ spec: new SpecFile(specOf({ orders: orders.url, ...parts })).path });
  const get = (headers: Record<string, string> = {}): Promise<Answer> => call(`${running.url}/orders`, { headers });
  return { ...running, orders, get };
}

const oauth2 = (url: string): string =>
  `oauth2 = { token_url = "${url}/token", client_id = "gw", client_secret = "\${env:CALLS_TEST_SECRET}" }`;

const BASIC = 'basic = { username = "gw", password = "${env:CALLS_TEST_SECRET}" }';

/** The authorization service: it accepts the gateway by its credential, and sessions by their cookie. */
const accepts = (credential: (got: Got) => boolean) =>
  startServer((got, response) => {
    const session = got.request.headers.cookie === 'session=ann';
    response.statusCode = credential(got) ? (session ? 200 : 403) : 401;
    response.end();
  });

const ANN = { cookie: 'session=ann' };

test('forward-auth to a service with a password: the service gets it, targets and clients do not', async () => {
  const password = `Basic ${Buffer.from(`gw:${SECRET}`).toString('base64')}`;
  const auth = await accepts((got) => tokenOf(got) === password);
  const { get, orders, log, gateway } = await start({ auth: auth.url, sign: BASIC });
  assert.is((await get({ ...ANN, authorization: 'Bearer of-client' })).status, 200);
  assert.is((await get()).status, 403);
  assert.equal(auth.got.map(tokenOf), [password, password]);
  assert.equal(orders.got.map(tokenOf), ['Bearer of-client']);
  assert.not.match(JSON.stringify([log, gateway.snapshot()]), password.slice(6));
});

test('forward-auth to a service with client credentials: one token, and another one after a 401', async () => {
  const issuer = await startIssuer();
  const revoked = new Set<string>();
  const auth = await accepts((got) => tokenOf(got).startsWith('Bearer ey') && !revoked.has(tokenOf(got)));
  const { get } = await start({ auth: auth.url, sign: oauth2(issuer.url) });
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(ANN)));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.is(issuer.forms.length, 1);
  revoked.add(tokenOf(auth.got[0]!));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is((await get(ANN)).status, 200);
  assert.equal([auth.got.length, issuer.forms.length], [22, 2]);
});

test('while the token server is down, requests get 503, and the service is not asked', async () => {
  const issuer = await startIssuer();
  issuer.state.status = 500;
  const auth = await accepts(() => true);
  const { get } = await start({ auth: auth.url, sign: oauth2(issuer.url) });
  const { status, body } = await get(ANN);
  const { type } = JSON.parse(body) as { type: string };
  assert.equal([status, type, auth.got.length], [503, 'urn:gw:problem:auth/unavailable', 0]);
  assert.not.match(body, SECRET);
  issuer.state.status = 200;
  await until(async () => (await get(ANN)).status === 200, 'the first token');
});

test('forward-auth to a service with a signed token', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  process.env['CALLS_TEST_KEY'] = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const auth = await accepts((got) => {
    const [head = '', payload = '', signature = ''] = tokenOf(got).slice('Bearer '.length).split('.');
    return verify(null, Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature, 'base64url'));
  });
  const sign =
    'jwt = { key = "${env:CALLS_TEST_KEY}", issuer = "gw", audience = "auth", claims = { path = "{request.path}" } }';
  const { get } = await start({ auth: auth.url, sign });
  assert.is((await get(ANN)).status, 200);
  const payload = JSON.parse(Buffer.from(tokenOf(auth.got[0]!).split('.')[1]!, 'base64url').toString()) as object;
  assert.equal(
    { ...payload, iat: 0, exp: 0, jti: '' },
    {
      iss: 'gw',
      aud: 'auth',
      path: '/orders',
      iat: 0,
      exp: 0,
      jti: '',
    },
  );
});

test('forward-auth to a service with message signatures: the body is covered by its digest', async () => {
  process.env['CALLS_TEST_HMAC'] = 'h'.repeat(40);
  const auth = await startServer((_got, response) => response.end());
  const components = 'components = ["@method", "@target-uri", "content-type"]';
  const { url } = await start({
    auth: auth.url,
    sign: `signature = { key_id = "gw", key = "\${env:CALLS_TEST_HMAC}", algorithm = "hmac-sha256", ${components} }`,
    asks: `${FORWARD}\nbody = "1KiB"`,
  });
  const body = '{"order":1}';
  const headers = { 'content-type': 'application/json' };
  assert.is((await call(`${url}/orders`, { method: 'POST', headers, body })).status, 200);
  const [{ request, body: got } = { request: undefined, body: '' }] = auth.got;
  assert.is(got, body);
  const fields = request!.headers;
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
  const params = fields['signature-input']!.toString().slice('sig1='.length);
  assert.match(params, '("@method" "@target-uri" "content-type" "content-digest")');
  const base = [
    '"@method": POST',
    `"@target-uri": http://${request!.headers.host}/check`,
    '"content-type": application/json',
    `"content-digest": ${digest}`,
    `"@signature-params": ${params}`,
  ].join('\n');
  assert.is(fields['content-digest'], digest);
  assert.is(fields['signature'], `sig1=:${createHmac('sha256', 'h'.repeat(40)).update(base).digest('base64')}:`);
});

test('introspect and authzen ask services with credentials of gw', async () => {
  const auth = await startServer((got, response) => {
    response.setHeader('content-type', 'application/json');
    response.statusCode = tokenOf(got).startsWith('Basic ') ? 200 : 401;
    response.end(JSON.stringify({ active: true, decision: true, aud: 'a' }));
  });
  for (const asks of [
    'use = "introspect"\nservice = "auth"\npath = "/introspect"\naudience = "a"',
    'use = "authzen"\nservice = "auth"\nsubject = { type = "user", id = "{request.header.x-who}" }\ncache = { ttl = "1min" }',
  ]) {
    const { get } = await start({ auth: auth.url, sign: BASIC, asks });
    const before = auth.got.length;
    assert.is((await get({ authorization: 'Bearer token', 'x-who': 'ann' })).status, 200, asks);
    assert.is(auth.got.length, before + 1);
    await closeAll();
  }
});

test('a kept answer depends on no credential of a caller: the call for it has none, and fails', async () => {
  const auth = await startServer((_got, response) => response.end());
  const sign = 'fields = { x-tenant = "{request.header.x-t}" }';
  const asking = await start({ auth: auth.url, sign });
  assert.is((await asking.get({ ...ANN, 'x-t': 'acme' })).status, 200);
  assert.is((await asking.get(ANN)).status, 503);
  assert.equal(
    auth.got.map(({ request }) => request.headers['x-tenant']),
    ['acme'],
  );
  await closeAll();
  const keeping = await start({ auth: auth.url, sign, asks: `${FORWARD}\ncache = { ttl = "1min" }` });
  assert.is((await keeping.get({ ...ANN, 'x-t': 'acme' })).status, 503);
});

test('explain signs calls too, with mocks of the service and of the token server', async () => {
  const { path } = new SpecFile(specOf({ auth: 'http://127.0.0.1:2', sign: oauth2('http://127.0.0.1:3') }));
  const explain = (...mocks: string[]) =>
    gw(['explain', 'GET', '/orders', path, ...mocks.flatMap((mock) => ['--mock', mock])], { cwd: dirname(path) });
  const missing = await explain('auth=200', 'orders=200');
  assert.match(missing.out, 'would call http://127.0.0.1:3: POST /token');
  const token = 'token-of-the-mock';
  const reply = { access_token: token, token_type: 'Bearer', expires_in: 60 };
  writeFileSync(join(dirname(path), 'token.json'), JSON.stringify(reply));
  const given = await explain('auth=200', 'orders=200', 'http://127.0.0.1:3=200:token.json');
  assert.match(given.out, 'auth: GET /check (authorization added): 200 (mock)');
  assert.not.match(given.out, token);
});

test.run();
