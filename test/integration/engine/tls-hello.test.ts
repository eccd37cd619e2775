/** First messages of TLS clients: old, strange, cut, fragmented and mutated ones. Each gets an answer or an end, and others are served. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../../support/authority.js';
import { seededBelow } from '../../support/random.js';
import { specOf, until } from '../engine-kit.js';
import { type EngineContext, sharedEngineSuite } from '../engine-suite.js';

const authorities = new Authorities();
const root = authorities.create('root');
const server = (name: string, names: string): Issued =>
  root.issue(name, { extensions: ['extendedKeyUsage=serverAuth', `subjectAltName=${names}`] });
const main = server('main', 'DNS:main.example');
const admin = server('admin', 'DNS:admin.example');
const pair = ({ cert, key }: Issued): string => `cert = ${JSON.stringify(cert)}\nkey = ${JSON.stringify(key)}`;

const test = sharedEngineSuite('first messages of TLS');
test.before(async ({ plane, target }) => {
  const hosts = `[[listener.main.tls.hosts]]\nnames = ["admin.example"]\n${pair(admin)}\nmin_version = "1.3"`;
  await plane.load(`${specOf(target.url)}\n[listener.main.tls]\n${pair(main)}\n${hosts}`);
});
test.after(() => authorities.remove());

/** The first message of node:tls. */
async function helloOf(options: ConnectionOptions = {}): Promise<Buffer> {
  const taker = createServer().listen(0, '127.0.0.1');
  await once(taker, 'listening');
  const client = connect({
    port: (taker.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: 'main.example',
    ...options,
  });
  client.on('error', () => undefined);
  const [socket] = await once(taker, 'connection');
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  taker.close();
  return bytes as Buffer;
}

const ALERT = 21;
const HANDSHAKE = 22;

/** The first record of the server: `hello`, `alert N`, or `end`; `silence` if it waits for more. */
async function answer({ plane }: EngineContext, parts: readonly Buffer[], end = false): Promise<string> {
  const socket = connectTcp({ port: plane.port, host: '127.0.0.1', noDelay: true });
  let got = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      ended = true;
    });
  await once(socket, 'connect');
  for (const part of parts) {
    socket.write(part);
    if (parts.length < 400) await new Promise((resolve) => setImmediate(resolve));
  }
  if (end) socket.end();
  let looks = 0;
  await until(() => got.length >= 7 || ended || (!end && ++looks > 40), 'an answer');
  socket.destroy();
  if (got[0] === ALERT) return `alert ${got[6]}`;
  return got[0] === HANDSHAKE ? 'hello' : ended ? 'end' : 'silence';
}

/** The handshake message of a record in records of `size` bytes. */
function records(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const all: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    all.push(Buffer.concat([hello.subarray(0, 3), Buffer.of(part.length >> 8, part.length & 255), part]));
  }
  return Buffer.concat(all);
}

const bytewise = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.of(byte));

async function works({ plane }: EngineContext): Promise<void> {
  const socket = connect({
    port: plane.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: 'main.example',
  });
  await once(socket, 'secureConnect');
  socket.destroy();
}

test('a first message byte by byte, and in several records, up to 32', async (context) => {
  const hello = await helloOf();
  assert.is(await answer(context, [hello]), 'hello');
  assert.is(await answer(context, bytewise(hello)), 'hello');
  for (const count of [2, 30])
    assert.is(await answer(context, [records(hello, Math.ceil(hello.length / count))]), 'hello', String(count));
  assert.is(await answer(context, bytewise(records(hello, Math.ceil(hello.length / 9)))), 'hello');
  for (const size of [1, 5]) assert.is(await answer(context, [records(hello, size)]), 'end', String(size));
  await works(context);
});

test('names in capitals and with a final dot are those of the host; others get the default', async ({ plane }) => {
  const nameFor = async (servername: string): Promise<string> => {
    const socket = connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, servername });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };
  assert.is(await nameFor('admin.example'), 'admin');
  assert.is(await nameFor('ADMIN.Example'), 'admin');
  assert.is(await nameFor('admin.example.'), 'admin');
  for (const name of ['a..b', '-', 'admin.example..', 'x.admin.example', 'a'.repeat(255), ''])
    assert.is(await nameFor(name), 'main', name);
});

test('only unknown protocols in ALPN: the alert no_application_protocol', async (context) => {
  assert.is(await answer(context, [await helloOf({ ALPNProtocols: ['spdy/3', 'x'] })]), 'alert 120');
  assert.is(await answer(context, [await helloOf({ ALPNProtocols: ['x', 'http/1.1'] })]), 'hello');
  assert.is(await answer(context, [await helloOf({ ALPNProtocols: ['h2'], servername: 'admin.example' })]), 'hello');
});

test('old versions, other protocols and garbage are refused at once', async (context) => {
  const hello = await helloOf();
  const { length } = hello;
  const old = await helloOf({ maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' });
  const version = (minor: number): Buffer => {
    const bytes = Buffer.from(old);
    bytes[10] = minor;
    return bytes;
  };
  assert.is(await answer(context, [old]), 'hello');
  for (const minor of [0, 1, 2]) assert.match(await answer(context, [version(minor)]), /alert 70|alert 40|end/);
  const ssl2 = Buffer.concat([Buffer.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10), Buffer.alloc(37, 7)]);
  const REFUSED = /alert|end/;
  assert.match(await answer(context, [ssl2]), REFUSED);
  assert.match(await answer(context, [await helloOf({ servername: 'admin.example', maxVersion: 'TLSv1.2' })]), REFUSED);
  assert.match(await answer(context, [Buffer.from('SSH-2.0-OpenSSH_9.0\r\n')]), REFUSED);
  assert.match(await answer(context, [Buffer.alloc(100, 0xff)]), REFUSED);
  assert.match(await answer(context, [Buffer.of(22, 3, 1, 0, 0), hello]), /hello|alert|end/);
  assert.match(await answer(context, [Buffer.concat(Array(200).fill(Buffer.of(22, 3, 1, 0, 0)))]), /alert|end|silence/);
  // A message of 16 MiB that never comes: what has come is bounded.
  const giant = Buffer.concat([Buffer.of(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff), Buffer.alloc(16_380)]);
  assert.match(
    await answer(context, [giant, Buffer.concat([giant.subarray(0, 5), Buffer.alloc(16_384)]), giant]),
    REFUSED,
  );
  assert.ok(length > 100);
  await works(context);
});

test('clients that leave in the middle of their first message', async (context) => {
  const hello = await helloOf();
  for (const at of [0, 1, 4, 5, 6, 9, 40, 43, 44, 80, hello.length - 1])
    assert.match(await answer(context, [hello.subarray(0, at)], true), /end|alert/, String(at));
  await works(context);
  await until(() => context.plane.connections <= 1, 'their ends');
});

test('mutated first messages', async (context) => {
  const hellos = [
    await helloOf(),
    await helloOf({ ALPNProtocols: ['h2', 'http/1.1'] }),
    await helloOf({ servername: 'admin.example' }),
  ];
  const below = seededBelow(8);
  const all = Array.from({ length: 120 }, async () => {
    const bytes = Buffer.from(hellos[below(hellos.length)]!);
    for (let count = 1 + below(4); count > 0; count--) bytes[5 + below(bytes.length - 5)] = below(256);
    const cut = below(5) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
    assert.match(await answer(context, [cut], true), /hello|alert|end/);
  });
  await Promise.all(all);
  await works(context);
});

test.run();
