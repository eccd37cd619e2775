/** Certificates that are replaced on disk while clients connect: none of them fails, and open connections go on. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../../support/authority.js';
import { closeAll, removeFolders, SpecFile, startGateway, until } from '../control-kit.js';
import { RawClient } from '../engine-kit.js';

const authorities = new Authorities();
const root = authorities.create('root');
const server = (name: string): Issued =>
  root.issue(name, { extensions: ['extendedKeyUsage=serverAuth', 'subjectAltName=DNS:a.example'] });
const certificates = ['first', 'second', 'third', 'fourth'].map(server);

test.after.each(closeAll);
test.after(removeFolders);
test.after(() => authorities.remove());

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[[listener.main.tls.hosts]]
names = ["a.example"]
cert = "live/cert.pem"
key = "live/key.pem"
[[route]]
name = "home"
match = "GET /"
reply = { body = "home" }
`;

async function open(port: number, session?: Buffer): Promise<TLSSocket> {
  const resumed = session === undefined ? {} : { session };
  const socket = connect({ port, host: '127.0.0.1', servername: 'a.example', ca: root.cert, ...resumed });
  await once(socket, 'secureConnect');
  return socket;
}

async function ask(client: RawClient): Promise<void> {
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  const { status, body } = await client.reply();
  assert.equal([status, body.toString()], [200, 'home']);
}

/** Common name of the certificate that a new connection gets, after a request on it. */
async function visit(port: number): Promise<string> {
  const socket = await open(port);
  const client = new RawClient(socket);
  await ask(client);
  const name = String(socket.getPeerCertificate().subject.CN);
  client.destroy();
  return name;
}

test('a certificate is replaced under load: no connection fails, open ones go on, and sessions resume', async () => {
  const spec = new SpecFile(SPEC);
  const [first, ...others] = certificates as [Issued, ...Issued[]];
  // As Kubernetes mounts secrets: both files change at once, by a link.
  const provide = (issued: Issued, number: number): void => {
    const folder = join(spec.folder, `version-${number}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'cert.pem'), issued.cert);
    writeFileSync(join(folder, 'key.pem'), issued.key);
    symlinkSync(folder, join(spec.folder, 'next'));
    renameSync(join(spec.folder, 'next'), join(spec.folder, 'live'));
  };
  provide(first, 0);
  const { gateway, url } = await startGateway({ spec: spec.path, watch: true, inline: true });
  const port = Number(new URL(url).port);
  const keptSocket = await open(port);
  const kept = new RawClient(keptSocket);
  const [session] = (await Promise.all([once(keptSocket, 'session'), ask(kept)]))[0] as [Buffer];
  const seen = new Set<string>();
  let stop = false;
  const load = async (work: () => Promise<void>): Promise<void> => {
    while (!stop) await work();
  };
  const loads = [
    ...Array.from({ length: 2 }, () => load(async () => void seen.add(await visit(port)))),
    load(() => ask(kept)),
  ];
  const failed = Promise.all(loads)
    .then(() => undefined)
    .catch((error: unknown) => error);
  for (const [index, issued] of others.slice(0, 2).entries()) {
    provide(issued, index + 1);
    await until(() => seen.has(index === 0 ? 'second' : 'third'), 'the new certificate');
  }
  stop = true;
  assert.is(await failed, undefined);
  await ask(kept);
  kept.destroy();
  assert.equal([...seen], ['first', 'second', 'third']);
  const resumed = await open(port, session);
  assert.ok(resumed.isSessionReused());
  resumed.destroy();

  // One file after the other: what does not fit together is not used.
  const files = (name: string): string => join(spec.folder, 'live', name);
  const rejected = (): number => gateway.snapshot().reloads.filter(({ outcome }) => outcome === 'rejected').length;
  const before = rejected();
  writeFileSync(files('cert.pem'), others[2]!.cert);
  await until(() => rejected() > before, 'the rejection');
  assert.is(await visit(port), 'third');
  writeFileSync(files('key.pem'), others[2]!.key);
  await until(async () => (await visit(port)) === 'fourth', 'the whole pair');
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'a.example'];
  const running = promisify(execFile)('openssl', args, { timeout: 10_000 });
  running.child.stdin?.end();
  const shown = (await running).stdout;
  assert.match(shown, /subject=CN = fourth/);
});

test.run();
