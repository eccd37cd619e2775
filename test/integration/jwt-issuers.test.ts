/** Several issuers and discovery over sockets, with an issuer of the tests and with oauth2-mock-server. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OAuth2Server } from 'oauth2-mock-server';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Issuer } from '../support/issuer.js';
import {
  call,
  closeAll,
  closedLater,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const startIssuer = async (): Promise<Issuer> => closedLater(await Issuer.start());

async function startMockServer(): Promise<OAuth2Server> {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(0, '127.0.0.1');
  closedLater({ close: () => server.stop() });
  return server;
}

async function started(policy: string, files: { readonly [name: string]: string } = {}) {
  const origin = await startOrigin();
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${origin.url}"]
[policy.tokens]
use = "jwt"
audience = "orders"
cooldown = "1s"
${policy}
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["tokens"]
`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dirname(spec.path), name), text);
  const running = await startGateway({ spec: spec.path, watch: true });
  const send = async (token: string): Promise<number> =>
    (await call(`${running.url}/orders`, { headers: { authorization: `Bearer ${token}` } })).status;
  return { ...running, send, spec };
}

const discovered = (url: string): string => `[[policy.tokens.issuers]]\nissuer = "${url}"\ndiscovery = true\n`;

test('two issuers: a real one of others and one of the tests; each verifies its own tokens', async () => {
  const [issuer, server] = [await startIssuer(), await startMockServer()];
  const { send } = await started(`${discovered(issuer.url)}${discovered(server.issuer.url!)}`);
  assert.is(await send(await issuer.token()), 200);
  const build = (claims: object) =>
    server.issuer.buildToken({ scopesOrTransform: (_header, payload) => void Object.assign(payload, claims) });
  assert.is(await send(await build({ aud: 'orders', sub: 'ann' })), 200);
  assert.is(await send(await build({ aud: 'other', sub: 'ann' })), 401);
  assert.is(await send(await build({ aud: 'orders', iss: issuer.url })), 401);
  assert.is(await send(await issuer.token({ iss: server.issuer.url })), 401);
  assert.is(await send(await issuer.token({ iss: 'https://third.example' })), 401);
});

test('RFC 8414: an issuer with a path, whose metadata is at the place that the path is inserted after', async () => {
  const issuer = await startIssuer();
  const name = `${issuer.url}/realms/shop`;
  issuer.metadataAt = ['/.well-known/oauth-authorization-server/realms/shop'];
  issuer.metadata = { issuer: name };
  const { send } = await started(`issuer = "${name}"\ndiscovery = true`);
  assert.is(await send(await issuer.token({ iss: name })), 200);
  assert.equal(issuer.asked, [
    '/realms/shop/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/realms/shop',
  ]);
});

test('metadata of another issuer is not used; the requests get 503', async () => {
  const issuer = await startIssuer();
  issuer.metadata = { issuer: 'https://evil.example' };
  const { send, gateway } = await started(`issuer = "${issuer.url}"\ndiscovery = true\nwait = "500ms"`);
  assert.is(await send(await issuer.token()), 503);
  assert.is(issuer.served, 0);
  assert.match(JSON.stringify(gateway.snapshot().duties[0]?.lastError), /of another issuer/);
});

test('keys rotate and an issuer is down: tokens of the other one are not affected', async () => {
  const [first, second] = [await startIssuer(), await startIssuer()];
  const { send } = await started(`${discovered(first.url)}${discovered(second.url)}`);
  assert.is(await send(await first.token()), 200);
  await first.rotate();
  await first.rotate();
  const fresh = await first.token();
  await until(async () => (await send(fresh)) === 200, 'the new key');
  await second.close();
  assert.is(await send(await second.token()), 200);
  assert.is(await send(await first.token()), 200);
});

test('a token is revoked in a file: it is refused after the reload, also if it was verified before', async () => {
  const issuer = await startIssuer();
  const policy = `issuer = "${issuer.url}"\ndiscovery = true\nrevocations = { file = "revoked.json" }`;
  const { send, spec } = await started(policy, { 'revoked.json': '{"revoked":[]}' });
  const [bad, good] = [await issuer.token({ jti: 'j1' }), await issuer.token({ jti: 'j2' })];
  assert.equal([await send(bad), await send(good)], [200, 200]);
  writeFileSync(join(dirname(spec.path), 'revoked.json'), '{"revoked":[{"jti":"j1"}]}');
  await until(async () => (await send(bad)) === 401, 'the revocation');
  assert.is(await send(good), 200);
});

test('a token is revoked in a list by URL, which is fetched again', async () => {
  const issuer = await startIssuer();
  issuer.headers = { 'cache-control': 'max-age=1' };
  let revoked: object[] = [];
  issuer.documents.set('/revoked', () => ({ status: 200, body: JSON.stringify({ revoked }) }));
  const list = `revocations = { url = "${issuer.url}/revoked", refresh = "1s" }`;
  const { send } = await started(`issuer = "${issuer.url}"\njwks = "${issuer.url}/keys"\n${list}`);
  const token = await issuer.token();
  assert.is(await send(token), 200);
  revoked = [{ sub: 'ann', issued_before: 9_999_999_999 }];
  await until(async () => (await send(token)) === 401, 'the revocation');
});

test.run();
