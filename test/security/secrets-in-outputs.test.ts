/**
 * No secret is in anything that gw writes: credentials of every kind are used, rightly and wrongly, and all outputs are searched.
 * Answers of targets are not outputs of gw; the target of this test says nothing about what it got.
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { genSaltSync, hashSync } from 'bcryptjs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import {
  call,
  closeAll,
  removeFolders,
  SpecFile,
  serveHttp,
  startGateway,
  startOrigin,
  until,
} from '../integration/control-kit.js';
import { VaultServer } from '../support/vault.js';

const vault = new VaultServer();
test.after.each(closeAll);
test.after(() => {
  vault.close();
  removeFolders();
});

const SECRETS = {
  apiKey: 'gw_apikey5ecretOfAcme0123456789abcdef',
  wrongKey: 'gw_wrongkey5ecret0123456789abcdefghij',
  password: 'password-5ecret-of-ann',
  wrongPassword: 'wrong-password-5ecret',
  hook: 'hook-5ecret-0123456789-0123456789-ab',
  jwt: 'jwt-5ecret-0123456789-0123456789-0123',
  session: 'session-5ecret-0123456789-0123456789',
  client: 'client-5ecret-0123456789',
  introspection: 'introspection-5ecret-0123456789',
  vaultToken: 'vault-token-5ecret-0123456789',
  upstream: 'upstream-5ecret-0123456789',
  upstreamPassword: 'upstream-password-5ecret-0123456789',
  opaque: 'opaque-token-5ecret-0123456789',
  hmac: 'hmac-5ecret-0123456789-0123456789-01',
  admin: 'admin-token-5ecret-0123456789',
  code: 'code-5ecret-0123456789',
  tokenSecret: 'token-endpoint-5ecret/0123456789+0123',
  granted: 'granted-token-5ecret-0123456789',
  awsSecret: 'aws-5ecret-0123456789-0123456789',
  awsSession: 'aws-session-5ecret-0123456789',
  signingSecret: 'signing-5ecret-0123456789-0123456789-012',
  ofConsumer: 'of-consumer-5ecret-0123456789',
} as const;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(claims: object): string {
  const head = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
  return `${head}.${createHmac('sha256', SECRETS.jwt).update(head).digest('base64url')}`;
}

const env = {
  ...process.env,
  HOOK: SECRETS.hook,
  JWT: SECRETS.jwt,
  SESSION: SECRETS.session,
  CLIENT: SECRETS.client,
  INTROSPECTION: SECRETS.introspection,
  VAULT_TOKEN: SECRETS.vaultToken,
  UPSTREAM_PASSWORD: SECRETS.upstreamPassword,
  HMAC: SECRETS.hmac,
  ADMIN: SECRETS.admin,
  TOKEN_SECRET: SECRETS.tokenSecret,
  AWS_SECRET: SECRETS.awsSecret,
  AWS_SESSION: SECRETS.awsSession,
  SIGNING: SECRETS.signingSecret,
  OF_CONSUMER: SECRETS.ofConsumer,
};

/** Policies of upstream-auth, by the routes that use them. `tokens`: URL of the token server. */
const upstream = (tokens: string): { readonly [route: string]: string } => ({
  'up-oauth': `oauth2 = { token_url = "${tokens}/good", client_id = "gw", client_secret = "\${env:TOKEN_SECRET}" }`,
  'up-quoted': `oauth2 = { token_url = "${tokens}/bad", client_id = "gw", client_secret = "\${env:TOKEN_SECRET}" }`,
  'up-posted': `oauth2 = { token_url = "${tokens}/bad", client_id = "gw", client_secret = "\${env:TOKEN_SECRET}", client_auth = "client_secret_post" }`,
  'up-exchange': `token_exchange = { token_url = "${tokens}/bad", client_id = "gw", client_secret = "\${env:TOKEN_SECRET}" }`,
  'up-jwt': 'jwt = { key = "${env:SIGNING}", algorithm = "HS256", audience = "it" }',
  'up-signed': 'signature = { key_id = "gw", key = "${env:SIGNING}", algorithm = "hmac-sha256" }',
  'up-aws':
    'aws = { service = "s3", region = "eu", access_key_id = "AKID", secret_access_key = "${env:AWS_SECRET}", session_token = "${env:AWS_SESSION}" }',
  'up-consumer': 'per_consumer = { acme = "${env:OF_CONSUMER}" }',
});

