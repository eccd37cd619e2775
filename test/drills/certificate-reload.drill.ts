/**
 * Certificates are replaced again and again while clients connect at a constant rate, each with a new connection, and others keep
 * theirs: no connection and no request fails. `openssl s_client` sees what it should: the certificate by server name, each new one,
 * and the demand for a client certificate.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeAll, removeFolders, SpecFile, startGateway, until } from '../integration/control-kit.js';
import { Authorities, type Issued } from '../support/authority.js';
import { ConstantLoad } from './support/load.js';
import { failuresOf, tell } from './support/report.js';

const test = suite('certificates under load');
const authorities = new Authorities();
test.after.each(closeAll);
test.after(removeFolders);
test.after(() => authorities.remove());

const root = authorities.create('root');
const serverFor = (host: string, name: string): Issued =>
  root.issue(name, { extensions: ['extendedKeyUsage=serverAuth', `subjectAltName=DNS:${host}`] });

const RELOADS = 5;
/** New connections per second, by each protocol. */
const CONNECTIONS = 12;
/** Requests per second on kept connections, by each protocol. */
const REQUESTS = 12;

const SPEC = `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
[[listener.main.tls.hosts]]
names = ["a.example"]
cert = "live/cert.pem"
key = "live/key.pem"
[[listener.main.tls.hosts]]
names = ["b.example"]
cert = "b.pem"
key = "b.key"
client_ca = "root.pem"
client_certificate = "required"
[[route]]
name = "home"
match = "GET /"
reply = { body = "home" }
`;

/** What `openssl s_client` prints about a connection. */
function shown(port: number, host: string, more: readonly string[] = []): Promise<string> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', host, '-CAfile', root.certFile, ...more];
  return new Promise((resolve) => {
    const child = execFile('openssl', args, { timeout: 10_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
    child.stdin?.end(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

test('no connection fails while certificates are replaced', async () => {
  const file = new SpecFile('');
  const put = (name: string, text: string): void => writeFileSync(join(file.folder, name), text);
  const versions = Array.from({ length: RELOADS + 1 }, (_, at) => serverFor('a.example', `version-${at}`));
  const other = serverFor('b.example', 'other');
  const client = root.issue('client');
  // As Kubernetes mounts secrets: both files change at once, by a link.
  const provide = (version: number): void => {
    const folder = join(file.folder, `version-${version}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'cert.pem'), versions[version]!.cert);
    writeFileSync(join(folder, 'key.pem'), versions[version]!.key);
    symlinkSync(folder, join(file.folder, 'next'));
    renameSync(join(file.folder, 'next'), join(file.folder, 'live'));
  };
  provide(0);
  put('b.pem', other.cert);
  put('b.key', other.key);
  put('root.pem', root.cert);
  file.write(SPEC);
  const { port, gateway } = await startGateway({ spec: file.path, watch: true });
  const tls = { ca: root.cert, servername: 'a.example' };
  const patience = 30_000;
  const loads = (['http/1.1', 'h2'] as const).flatMap((protocol) => [
    {
      name: `new connections, ${protocol}`,
      load: ConstantLoad.start({ port, protocol, rate: CONNECTIONS, patience, tls, fresh: true }),
    },
    {
      name: `kept connections, ${protocol}`,
      load: ConstantLoad.start({ port, protocol, rate: REQUESTS, patience, tls }),
    },
  ]);
  const took: number[] = [];
  try {
    for (let version = 1; version <= RELOADS; version++) {
      await delay(300);
      const since = performance.now();
      provide(version);
      const sees = async (): Promise<boolean> =>
        new RegExp(`subject=.*CN = version-${version}`).test(await shown(port, 'a.example'));
      await until(sees, `certificate ${version}`);
      took.push(Math.round(performance.now() - since));
    }
    assert.match(await shown(port, 'a.example', ['-verify_return_error']), /Verify return code: 0 \(ok\)/);
    assert.match(await shown(port, 'b.example', ['-ign_eof']), /certificate required/);
    const proof = ['-cert', client.certFile, '-key', client.keyFile];
    const known = await shown(port, 'b.example', [...proof, '-ign_eof']);
    assert.match(known, /subject=CN = other/);
    assert.match(known, /HTTP\/1\.1 200/);
    assert.match(await shown(port, 'a.example', ['-alpn', 'h2,http/1.1']), /ALPN protocol: h2/);
    assert.match(await shown(port, 'a.example', ['-tls1_2']), /Protocol *: TLSv1\.2/);
    assert.match(await shown(port, 'c.example'), /unrecognized name/);
  } finally {
    await Promise.all(loads.map(({ load }) => load.stop()));
  }
  for (const { name, load } of loads) {
    tell(`certificate replaced ${RELOADS} times, ${name}`, load.results, `in use after ${took.join(', ')} ms`);
    assert.ok(load.results.length > 10, name);
    assert.is(failuresOf(load.results).length, 0, name);
  }
  assert.is(gateway.snapshot().reloads.filter(({ outcome }) => outcome === 'rejected').length, 0);
});

test.run();
