/** Unix sockets as targets: HTTP/1.1, HTTP/2 and upgrades. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, specOf } from '../engine-kit.js';

const test = suite<{ folder: string }>('unix sockets as targets');
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'gw-unix-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve) => server.listen(path, () => resolve()));

test('requests and upgrades over HTTP/1.1', async ({ folder }) => {
  const path = join(folder, 'app.sock');
  const origin = createHttp((request, response) => response.end(`${request.headers.host} ${request.url}`));
  origin.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
    socket.pipe(socket);
  });
  await listening(origin, path);
  const plane = await Plane.start(specOf(`unix:${path}`, { service: 'host = "target"' }));
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send('GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.is((await client.reply()).body.toString(), 'localhost /a?b');
  }
  client.send('GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  assert.is((await client.reply()).status, 101);
  client.destroy();
  assert.is((await plane.record(({ url }) => url === '/a?b')).target, `unix:${path}`);
  await plane.close();
  origin.closeAllConnections();
  origin.close();
});

test('HTTP/2, and a socket that is not there', async ({ folder }) => {
  const path = join(folder, 'app.sock');
  const origin = createHttp2();
  origin.on('stream', (stream, fields) => {
    stream.respond();
    stream.end(String(fields[':path']));
  });
  await listening(origin, path);
  const plane = await Plane.start(specOf(`unix:${path}`, { service: 'protocol = "h2"' }));
  assert.is((await plane.ask('GET /two HTTP/1.1\r\nHost: a\r\n\r\n')).body.toString(), '/two');
  await plane.load(specOf(`unix:${path}.not`));
  assert.is((await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 502);
  await plane.close();
  origin.close();
});

test.run();
