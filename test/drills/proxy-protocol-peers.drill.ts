/** The PROXY protocol with HAProxy in front, and with nginx and HAProxy as origins on unix sockets. Skipped where they are not installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, ok, Plane, RawClient, specOf, until } from '../integration/engine-kit.js';
import { freePort } from '../support/ports.js';

const has = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'gw-peers-'));
const children: ChildProcess[] = [];

/** Starts a program that stays in the foreground, and waits until `place` accepts connections. */
async function start(command: string, args: readonly string[], place: string | number): Promise<void> {
  const child = spawn(command, args, { stdio: 'ignore' });
  children.push(child);
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = typeof place === 'string' ? connect(place) : connect(place, '127.0.0.1');
        socket.once('connect', () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', () => resolve(false));
      }),
    `${command} to listen`,
  );
}

const HAPROXY = 'defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n';
const TRUST = 'trusted_proxies = ["127.0.0.1"]';

async function haproxy(name: string, config: string, place: string | number): Promise<void> {
  const file = join(folder, `${name}.cfg`);
  writeFileSync(file, `${HAPROXY}${config}\n`);
  await start('haproxy', ['-db', '-f', file], place);
}

if (has('haproxy')) {
  for (const how of ['send-proxy', 'send-proxy-v2'])
    test(`HAProxy in front, ${how}`, async () => {
      const target = await FaultTarget.start(ok('fine'));
      const plane = await Plane.start(specOf(target.url, { listener: `proxy_protocol = true\n${TRUST}` }));
      const port = await freePort();
      const server = `server gw 127.0.0.1:${plane.port} ${how}`;
      await haproxy(
        how,
        `frontend f\n  mode tcp\n  bind 127.0.0.1:${port}\n  default_backend b\nbackend b\n  mode tcp\n  ${server}`,
        port,
      );
      const client = new RawClient(connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }));
      client.send('GET /front HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.is((await client.reply()).status, 200);
      assert.is((await plane.record(({ url }) => url === '/front')).remote, '127.0.0.2');
      client.destroy();
      await plane.close();
      await target.close();
    });
  test('HAProxy as origin', async () => {
    const path = join(folder, 'haproxy.sock');
    const reply = 'http-request return status 200 content-type text/plain lf-string "%[src]"';
    await haproxy('origin', `frontend f\n  mode http\n  bind unix@${path} accept-proxy\n  ${reply}`, path);
    await asks(path);
  });
} else console.log('no HAProxy: skipped');

if (has('nginx'))
  test('nginx as origin', async () => {
    const path = join(folder, 'nginx.sock');
    const file = join(folder, 'nginx.conf');
    const server = `server { listen unix:${path} proxy_protocol; location / { return 200 "$proxy_protocol_addr"; } }`;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (one) => `${one}_temp_path ${folder}/t;`,
    );
    const http = `http { access_log off; ${temporary.join(' ')} ${server} }`;
    writeFileSync(file, `daemon off; master_process off; pid ${folder}/pid; error_log /dev/null; events {} ${http}`);
    await start('nginx', ['-e', '/dev/null', '-c', file], path);
    await asks(path);
  });
else console.log('no nginx: skipped');

/** An origin that answers with the address in the header. */
async function asks(path: string): Promise<void> {
  for (const version of ['v1', 'v2']) {
    const service = `proxy_protocol = "${version}"`;
    const plane = await Plane.start(specOf(`unix:${path}`, { listener: TRUST, service }));
    const client = plane.client();
    for (const address of ['192.0.2.7', '192.0.2.8', '2001:db8::7', '192.0.2.7']) {
      client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n\r\n`);
      assert.is((await client.reply()).body.toString(), address, version);
    }
    client.destroy();
    await plane.close();
  }
}

test.after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test.run();