/** Grants a token, or refuses and quotes all that it got. */
const startTokenServer = () =>
  serveHttp((incoming, reply) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const good = incoming.url === '/good';
      const got = `${Buffer.concat(parts).toString()} ${incoming.headers.authorization}`;
      const pair = Buffer.from(incoming.headers.authorization?.slice(6) ?? '', 'base64').toString();
      const refusal = { error: 'invalid_grant', error_description: `${pair} ${decodeURIComponent(pair)} ${got}` };
      reply.writeHead(good ? 200 : 400, { 'content-type': 'application/json' });
      reply.end(JSON.stringify(good ? { access_token: SECRETS.granted, token_type: 'Bearer' } : refusal));
    });
  });

const specOf = (target: string, vaultAddress: string, tokens: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
token = "\${env:ADMIN}"
[vault]
address = "${vaultAddress}"
token = "\${env:VAULT_TOKEN}"
[service.it]
targets = ["${target}"]
[service.dead]
targets = ["http://127.0.0.1:9"]
[consumer.acme]
[[consumer.acme.credentials]]
name = "ci"
key = "sha256:${sha256(SECRETS.apiKey)}"
[[consumer.acme.credentials]]
username = "ann"
password = ${JSON.stringify(hashSync(SECRETS.password, genSaltSync(4)))}
[[consumer.acme.credentials]]
key_id = "partner"
algorithm = "hmac-sha256"
secret = "\${env:HMAC}"
[policy.keys]
use = "api-key"
header = "x-api-key"
query = "api_key"
[policy.people]
use = "basic"
[policy.hooks]
use = "webhook"
format = "github"
secrets = "\${env:HOOK}"
[policy.tokens]
use = "jwt"
issuer = "https://id.example.com"
audience = "shop"
secret = "\${env:JWT}"
[policy.login]
use = "oidc"
issuer = "http://127.0.0.1:9"
client_id = "shop"
client_secret = "\${env:CLIENT}"
base_url = "https://shop.example.com"
session_secrets = ["\${env:SESSION}"]
[policy.opaque]
use = "introspect"
url = "http://127.0.0.1:9/introspect"
client_id = "gw"
client_secret = "\${env:INTROSPECTION}"
[policy.signed]
use = "http-signature"
[policy.up]
use = "upstream-auth"
fields = { x-backend = "\${vault:secret/shop#token}" }
[policy.up-basic]
use = "upstream-auth"
basic = { username = "gw", password = "\${env:UPSTREAM_PASSWORD}" }
${['keys', 'people', 'hooks', 'tokens', 'login', 'opaque', 'signed']
  .map((name) => `[[route]]\nmatch = "/${name}"\nto = "it"\npolicies = ["${name}", "up"]\n`)
  .join('')}
${Object.entries(upstream(tokens))
  .map(
    ([name, keys]) =>
      `[policy.${name}]\nuse = "upstream-auth"\n${keys}\n[[route]]\nmatch = "/${name}"\nto = "it"\npolicies = ["keys", "${name}"]\n`,
  )
  .join('')}
[[route]]
match = "/dead"
to = "dead"
policies = ["keys", "up-basic"]
`;

/** Sends bytes and reads until the connection ends or nothing more comes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (bytes) => (got += bytes.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
  });
}

test('no secret is in logs, records, decisions, metrics, bundles, explanations, errors or answers', async () => {
  const vaultAddress = await vault.open();
  vault.issue(SECRETS.vaultToken);
  vault.write('secret/shop', { token: SECRETS.upstream });
  const origin = await startOrigin();
  const tokens = await startTokenServer();
  const text = specOf(origin.url, vaultAddress, tokens.url);
  const spec = new SpecFile(text);
  const access = join(spec.folder, 'access.log');
  const { url, port, gateway, log } = await startGateway({
    spec: spec.path,
    env,
    accessLog: { path: access, format: 'json' },
  }).catch((error: unknown) => {
    throw new Error(String((error as { diagnostics?: string }).diagnostics ?? error));
  });
  const events: string[] = [];
  const stream = request(
    { socketPath: gateway.adminSocket ?? '', path: '/events?requests=1&decisions=1', agent: false },
    (response) => response.setEncoding('utf8').on('data', (chunk: string) => events.push(chunk)),
  );
  stream.end();
  await until(() => events.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));

  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const signature = `sha256=${createHmac('sha256', SECRETS.hook).update('x').digest('hex')}`;
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://id.example.com', aud: 'shop', sub: 'ada', exp: now + 600 };
  const token = tokenOf(claims);
  const expired = tokenOf({ ...claims, exp: now - 600 });
  const answers: unknown[] = [];
  const statuses: number[] = [];
  const ask = async (path: string, headers: Record<string, string> = {}, body?: string): Promise<void> => {
    const answer = await call(url + path, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
    answers.push(answer.headers, path.startsWith('/dead') || answer.status >= 400 ? answer.body : '');
    statuses.push(answer.status);
  };
  await ask('/keys', { 'x-api-key': SECRETS.apiKey });
  await ask('/keys', { 'x-api-key': SECRETS.wrongKey });
  await ask(`/keys?api_key=${SECRETS.apiKey}&page=2`);
  await ask(`/keys?api%5Fkey=${SECRETS.wrongKey}`);
  await ask(`/keys?api_key=${SECRETS.apiKey}`, { 'x-api-key': SECRETS.wrongKey });
  await ask(`/nowhere?api_key=${SECRETS.apiKey}`);
  await ask(`/dead?api_key=${SECRETS.apiKey}`);
  await ask('/dead', { 'x-api-key': SECRETS.apiKey });
  await ask('/people', { authorization: basic('ann', SECRETS.password) });
  await ask('/people', { authorization: basic('ann', SECRETS.wrongPassword) });
  await ask('/people', { authorization: `Basic ${SECRETS.wrongPassword}` });
  await ask('/hooks', { 'x-hub-signature-256': signature }, 'x');
  await ask('/hooks', { 'x-hub-signature-256': signature }, 'y');
  await ask('/tokens', { authorization: `Bearer ${token}` });
  await ask('/tokens', { authorization: `Bearer ${expired}` });
  await ask('/tokens', { authorization: `Bearer ${SECRETS.opaque}` });
  await ask('/login');
  await ask(`/oauth2/callback?code=${SECRETS.code}&state=x`);
  await ask('/opaque', { authorization: `Bearer ${SECRETS.opaque}` });
  await ask('/signed', {
    signature: `s=:${Buffer.from(SECRETS.wrongKey).toString('base64')}:`,
    'signature-input': 's=();keyid="partner"',
  });
  for (const name of Object.keys(upstream(tokens.url)))
    await ask(`/${name}`, { 'x-api-key': SECRETS.apiKey, authorization: `Bearer ${SECRETS.opaque}` });
  assert.equal(statuses.slice(-8), [200, 503, 503, 401, 200, 200, 200, 200]);
  await ask('/keys', { 'x-api-key': SECRETS.apiKey, referer: `http://x/?api_key=${SECRETS.apiKey}` });
  assert.ok(statuses.filter((status) => status === 200).length >= 6, statuses.join());
  assert.ok(statuses.filter((status) => status === 401).length >= 7, statuses.join());
  for (const text of [
    `GET /keys HTTP/1.1\r\nHost: a\r\nx-api-key: ${SECRETS.apiKey}\x01\r\n\r\n`,
    `GET /keys HTTP/1.1\r\nHost: a\r\nx_api_key: ${SECRETS.apiKey}\r\n\r\n`,
    `GET /keys?api_key=${SECRETS.apiKey} HTTP/1.1\r\n\r\n`,
    `GET /keys?api_key=${SECRETS.apiKey}#x HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /%zz?api_key=${SECRETS.apiKey} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${SECRETS.opaque}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    `GET http://gw:${SECRETS.wrongPassword}@a/keys HTTP/1.1\r\nHost: a\r\n\r\n`,
  ])
    answers.push(await raw(port, text));

  // A reload that is rejected, with secrets near the place of an error, and a Vault that fails.
  spec.write(`${text}\n[policy.bad]\nuse = "basic"\noops = 1 # password = "${SECRETS.password}"\n`);
  assert.is((await gateway.reload())?.outcome, 'rejected');
  vault.outage = (reply) => reply.writeHead(500).end('no');

  const socketPath = gateway.adminSocket!;
  const outputs = new Map<string, string>();
  const explain: string[] = [];
  spec.write(text);
  writeFileSync(join(spec.folder, 'body'), 'x');
  for (const [path, header] of [
    [`/keys?api_key=${SECRETS.apiKey}`, 'accept: */*'],
    ['/keys', `x-api-key: ${SECRETS.wrongKey}`],
    ['/people', `authorization: ${basic('ann', SECRETS.wrongPassword)}`],
    ['/tokens', `authorization: Bearer ${expired}`],
    ['/opaque', `authorization: Bearer ${SECRETS.opaque}`],
    ['/dead', `x-api-key: ${SECRETS.apiKey}`],
    ...Object.keys(upstream('')).map((name) => [`/${name}`, `x-api-key: ${SECRETS.apiKey}`] as const),
  ] as const) {
    const { out, err } = await gw(['explain', 'GET', path, spec.path, '-H', header, '--json'], {
      cwd: spec.folder,
      env,
    });
    // The arguments of a command are those of its user; its findings must not repeat them.
    explain.push(out.replace(/"(?:headers|request)":\s*[[{][^\]}]*[\]}]/g, ''), err);
  }
  for (const flag of [
    ['--key', SECRETS.apiKey],
    ['--token', token],
  ]) {
    const path = flag[0] === '--key' ? '/keys' : '/tokens';
    const { out, err } = await gw(['explain', 'GET', path, spec.path, ...flag, '--json'], { cwd: spec.folder, env });
    explain.push(out, err);
  }
  const compiled = join(spec.folder, 'bundle.gwb');
  const { err } = await gw(['compile', spec.path, '-o', compiled, '--include-consumers'], { cwd: spec.folder, env });
  await until(() => events.join('').includes('/signed'), 'the records of all requests');
  await until(() => readFileSync(access, 'utf8').includes('/signed'));
  stream.destroy();
  outputs.set('access log', readFileSync(access, 'utf8'));
  outputs.set('operational log', JSON.stringify(log.lines));
  outputs.set('events', events.join(''));
  for (const path of ['/snapshot', '/metrics', '/consumers', '/consumers/acme', '/readyz'])
    outputs.set(path, (await call(path, { socketPath })).body);
  outputs.set('snapshot', JSON.stringify(gateway.snapshot()));
  outputs.set('bundle', readFileSync(compiled, 'latin1'));
  outputs.set('compile', err);
  outputs.set('explain', explain.join('\n'));
  outputs.set('answers', JSON.stringify(answers));

  const hidden = { ...SECRETS, token, expired, signature: signature.slice(7), hash: sha256(SECRETS.apiKey) };
  const found: string[] = [];
  for (const [kind, secret] of Object.entries(hidden))
    for (const [place, text] of outputs) {
      // A bundle has the hashes of keys: it looks consumers up by them.
      if (kind === 'hash' && place === 'bundle') continue;
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        encodeURIComponent(secret),
      ])
        if (text.includes(form))
          found.push(`${kind} in ${place}: ${text.slice(text.indexOf(form) - 120, text.indexOf(form) + 10)}`);
    }
  assert.equal([...new Set(found)], []);
  assert.match(outputs.get('bundle')!, 'acme');
  assert.match(outputs.get('explain')!, 'keys');
});

test('what explain shows has references in place of their values', async () => {
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.it]
targets = ["http://127.0.0.1:9"]
[policy.edit]
use = "headers"
request.set = { authorization = "Bearer \${env:UPSTREAM_PASSWORD}" }
reply.set = { x-reply = "\${env:UPSTREAM_PASSWORD}" }
[[route]]
match = "/it"
to = "it"
policies = ["edit"]
[[route]]
match = "/reply"
reply = { status = 200, body = "ok" }
policies = ["edit"]
`);
  for (const path of ['/it', '/reply']) {
    const { out, err } = await gw(['explain', 'GET', path, spec.path, '--json'], { cwd: spec.folder, env });
    assert.match(out, '${env:UPSTREAM_PASSWORD}', `${path} ${err}`);
    for (const secret of [SECRETS.upstreamPassword, SECRETS.hook]) assert.not.ok((out + err).includes(secret), path);
  }
});

test.run();
