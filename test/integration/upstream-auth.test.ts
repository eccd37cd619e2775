/** Credentials for services over sockets: a real token server, rotation, outage, a 401 and its repeat, AWS by instance metadata. */
import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { dirname } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { authorization, sha256 } from '../../src/policies/upstream-auth/aws/sigv4.js';
import { gw } from '../cli/kit.js';
import { type Answer, call, closeAll, removeFolders, SpecFile, startGateway, until } from './control-kit.js';
import { closeServers, startIssuer, startServer, tokenOf } from './upstream-kit.js';

test.after.each(async () => {
  await closeAll();
  await closeServers();
});
test.after(removeFolders);

const SECRET = 'the-secret-of-the-client';

const specOf = (target: string, policy: string): string => `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
host = "target"
policies = ["sign"]
[policy.sign]
use = "upstream-auth"
${policy}
[[route]]
name = "orders"
match = "/orders"
to = "orders"
`;

const oauth2 = (url: string): string =>
  `oauth2 = { token_url = "${url}/token", client_id = "gw", client_secret = "\${env:UPSTREAM_TEST_SECRET}", scope = "orders" }`;

async function start(target: string, policy: string) {
  process.env['UPSTREAM_TEST_SECRET'] = SECRET;
  const running = await startGateway({ spec: new SpecFile(specOf(target, policy)).path });
  const get = (headers: Record<string, string> = {}): Promise<Answer> => call(`${running.url}/orders`, { headers });
  return { ...running, get };
}

test('client credentials: one token of a real server for both workers; clients cannot supply theirs', async () => {
  const issuer = await startIssuer();
  const target = await startServer((_got, response) => response.end('ok'));
  const { get, gateway, log } = await start(target.url, oauth2(issuer.url));
  const answers = await Promise.all(Array.from({ length: 20 }, () => get({ authorization: 'Bearer forged' })));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.is(issuer.forms.length, 1);
  assert.equal([issuer.forms[0]!['grant_type'], issuer.forms[0]!['scope']], ['client_credentials', 'orders']);
  assert.is(new Set(target.got.map(tokenOf)).size, 1);
  assert.match(tokenOf(target.got[0]!), /^Bearer ey/);
  const known = JSON.stringify([log, gateway.snapshot()]);
  for (const secret of [SECRET, tokenOf(target.got[0]!).slice(7)]) assert.not.match(known, secret);
});

test('a target that answers 401 gets one repeat with another token', async () => {
  const issuer = await startIssuer();
  const revoked = new Set<string>();
  const target = await startServer((got, response) => {
    response.statusCode = revoked.has(tokenOf(got)) ? 401 : 200;
    response.end();
  });
  const { get } = await start(target.url, oauth2(issuer.url));
  assert.is((await get()).status, 200);
  revoked.add(tokenOf(target.got[0]!));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is((await get()).status, 200);
  assert.equal([target.got.length, issuer.forms.length], [3, 2]);
});

test('a request with a body is repeated after a 401 if the policy collects bodies', async () => {
  const issuer = await startIssuer();
  const revoked = new Set<string>();
  const target = await startServer((got, response) => {
    response.statusCode = revoked.has(tokenOf(got)) ? 401 : 200;
    response.end();
  });
  const { url } = await start(target.url, oauth2(issuer.url).replace(' }', ', max_body = "1KiB" }'));
  const post = async (body: string): Promise<number> =>
    (await call(`${url}/orders`, { method: 'POST', body, headers: { 'content-encoding': 'br' } })).status;
  assert.is(await post('first'), 200);
  revoked.add(tokenOf(target.got[0]!));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.is(await post('second'), 200);
  assert.equal(
    target.got.map(({ body }) => body),
    ['first', 'second', 'second'],
  );
  assert.is(await post('x'.repeat(2000)), 413);
});

