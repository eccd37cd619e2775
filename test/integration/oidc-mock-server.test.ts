/** Logins at an issuer that others have written: oauth2-mock-server. */
import { OAuth2Server } from 'oauth2-mock-server';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Jar, visit } from '../support/browser-jar.js';
import { freePort } from '../support/ports.js';
import { call, removeFolders, SpecFile, startGateway } from './control-kit.js';
import { SECRET, specOf, startTarget, stopSite } from './oidc-kit.js';

const servers = new Set<OAuth2Server>();
test.after.each(async () => {
  await stopSite();
  for (const server of servers) await server.stop();
  servers.clear();
});
test.after(removeFolders);

async function started(more: string) {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(0, '127.0.0.1');
  servers.add(server);
  const issuer = server.issuer.url!;
  const [port, target] = [await freePort(), await startTarget()];
  const text = specOf({ port, target, issuer, more: `fields = { x-user = "sub" }\n${more}` });
  const { url } = await startGateway({
    spec: new SpecFile(text).path,
    env: { CLIENT_SECRET: 'secret', SESSION_SECRET: SECRET },
  });
  return { server, url };
}

test('a person is signed in, the tokens are refreshed, and the logout goes by the issuer', async () => {
  const { server, url } = await started('forward_token = true\nuserinfo = true');
  let refreshed = 0;
  server.service.on(
    'beforeResponse',
    (reply: { body: Record<string, unknown> }, request: { body?: Record<string, unknown> }) => {
      if (request.body?.['grant_type'] === 'refresh_token') refreshed++;
      reply.body['expires_in'] = refreshed > 0 ? 3600 : 1;
    },
  );
  const jar = new Jar();
  const home = await visit(jar, `${url}/orders?page=2`);
  assert.equal([home.status, home.url], [200, `${url}/orders?page=2`]);
  const got = (JSON.parse(home.body) as { headers: Record<string, string> }).headers;
  assert.is(got['x-user'], 'johndoe');
  assert.match(got['authorization'] ?? '', /^Bearer ey/);
  await new Promise((resolve) => setTimeout(resolve, 900));
  assert.is((await visit(jar, `${url}/`)).status, 200);
  assert.is(refreshed, 1);
  const out = await visit(jar, `${url}/oauth2/logout`, { follow: 0 });
  assert.match(String(out.headers['location']), `${server.issuer.url}/endsession?client_id=shop&id_token_hint=ey`);
});

test('its access tokens are bearer tokens', async () => {
  const { server, url } = await started('bearer = { audience = "orders" }');
  const token = await server.issuer.buildToken({
    scopesOrTransform: (_header, payload) => Object.assign(payload, { sub: 'robot', aud: 'orders' }),
  });
  const right = await call(`${url}/`, { headers: { authorization: `Bearer ${token}` } });
  assert.is((JSON.parse(right.body) as { headers: Record<string, string> }).headers['x-user'], 'robot');
});

test.run();
