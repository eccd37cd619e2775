/** Unix sockets as listeners: files, permissions, and clients without an address. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, ok, Plane, RawClient, specOf } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  folder: string;
  path: string;
}
const test = suite<Context>('unix sockets');
test.before(async (context) => {
  context.target = await FaultTarget.start(ok('fine'));
});
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'gw-unix-'));
  context.path = join(context.folder, 'http.sock');
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));
test.after(({ target }) => target.close());

const specAt = ({ target, path }: Context, listener = ''): string =>
  specOf(target.url, { listener }).replace('127.0.0.1:0', `unix:${path}`);
const GET = 'GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n';

async function ask(path: string, text = GET): Promise<number> {
  const client = new RawClient(connect(path));
  client.send(text);
  const { status } = await client.reply();
  client.destroy();
  return status;
}

test('requests on a unix socket have no client address; its file is removed on stop', async (context) => {
  const { path, target } = context;
  const plane = await Plane.start(specAt(context));
  assert.is(await ask(path), 200);
  assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), 'unknown');
  assert.is((await plane.record(({ url }) => url === '/a')).remote, '');
  assert.is(statSync(path).mode & 0o777, 0o660);
  await plane.load(specAt(context, 'max_headers = 50'));
  assert.is(await ask(path), 200);
  await plane.close();
  assert.not.ok(existsSync(path));
});

test('trusted_proxies = ["unix"] trusts what they forward; socket_mode sets the permissions', async (context) => {
  const { path, target } = context;
  const plane = await Plane.start(specAt(context, 'trusted_proxies = ["unix"]\nsocket_mode = "0600"'));
  assert.is(await ask(path), 200);
  assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), '192.0.2.9, unknown');
  assert.is((await plane.record(({ url }) => url === '/a')).remote, '192.0.2.9');
  assert.is(statSync(path).mode & 0o777, 0o600);
  await plane.close();
});

test('a PROXY header on a unix socket needs no trusted proxies', async (context) => {
  const plane = await Plane.start(specAt(context, 'proxy_protocol = true'));
  assert.is(await ask(context.path, `PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n${GET}`), 200);
  assert.is((await plane.record(({ url }) => url === '/a')).remote, '192.0.2.7');
  await plane.close();
});

test('the file of a gateway that was killed is replaced; a file that is in use, or no socket, is not', async (context) => {
  const { path } = context;
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', code]);
  assert.ok(existsSync(path));
  const plane = await Plane.start(specAt(context));
  assert.is(await ask(path), 200);
  await plane.close();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await Plane.start(specAt(context)).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, 'EADDRINUSE'),
  );
  assert.ok(existsSync(path));
  await new Promise((resolve) => other.close(resolve));
  writeFileSync(path, 'text');
  await Plane.start(specAt(context)).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, 'EADDRINUSE'),
  );
  assert.ok(existsSync(path));
});

test.run();