test('an outage of the token server: the token serves on; without one requests get 503 with the cause in the log', async () => {
  const issuer = await startIssuer(8);
  const target = await startServer((_got, response) => response.end('ok'));
  const { get } = await start(target.url, oauth2(issuer.url));
  assert.is((await get()).status, 200);
  issuer.state.status = 500;
  assert.is((await get()).status, 200);
  await until(async () => (await get()).status === 503, 'the end of the token');
  const { status, headers, body } = await get();
  const problem = JSON.parse(body) as { type: string };
  assert.equal([status, problem.type], [503, 'urn:gw:problem:upstream/credentials']);
  assert.is(headers['retry-after'], '5');
  assert.not.match(body, SECRET);
  issuer.state.status = 200;
  issuer.state.expiresIn = 3600;
  await until(async () => (await get()).status === 200, 'the next token');
});

test('token exchange: the token of each caller becomes another one', async () => {
  const exchanged = await startServer(({ body }, response) => {
    const subject = new URLSearchParams(body).get('subject_token') ?? '';
    response.statusCode = subject === 'expired' ? 400 : 200;
    response.setHeader('content-type', 'application/json');
    const granted = { access_token: `for-${subject}`, token_type: 'Bearer', issued_token_type: 'x', expires_in: 300 };
    response.end(JSON.stringify(subject === 'expired' ? { error: 'invalid_grant' } : granted));
  });
  const target = await startServer((_got, response) => response.end('ok'));
  const policy = oauth2(exchanged.url).replace('oauth2', 'token_exchange');
  const { get } = await start(target.url, policy);
  for (const who of ['ann', 'bob', 'ann']) await get({ authorization: `Bearer ${who}` });
  assert.equal(target.got.map(tokenOf), ['Bearer for-ann', 'Bearer for-bob', 'Bearer for-ann']);
  assert.is(exchanged.got.length, 2);
  const expired = await get({ authorization: 'Bearer expired' });
  assert.equal(
    [expired.status, expired.headers['www-authenticate']],
    [401, 'Bearer realm="api", error="invalid_token"'],
  );
  assert.is((await get()).status, 401);
  assert.is(target.got.length, 3);
});

test('AWS: credentials of the instance metadata, renewed; the signature is right for what the target gets', async () => {
  let round = 0;
  const metadata = await startServer(({ request }, response) => {
    const { url = '' } = request;
    if (url === '/latest/api/token') return void response.end('session');
    if (request.headers['x-aws-ec2-metadata-token'] !== 'session') return void response.writeHead(401).end();
    if (url.endsWith('/security-credentials/')) return void response.end('role');
    round++;
    const Expiration = new Date(Date.now() + 310_000).toISOString();
    response.end(
      JSON.stringify({ AccessKeyId: `AKID${round}`, SecretAccessKey: 'aws-secret', Token: 'aws-token', Expiration }),
    );
  });
  const target = await startServer((_got, response) => response.end('ok'));
  process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = metadata.url;
  try {
    const policy = 'aws = { service = "execute-api", region = "eu-central-1", source = "instance" }';
    const { url, gateway, log } = await start(target.url, policy);
    const body = '{"a":1}';
    const headers = { 'content-type': 'application/json', 'x-amz-date': 'forged' };
    assert.is((await call(`${url}/orders?b=2&a=1`, { method: 'POST', headers, body })).status, 200);
    const [{ request } = { request: undefined }] = target.got;
    const fields = request!.headers;
    const signed = ['content-type', 'host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'];
    const expected = authorization(
      {
        method: 'POST',
        target: request!.url!,
        headers: signed.map((name) => [name, String(fields[name])] as const),
        payload: sha256(body),
      },
      { accessKeyId: 'AKID1', secretAccessKey: 'aws-secret' },
      { region: 'eu-central-1', service: 'execute-api' },
      String(fields['x-amz-date']),
    );
    assert.is(fields['authorization'], expected);
    assert.is(fields['x-amz-security-token'], 'aws-token');
    assert.not.match(JSON.stringify([log, gateway.snapshot()]), /aws-secret|aws-token/);
    await until(() => round > 1, 'the renewal', 15_000);
  } finally {
    delete process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
  }
});

