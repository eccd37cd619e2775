/** Secrets of Vault in a running gateway: they rotate without a change of the spec, and never reach a bundle or a log. */
import type { IncomingMessage } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KeptLog } from '../control/kit.js';
import { VaultServer } from '../support/vault.js';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, until } from './control-kit.js';

let vault: VaultServer;
let target: string;
let address: string;
const seen: IncomingMessage['headers'][] = [];

test.before.each(async () => {
  vault = new VaultServer();
  address = await vault.open();
  vault.issue('root-token');
  seen.length = 0;
  const origin = await serveHttp((incoming, reply) => {
    seen.push(incoming.headers);
    reply.end('ok');
  });
  target = origin.url;
});
test.after.each(async () => {
  await closeAll();
  vault.close();
});
test.after(removeFolders);

const specOf = (more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[vault]
address = "${address}"
token = "\${env:VAULT_TOKEN}"
refresh = "1s"
[service.shop]
targets = ["${target}"]
[policy.sign]
use = "headers"
request.set = { authorization = "Bearer \${vault:secret/shop#token}" }
[policy.polite]
use = "rate-limit"
limit = "3/h"
[[route]]
name = "shop"
match = "GET /{rest...}"
to = "shop"
policies = ["polite", "sign"]
${more}`;

const env = { ...process.env, VAULT_TOKEN: 'root-token' };

for (const inline of [true, false]) {
  test(`a new version of a secret is used soon, and limits keep their counts${inline ? '' : ', in a worker'}`, async () => {
    vault.write('secret/shop', { token: 'first-secret' });
    const spec = new SpecFile(specOf());
    const log = new KeptLog();
    const { url, gateway } = await startGateway({ spec: spec.path, inline, env, log });
    assert.is((await call(url)).status, 200);
    assert.is(seen.at(-1)?.authorization, 'Bearer first-secret');
    vault.write('secret/shop', { token: 'second-secret' });
    await until(() => gateway.snapshot().generation.id === 2, 'the generation with the new secret');
    assert.is((await call(url)).status, 200);
    assert.is(seen.at(-1)?.authorization, 'Bearer second-secret');
    assert.is((await call(url)).status, 200);
    assert.is((await call(url)).status, 429, 'the limit kept its counts');
    const all = JSON.stringify([gateway.snapshot(), log.lines]);
    for (const secret of ['first-secret', 'second-secret', 'root-token']) assert.not.match(all, secret);
    const duty = gateway.snapshot().duties.find(({ policy }) => policy === 'vault');
    assert.is(duty?.failing, false);
  });
}

test('during an outage the last value is used, also by a reload', async () => {
  vault.write('secret/shop', { token: 'first-secret' });
  const spec = new SpecFile(specOf());
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true, env });
  vault.outage = (reply) => reply.destroy();
  spec.write(specOf('[[route]]\nname = "more"\nmatch = "GET /more"\nreply = { status = 204 }\n'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await call(url)).status, 200);
  assert.is(seen.at(-1)?.authorization, 'Bearer first-secret');
});

test('a change that was rejected during an outage goes live after it', async () => {
  vault.write('secret/shop', { token: 'first-secret' });
  vault.write('secret/new', { token: 'new-secret' });
  const spec = new SpecFile(specOf());
  const log = new KeptLog();
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true, env, log, watch: true });
  vault.outage = (reply) => void reply.writeHead(503).end();
  spec.write(specOf().replace('secret/shop#token', 'secret/new#token'));
  await until(() => gateway.snapshot().reloads[0]?.outcome === 'rejected', 'the rejected reload');
  assert.is((await call(url)).status, 200);
  assert.is(seen.at(-1)?.authorization, 'Bearer first-secret');
  vault.outage = undefined;
  await until(() => gateway.snapshot().reloads[0]?.outcome === 'live', 'the reload after the outage');
  assert.is((await call(url)).status, 200);
  assert.is(seen.at(-1)?.authorization, 'Bearer new-secret');
});

test('a secret that cannot be read rejects the load, with its place', async () => {
  const spec = new SpecFile(specOf());
  await startGateway({ spec: spec.path, inline: true, env }).then(
    () => assert.unreachable('the gateway started'),
    (error: unknown) => {
      const text = String((error as { diagnostics?: string }).diagnostics);
      assert.match(
        text,
        /error\[reference\/unresolved\]: The secret `secret\/shop` cannot be read: there is no such secret/,
      );
      assert.match(text, /gateway\.toml:12:/);
    },
  );
});

test.run();
