/** Causes for errors of sockets, the resolver and TLS. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bounded, connectionCause, timeSpan } from '../../../src/proxy/errors/cause.js';
import { TARGET_TLS } from '../../../src/proxy/upstream/tls.js';

const test = suite('causes');
const pem = (name: string): Buffer => readFileSync(join(process.cwd(), 'test/integration/fixtures', name));
const failure = (code: string, more: object = {}): Error => Object.assign(new Error(`raw ${code}`), { code, ...more });

/** The error of a handshake with a server that has this trusted certificate. */
async function handshakeCause(cert: string, options: ConnectionOptions): Promise<string> {
  const server = createServer({ cert: pem(cert), key: pem('tls-key.pem') }).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ ...TARGET_TLS, port, host: '127.0.0.1', ca: pem(cert), ...options });
  const [error] = (await once(socket, 'error')) as [Error];
  server.close();
  return connectionCause(error);
}

test('a certificate error names the failed check', async () => {
  const name = { servername: 'gateway.test' };
  assert.is(await handshakeCause('tls-expired-cert.pem', name), 'certificate expired');
  assert.is(await handshakeCause('tls-future-cert.pem', name), 'certificate not yet valid');
  assert.is(
    await handshakeCause('tls-cert.pem', { servername: 'other.test' }),
    'certificate name mismatch: other.test is not among gateway.test, localhost, 127.0.0.1',
  );
  assert.is(await handshakeCause('tls-cert.pem', { ...name, ca: pem('tls-rsa-cert.pem') }), 'self-signed certificate');
});

test('errors of the system and the resolver have readable causes', () => {
  assert.is(connectionCause(failure('ECONNREFUSED')), 'connection refused');
  assert.is(connectionCause(failure('ENOTFOUND', { hostname: 'a.example' })), 'unknown host a.example');
  assert.is(
    connectionCause(failure('EAI_AGAIN', { hostname: 'a.example' })),
    'temporary name lookup failure for host a.example',
  );
  const both = new AggregateError([failure('ECONNREFUSED'), failure('ECONNREFUSED'), failure('ENETUNREACH')]);
  assert.is(connectionCause(both), 'connection refused; network unreachable');
  assert.is(connectionCause(failure('UNABLE_TO_VERIFY_LEAF_SIGNATURE')).startsWith('unknown issuer'), true);
});

test('OpenSSL errors have readable causes, for all versions and for failed writes', () => {
  for (const code of ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'])
    assert.match(connectionCause(failure(code)), /^TLS handshake failed: handshake refused by the target/);
  assert.is(
    connectionCause(failure('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')),
    'TLS handshake failed: no TLS version in common',
  );
  assert.is(connectionCause(failure('ERR_SSL_SOME_NEW_REASON')), 'TLS handshake failed: some new reason');
  const message =
    'write EPROTO 800C:error:0A000410:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../a.c:1:';
  assert.is(
    connectionCause(Object.assign(new Error(message), { code: 'EPROTO' })),
    'TLS handshake failed: no TLS version in common',
  );
});

test('a cause is one short line without control characters', () => {
  assert.is(bounded('a\r\nb\u001b[31m\u2028c\0'), 'a b [31m c');
  assert.is(bounded('x'.repeat(100_000)).length, 200);
  assert.is(connectionCause(new Error('y\n'.repeat(1000))).length, 200);
});

test('durations are rounded and have a unit', () => {
  assert.equal([timeSpan(150), timeSpan(5000), timeSpan(1500), timeSpan(0)], ['150 ms', '5 s', '1.5 s', '0 ms']);
});

test.run();
