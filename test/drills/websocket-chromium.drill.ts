/** WebSockets of headless Chromium: over TLS and HTTP/2 (RFC 8441), and over HTTP/1.1, compressed as the browser asks. */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocketServer } from 'ws';
import { Plane, specOf } from '../integration/engine-kit.js';
import { Chromium, chromiumPath } from '../support/chromium.js';

const path = chromiumPath();
const [CERT, KEY] = ['cert', 'key'].map((name) => join(process.cwd(), `test/integration/fixtures/tls-${name}.pem`));

/** Sends a message of each kind, and resolves with what came back, and how it ended. */
const PAGE = (port: number): string => `new Promise((resolve) => {
  const got = [];
  const socket = new WebSocket('wss://127.0.0.1:${port}/chat', ['one', 'two']);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => { socket.send('x'.repeat(100000)); socket.send(new Uint8Array([1, 2, 3])); };
  socket.onmessage = ({ data }) => {
    got.push(typeof data === 'string' ? data.length : [...new Uint8Array(data)].join());
    if (got.length === 2) socket.close(4001, 'done');
  };
  socket.onclose = ({ code, wasClean }) => resolve(JSON.stringify({ got, code, wasClean, protocol: socket.protocol, extensions: socket.extensions }));
})`;

if (path === undefined) console.log('no Chromium: skipped');
else
  for (const protocols of ['["h2", "http/1.1"]', '["http/1.1"]'])
    test(`a listener with ${protocols}`, async () => {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
      await new Promise((resolve) => server.once('listening', resolve));
      server.on('connection', (socket) => {
        socket.on('message', (data, binary) => socket.send(data, { binary }));
      });
      const { port } = server.address() as AddressInfo;
      const tls = `tls = { cert = ${JSON.stringify(CERT)}, key = ${JSON.stringify(KEY)} }\nprotocols = ${protocols}`;
      const more = '[[route]]\nmatch = "/"\nreply = { body = "<p>page", headers = { content-type = "text/html" } }';
      const plane = await Plane.start(specOf(`http://127.0.0.1:${port}`, { listener: tls, more }));
      const browser = await Chromium.start(path);
      try {
        const tab = await browser.tab(`https://127.0.0.1:${plane.port}/`);
        const result = JSON.parse(String(await tab.value(PAGE(plane.port))));
        assert.equal(result.got, [100_000, '1,2,3']);
        assert.equal([result.code, result.wasClean, result.protocol], [4001, true, 'one']);
        assert.match(result.extensions, 'permessage-deflate');
        const record = await plane.record(({ webSocket }) => webSocket !== undefined);
        // Over HTTP/2 the client gets 200.
        assert.is(record.status, protocols.includes('h2') ? 200 : 101);
        assert.equal([record.webSocket?.closeCode, record.webSocket?.messagesIn], [4001, 2]);
        assert.ok(record.bytesIn < 50_000, 'compressed');
      } finally {
        await browser.close();
        await plane.close();
        for (const client of server.clients) client.terminate();
        server.close();
      }
    });

test.run();
