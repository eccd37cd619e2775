/** The PROXY protocol to targets: each connection belongs to one client address. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ProxyHeader, readProxyHeader } from '../../../src/proxy/proxy-protocol/read.js';
import { Plane, specOf, until } from '../engine-kit.js';

const test = suite('the PROXY protocol to targets');

/** A target that wants a header, and answers each request with its address and the number of the connection. */
async function targetOf(
  answer: (socket: Socket, reply: () => string) => void,
): Promise<{ port: number; close(): void }> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const number = ++count;
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', (chunk: Buffer) => {
      const header = readProxyHeader(chunk) as ProxyHeader;
      socket.pause();
      socket.unshift(chunk.subarray(header.length));
      answer(socket, () => `${header.source ?? 'none'} ${number}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as { port: number }).port, close };
}

const http = (socket: Socket, reply: () => string): void => {
  socket.on('data', (chunk: Buffer) => {
    if (/upgrade: echo/i.test(String(chunk)))
      socket.write(`HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n${reply()}`);
    else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${reply().length}\r\n\r\n${reply()}`);
  });
  socket.resume();
};
const TRUST = 'trusted_proxies = ["127.0.0.1"]';
const get = (address: string, more = ''): string =>
  `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n${more}\r\n`;

for (const version of ['v1', 'v2'])
  test(`a connection is used again for the same address only: ${version}`, async () => {
    const target = await targetOf(http);
    const service = `proxy_protocol = "${version}"\nmax_connections = 2`;
    const plane = await Plane.start(specOf(`http://127.0.0.1:${target.port}`, { listener: TRUST, service }));
    const client = plane.client();
    const ask = async (address: string): Promise<string> => {
      client.send(get(address));
      return (await client.reply()).body.toString();
    };
    assert.is(await ask('192.0.2.1'), '192.0.2.1 1');
    assert.is(await ask('2001:db8::2').then((text) => text.split(' ')[1]), '2');
    assert.is(await ask('192.0.2.1'), '192.0.2.1 1');
    // There is no place for a third one: the longest idle one ends.
    assert.is(await ask('192.0.2.3'), '192.0.2.3 3');
    assert.is(await ask('192.0.2.1'), '192.0.2.1 1');
    const upgrade = plane.client();
    upgrade.send(get('192.0.2.9', 'Connection: Upgrade\r\nUpgrade: echo/1\r\n'));
    assert.is((await upgrade.reply()).status, 101);
    await until(() => upgrade.pending.startsWith('192.0.2.9 '), 'the address');
    upgrade.destroy();
    const all = Array.from({ length: 12 }, async (_, at) => {
      const one = plane.client();
      one.send(get(`192.0.2.${100 + at}`));
      const text = (await one.reply()).body.toString();
      assert.is(text.split(' ')[0], `192.0.2.${100 + at}`);
      one.destroy();
    });
    await Promise.all(all);
    client.destroy();
    await plane.close();
    target.close();
  });

test('the header comes before TLS', async () => {
  const [cert, key] = ['cert', 'key'].map((name) => readFileSync(`test/integration/fixtures/tls-${name}.pem`));
  const secure = createTls({ cert: cert!, key: key! });
  let source = (): string => '';
  secure.on('secureConnection', (socket) => http(socket, () => source()));
  const target = await targetOf((socket, reply) => {
    source = reply;
    secure.emit('connection', socket);
  });
  const service = 'proxy_protocol = "v2"\ntls = { verify = false }';
  const plane = await Plane.start(specOf(`https://127.0.0.1:${target.port}`, { listener: TRUST, service }));
  assert.is((await plane.ask(get('192.0.2.1'))).body.toString(), '192.0.2.1 1');
  const upgrade = plane.client();
  upgrade.send(get('192.0.2.9', 'Connection: Upgrade\r\nUpgrade: echo/1\r\n'));
  assert.is((await upgrade.reply()).status, 101);
  await until(() => upgrade.pending === '192.0.2.9 2', 'the address');
  upgrade.destroy();
  await plane.close();
  target.close();
});

test.run();
