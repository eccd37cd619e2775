/** Releases of Node that leak memory with HTTP/2: it is off there, unless a listener forces it. */
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as assert from 'uvu/assert';
import { GET, headers } from '../../support/http2/hpack.js';
import { RawHttp2 } from '../../support/http2/raw-client.js';
import { Plane, specOf } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const TLS = `tls = { cert = "${FIXTURES}/tls-cert.pem", key = "${FIXTURES}/tls-key.pem" }`;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const WARNING = 'HTTP/2 is off: this release of Node leaks memory with it (CVE-2026-21714)';
const LEAKING = '22.22.1';

const test = sharedEngineSuite('HTTP/2 by release of Node');

/** What ALPN chooses for a client that prefers HTTP/2. */
async function chosen(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  const protocol = String(socket.alpnProtocol);
  socket.destroy();
  return protocol;
}

async function speaksHttp2(port: number): Promise<boolean> {
  const client = await RawHttp2.ready(port);
  client.send(headers(1, GET));
  const status = await client.status(1);
  client.destroy();
  return status === 200;
}

test('it is off where it leaks, with a warning, and on if it is forced', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url), { node: LEAKING });
  const warnings = (): unknown[] => plane.logs.filter(({ message }) => message === WARNING).map(({ fields }) => fields);
  const load = (listener: string): Promise<void> => {
    plane.logs.length = 0;
    return plane.load(specOf(target.url, { listener }));
  };
  assert.equal(warnings(), [{ listener: 'main', node: LEAKING }]);
  assert.is((await plane.ask(PREFACE)).status, 505, 'prior knowledge');
  assert.is((await plane.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200);

  await load('force_http2 = true');
  assert.equal(warnings(), []);
  assert.ok(await speaksHttp2(plane.port));
  await load('');
  assert.is(warnings().length, 1, 'the listener stays, and is not forced any more');
  await load('protocols = ["http/1.1"]');
  assert.equal(warnings(), [], 'nobody wants it');

  await load(TLS);
  assert.is(await chosen(plane.port), 'http/1.1');
  await load(`${TLS}\nforce_http2 = true`);
  assert.is(await chosen(plane.port), 'h2');

  const refused = await load('protocols = ["h2"]').then(
    () => '',
    (error: Error) => error.message,
  );
  assert.match(refused, /listener main speaks only HTTP\/2, which is off: Node 22\.22\.1 leaks memory/);
  await load('protocols = ["h2"]\nforce_http2 = true');
  assert.ok(await speaksHttp2(plane.port));
  await plane.close();
});

test('it is on where it does not leak', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url), { node: '22.22.2' });
  assert.ok(await speaksHttp2(plane.port));
  assert.not(plane.logs.some(({ message }) => message === WARNING));
  await plane.close();
});

test.run();
