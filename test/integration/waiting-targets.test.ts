/** Requests that wait while their service has no target, with `wait_for_targets`. */
import { renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, SpecFile, startGateway, startOrigin, until } from './control-kit.js';

const test = suite('waiting for targets');

test.after.each(closeAll);
test.after(removeFolders);

const SPEC = `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
discover = "file:targets.json"
wait_for_targets = "20s"
max_queue = 3
[service.short]
discover = "file:none.json"
wait_for_targets = "50ms"
[[route]]
name = "short"
match = "/short"
to = "short"
[[route]]
name = "all"
match = "/{rest...}"
to = "orders"
`;

const waitingIn = (gateway: { snapshot(): { services?: readonly { name: string; waiting: number }[] } }) =>
  gateway.snapshot().services?.find(({ name }) => name === 'orders')?.waiting;

test('requests, with bodies too, and upgrades wait for the first target that a source names', async () => {
  const origin = await startOrigin('first');
  const spec = new SpecFile(SPEC);
  const { gateway, url } = await startGateway({ spec: spec.path });
  const put = (targets: readonly string[]): void => {
    writeFileSync(join(spec.folder, 'new'), JSON.stringify(targets));
    renameSync(join(spec.folder, 'new'), join(spec.folder, 'targets.json'));
  };
  const short = await call(`${url}/short`);
  assert.equal([short.status, short.headers['retry-after']], [503, '1']);

  const get = call(url);
  const post = call(url, { method: 'POST', body: 'a body' });
  const upgrade = upgradeOf(url);
  await until(() => waitingIn(gateway) === 3, 'three that wait');
  const full = await call(url);
  assert.equal([full.status, full.headers['retry-after']], [503, '1']);
  put([origin.url]);
  assert.equal([(await get).status, (await post).status], [200, 200]);
  assert.match(await upgrade, /^HTTP\/1\.1 (?!503)/, 'from the origin, or about it');
  assert.is(waitingIn(gateway), 0);

  put([]);
  await until(() => gateway.snapshot().targets.length === 0, 'no target');
  const gone = connect(Number(new URL(url).port), '127.0.0.1');
  gone.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await until(() => waitingIn(gateway) === 1, 'one that waits');
  gone.resetAndDestroy();
  await until(() => waitingIn(gateway) === 0, 'it to leave');
});

test('a reload while requests wait loses none: they go to the first target that comes afterwards', async () => {
  const origin = await startOrigin('first');
  const spec = new SpecFile(SPEC);
  const { gateway, url } = await startGateway({ spec: spec.path, inline: true });
  const get = call(url);
  const post = call(url, { method: 'POST', body: 'a body' });
  await until(() => waitingIn(gateway) === 2, 'two that wait');
  // The service as it was, beside another route; then with another setting.
  for (const text of [SPEC.replace('name = "all"', 'name = "every"'), SPEC.replace('max_queue = 3', 'max_queue = 9')]) {
    spec.write(text);
    assert.is((await gateway.reload())?.outcome, 'live');
    assert.is(waitingIn(gateway), 2, 'they wait on');
  }
  const later = call(url);
  await until(() => waitingIn(gateway) === 3, 'three that wait');
  writeFileSync(join(spec.folder, 'targets.json'), JSON.stringify([origin.url]));
  const replies = await Promise.all([get, post, later]);
  assert.equal(
    replies.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.is(waitingIn(gateway), 0);
});

/** What the gateway answers to the handshake of a WebSocket. */
function upgradeOf(url: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const fields = 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n';
  socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${fields}sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString());
    });
    socket.once('error', reject);
  });
}

test.run();
