/** Files that a watching gateway follows: includes, overlays, referenced files, certificates. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { includeFolders, includePatterns } from '../../../src/control/watch/folders.js';
import { call, closeAll, removeFolders, SpecFile, startGateway, until } from '../control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const BASE = `spec = 1
include = ["routes/*.toml"]
[listener.main]
address = "127.0.0.1:0"
[[route]]
name = "home"
match = "GET /"
reply = { body = "home" }
`;

const route = (name: string, body = name): string => `[[route]]
name = "${name}"
match = "GET /${name}"
reply = { body = "${body}" }
`;

test('an included file can be added, changed and removed', async () => {
  const spec = new SpecFile(BASE);
  mkdirSync(join(spec.folder, 'routes'));
  assert.equal(includeFolders(includePatterns(spec.path, BASE)), [{ path: join(spec.folder, 'routes'), depth: 1 }]);
  const { url } = await startGateway({ spec: spec.path, watch: true, inline: true });
  const bodyOf = async (path: string): Promise<string> => {
    const { status, body } = await call(`${url}${path}`);
    return status === 200 ? body : String(status);
  };
  assert.is(await bodyOf('/a'), '404');
  const file = join(spec.folder, 'routes', 'a.toml');
  writeFileSync(file, route('a'));
  await until(async () => (await bodyOf('/a')) === 'a', 'the new route');
  writeFileSync(file, route('a', 'other'));
  await until(async () => (await bodyOf('/a')) === 'other', 'its change');
  rmSync(file);
  await until(async () => (await bodyOf('/a')) === '404', 'its removal');
  assert.is(await bodyOf('/'), 'home');
});

test('a broken include can be fixed in place', async () => {
  const spec = new SpecFile(BASE);
  mkdirSync(join(spec.folder, 'routes'));
  const file = join(spec.folder, 'routes', 'a.toml');
  writeFileSync(file, route('a'));
  const { gateway, url } = await startGateway({ spec: spec.path, watch: true, inline: true });
  writeFileSync(file, '[[route\n');
  const rejected = await until(
    () => gateway.snapshot().reloads.find((one) => one.outcome === 'rejected'),
    'the rejection',
  );
  assert.match(rejected.diagnostics, 'routes/a.toml:1');
  assert.is((await call(`${url}/a`)).body, 'a');
  writeFileSync(file, route('a', 'fixed'));
  await until(async () => (await call(`${url}/a`)).body === 'fixed', 'the fix');
});

test('an overlay and a referenced file are part of the spec', async () => {
  const spec = new SpecFile(`${BASE.replace('include = ["routes/*.toml"]\n', '')}
[[route]]
name = "secret"
match = "GET /secret"
policies = [{ use = "headers", reply.set = { x-secret = "\${file:secret.txt}" } }]
reply = { body = "ok" }
`);
  const overlay = join(spec.folder, 'gateway.prod.toml');
  const secret = join(spec.folder, 'secret.txt');
  writeFileSync(overlay, 'drain_timeout = "3s"\n');
  writeFileSync(secret, 'one\n');
  const { gateway, url } = await startGateway({ spec: spec.path, overlays: [overlay], watch: true, inline: true });
  assert.is(gateway.program?.drainTimeout, 3000);
  assert.is((await call(`${url}/secret`)).headers['x-secret'], 'one');
  writeFileSync(secret, 'two\n');
  await until(async () => (await call(`${url}/secret`)).headers['x-secret'] === 'two', 'the new secret');
  writeFileSync(overlay, 'drain_timeout = "4s"\n');
  await until(() => gateway.program?.drainTimeout === 4000, 'the overlay');
  rmSync(secret);
  const rejected = await until(
    () => gateway.snapshot().reloads.find((one) => one.outcome === 'rejected'),
    'the rejection',
  );
  assert.match(rejected.diagnostics, 'reference/unresolved');
  assert.is((await call(`${url}/secret`)).headers['x-secret'], 'two');
  writeFileSync(secret, 'three\n');
  await until(async () => (await call(`${url}/secret`)).headers['x-secret'] === 'three', 'its return');
});

test('a spec replaced by a folder, junk or nothing leaves the current one in place', async () => {
  const spec = new SpecFile(BASE);
  const { gateway, url } = await startGateway({ spec: spec.path, watch: true, inline: true });
  const good = readFileSync(spec.path, 'utf8');
  const rejections = (): number => gateway.snapshot().reloads.filter(({ outcome }) => outcome === 'rejected').length;
  const breaks: readonly (() => void)[] = [
    () => writeFileSync(spec.path, Buffer.from([0, 255, 254, 1, 2])),
    () => rmSync(spec.path),
    () => mkdirSync(spec.path),
  ];
  for (const [index, act] of breaks.entries()) {
    act();
    await until(() => rejections() > index, `rejection ${index}`);
    assert.is((await call(url)).body, 'home');
  }
  rmSync(spec.path, { recursive: true });
  writeFileSync(spec.path, good.replace('body = "home"', 'body = "back"'));
  await until(async () => (await call(url)).body === 'back', 'its return');
});

test.run();
