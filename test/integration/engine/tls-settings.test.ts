/** TLS versions and ciphers of a listener, and refusal of renegotiation. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { TARGET_TLS } from '../../../src/proxy/upstream/tls.js';
import { onlyWhere } from '../../support/only-where.js';
import { type Plane, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-rsa-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-rsa-key.pem');
const tls = (more = ''): string => `tls = { cert = "${CERT}", key = "${KEY}"${more} }`;

const test = engineSuite('TLS settings', { listener: tls() });
const HAS_OPENSSL = spawnSync('openssl', ['version']).status === 0;
const withOpenssl = onlyWhere(HAS_OPENSSL, 'openssl is not installed', test);

const secure = (plane: Plane, options: ConnectionOptions): TLSSocket => {
  const socket = connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  return socket;
};

/** The negotiated cipher of a handshake; undefined if the handshake fails. */
async function negotiated(plane: Plane, options: ConnectionOptions): Promise<string | undefined> {
  const socket = secure(plane, options);
  const found = await new Promise<string | undefined>((resolve) => {
    socket.once('secureConnect', () => resolve(`${socket.getProtocol()} ${socket.getCipher().name}`));
    socket.once('close', () => resolve(undefined));
  });
  socket.destroy();
  return found;
}

const WITHOUT_SECRECY = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-SHA', 'AES256-SHA256', 'AES128-CCM'];
const CBC = ['ECDHE-RSA-AES128-SHA256', 'ECDHE-RSA-AES256-SHA384', 'ECDHE-RSA-AES128-SHA', 'DHE-RSA-AES128-SHA'];

test('ciphers without forward secrecy and CBC ciphers are not offered', async ({ plane }) => {
  for (const ciphers of [...WITHOUT_SECRECY, ...CBC])
    assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2', ciphers }), undefined, ciphers);
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  assert.is(await negotiated(plane, old), undefined);
  assert.match((await negotiated(plane, { maxVersion: 'TLSv1.2' })) ?? '', /^TLSv1\.2 ECDHE-RSA-/);
  assert.match((await negotiated(plane, {})) ?? '', /^TLSv1\.3 TLS_AES_/);
});

test('min_version and ciphers of a listener take effect at the next load', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: tls(', min_version = "1.3"') }));
  assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2' }), undefined);
  assert.match((await negotiated(plane, {})) ?? '', /^TLSv1\.3 /);
  const chosen = '["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"]';
  await plane.load(specOf(target.url, { listener: tls(`, ciphers = ${chosen}`) }));
  assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2' }), 'TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384');
  for (const ciphers of ['DHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA'])
    assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2', ciphers }), `TLSv1.2 ${ciphers}`);
  assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }), undefined);
  assert.match((await negotiated(plane, {})) ?? '', /^TLSv1\.3 /, 'a version that none is named of keeps its default');
  await plane.load(
    specOf(target.url, { listener: tls(', ciphers = "TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256"') }),
  );
  assert.is(await negotiated(plane, {}), 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256');
  assert.is(await negotiated(plane, { maxVersion: 'TLSv1.2' }), 'TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256');
});

test('renegotiation by a TLS 1.2 client is refused', async ({ plane, time }) => {
  const socket = secure(plane, { maxVersion: 'TLSv1.2' });
  await once(socket, 'secureConnect');
  let made = 0;
  let over = false;
  socket.once('close', () => {
    over = true;
  });
  socket.renegotiate({}, (error) => {
    if (error === null) made++;
    over = true;
  });
  socket.resume();
  await until(() => {
    // No more bytes arrive on this connection, so header_timeout closes it.
    time.pass(200);
    return over;
  }, 'the end');
  assert.is(made, 0);
  socket.destroy();
  assert.match((await negotiated(plane, { maxVersion: 'TLSv1.2' })) ?? '', /^TLSv1\.2 /);
});

withOpenssl('openssl s_client: R is refused', async ({ plane }) => {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${plane.port}`, '-tls1_2']);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString()));
  child.stdin.on('error', () => {});
  try {
    await until(() => output.includes('Verify return code'), 'the handshake');
    child.stdin.write('R\n');
    await until(() => output.includes('no renegotiation'), 'the refusal');
    assert.is(output.split('RENEGOTIATING').length, 2);
  } finally {
    child.kill();
  }
});

test('renegotiation by a target is refused', async () => {
  const settings = { cert: readFileSync(CERT), key: readFileSync(KEY), maxVersion: 'TLSv1.2' } as const;
  const ended = new Promise<string>((resolve) => {
    const origin = createServer(settings, (socket) => {
      socket.on('error', () => {});
      socket.once('close', () => {
        origin.close();
        resolve('closed');
      });
      socket.renegotiate({}, (error) => resolve(error === null ? 'a second handshake' : 'refused'));
      socket.resume();
    });
    origin.listen(0, '127.0.0.1', () => {
      const address = origin.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      const socket = connect({ ...TARGET_TLS, port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.on('error', () => {});
      socket.once('secureConnect', () => {
        assert.match(socket.getCipher().name, /^ECDHE-RSA-/);
        setTimeout(() => socket.destroy(), 300);
      });
      socket.resume();
    });
  });
  assert.is.not(await ended, 'a second handshake');
});

test.run();