test('what is signed is what the target gets: bodies with a content coding, fields that Connection removes', async () => {
  const target = await startServer((_got, response) => response.end('ok'));
  process.env['UPSTREAM_TEST_HMAC'] = 'h'.repeat(40);
  const components = '["@method", "@target-uri", "x-note", "connection", "content-encoding"]';
  const { url } = await start(
    target.url,
    `signature = { key_id = "gw", key = "\${env:UPSTREAM_TEST_HMAC}", algorithm = "hmac-sha256", components = ${components} }`,
  );
  const headers = { 'content-encoding': 'gzip', connection: 'close, x-note', 'x-note': 'for gw' };
  const body = 'not really gzip';
  assert.is((await call(`${url}/orders`, { method: 'POST', headers, body })).status, 200);
  const [{ request, body: got } = { request: undefined, body: '' }] = target.got;
  const fields = request!.headers;
  assert.is(got, body);
  const covered = '("@method" "@target-uri" "content-encoding" "content-digest")';
  const params = fields['signature-input']!.toString().slice('sig1='.length);
  assert.is(params.slice(0, covered.length), covered);
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
  const base = [
    '"@method": POST',
    `"@target-uri": ${target.url}/orders`,
    '"content-encoding": gzip',
    `"content-digest": ${digest}`,
    `"@signature-params": ${params}`,
  ].join('\n');
  assert.is(fields['signature'], `sig1=:${createHmac('sha256', 'h'.repeat(40)).update(base).digest('base64')}:`);
  assert.is(fields['content-digest'], digest);
});

test('a private key of several lines is loaded: PEM, and a JWK', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const jwk = JSON.stringify(privateKey.export({ format: 'jwk' }), undefined, 2);
  const target = await startServer((_got, response) => response.end('ok'));
  for (const text of [pem, jwk]) {
    process.env['UPSTREAM_TEST_KEY'] = text;
    const { get } = await start(target.url, 'jwt = { key = "${env:UPSTREAM_TEST_KEY}", audience = "orders" }');
    assert.is((await get()).status, 200);
    assert.match(tokenOf(target.got.at(-1)!), /^Bearer ey/);
  }
});

test('explain says that a credential is added, without its value', async () => {
  const { path } = new SpecFile(specOf('http://127.0.0.1:1', 'fields = { x-key = "${env:UPSTREAM_TEST_SECRET}" }'));
  process.env['UPSTREAM_TEST_SECRET'] = SECRET;
  for (const more of [[], ['--json']]) {
    const { code, out, err } = await gw(['explain', 'GET', '/orders', path, '--mock', 'orders=200', ...more], {
      cwd: dirname(path),
    });
    assert.is(code, 0, err);
    assert.match(out, 'x-key: (not shown)');
    assert.not.match(out, SECRET);
  }
  const aws = new SpecFile(specOf('http://127.0.0.1:1', 'aws = { service = "s3", region = "r" }'));
  const { out } = await gw(['explain', 'GET', '/orders', aws.path], { cwd: dirname(aws.path) });
  assert.match(out, 'to give it: --published sign=FILE');
});

test('a bundle has references, not secrets', async () => {
  const { compile } = await import('../../src/compiler/index.js');
  const { checkSpec } = await import('../../src/lint/index.js');
  process.env['UPSTREAM_TEST_SECRET'] = SECRET;
  const { value } = checkSpec({
    path: 'gateway.toml',
    text: specOf('http://127.0.0.1:1', oauth2('http://127.0.0.1:2')),
  });
  const text = JSON.stringify(compile(value!).bundle.program);
  assert.match(text, 'UPSTREAM_TEST_SECRET');
  assert.not.match(text, SECRET);
});

test.run();
