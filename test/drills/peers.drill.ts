/**
 * Other programs on both sides: HAProxy and nginx in front and as origins, curl as the client by HTTP/1.1, HTTP/2 over TLS and HTTP/2
 * by prior knowledge. What is not installed is skipped.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveReferences } from '../../src/bundle/references.js';
import type { Program } from '../../src/bundle/types.js';
import { FaultTarget, ok, Plane, specOf, until } from '../integration/engine-kit.js';
import { whole } from '../support/fault-target.js';
import { runProgram } from '../support/gw-process.js';
import { onlyWhere } from '../support/only-where.js';
import { freePort } from '../support/ports.js';

const has = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'gw-peers-'));
const children: ChildProcess[] = [];
const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const [CERT, KEY] = [`${FIXTURES}/tls-cert.pem`, `${FIXTURES}/tls-key.pem`];
const HOST = 'gateway.test';
/** Where curl connects from, to be told from the proxies. */
const CLIENT = '127.0.0.2';

const test = suite('peers');
const installed = (name: string) =>
  onlyWhere(has(name) && has('curl') && process.platform === 'linux', `${name} or curl is not installed`, test);
const withHaproxy = installed('haproxy');
const withNginx = installed('nginx');

test.after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a program that stays in the foreground, and waits until the port accepts connections. */
async function start(command: string, args: readonly string[], port: number): Promise<void> {
  children.push(spawn(command, args, { stdio: 'ignore' }));
  const accepts = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  await until(accepts, `${command} to listen`);
}

async function haproxy(name: string, sections: string, port: number): Promise<void> {
  const file = join(folder, `${name}.cfg`);
  const defaults = 'defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n';
  writeFileSync(file, `${defaults}${sections}\n`);
  await start('haproxy', ['-db', '-f', file], port);
}

async function nginx(name: string, http: string, port: number): Promise<void> {
  const file = join(folder, `${name}.conf`);
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/t;`);
  const begin = `daemon off; master_process off; pid ${folder}/${name}.pid; error_log /dev/null; events {}`;
  writeFileSync(file, `${begin} http { access_log off; ${places.join(' ')} ${http} }`);
  await start('nginx', ['-e', '/dev/null', '-c', file], port);
}

/** The ways in which curl asks, and the version in which it gets the reply. */
const WAYS = {
  'HTTP/1.1': { args: ['--http1.1'], scheme: 'http', version: '1.1' },
  'HTTP/1.1 over TLS': { args: ['--http1.1'], scheme: 'https', version: '1.1' },
  'HTTP/2 over TLS': { args: ['--http2'], scheme: 'https', version: '2' },
  'HTTP/2 by prior knowledge': { args: ['--http2-prior-knowledge'], scheme: 'http', version: '2' },
} as const;
type Way = (typeof WAYS)[keyof typeof WAYS];

const BODY = 'x'.repeat(20_000);

/**
 * Does two GETs on a connection and, if `posts`, a POST on another one: origins that do not read its body reset it, which curl 7.88
 * takes for a failure. The replies must come in the version; returns their texts.
 */
async function curl({ args, scheme, version }: Way, port: number, path: string, posts = true): Promise<string> {
  const url = `${scheme}://${HOST}:${port}${path}`;
  const common = ['--silent', '--show-error', '--max-time', '10', '--cacert', CERT, '--interface', CLIENT];
  const to = ['--resolve', `${HOST}:${port}:127.0.0.1`, '--write-out', '\n%{http_version} %{response_code}\n', ...args];
  let text = '';
  for (const how of [
    ...(posts ? [['--data-binary', BODY, url]] : []),
    // curl 7.88 cannot use a connection twice that it has opened by prior knowledge.
    ...(scheme === 'http' && version === '2' ? [[url], [url]] : [[url, url]]),
  ]) {
    const { out, err, code } = await runProgram('curl', [...common, ...to, ...how], { timeout: 15_000 });
    assert.is(code, 0, `${err}${out}`);
    text += out;
  }
  const lines = [...text.matchAll(/^[\d.]+ \d+$/gm)].map(([line]) => line);
  assert.equal(
    lines,
    Array.from({ length: posts ? 3 : 2 }, () => `${version} 200`),
    text,
  );
  return text;
}

const TLS = `tls = { cert = "${CERT}", key = "${KEY}" }`;
/** A listener without TLS, and one with it: their lines. */
const listeners = (lines: string): string => `${lines}\n[listener.secure]\naddress = "127.0.0.1:0"\n${TLS}\n${lines}`;

for (const how of ['send-proxy', 'send-proxy-v2'])
  withHaproxy(`HAProxy in front with ${how}: curl in every version, and its address`, async () => {
    const target = await FaultTarget.start(whole(() => undefined, ok('fine')));
    const lines = 'proxy_protocol = true\ntrusted_proxies = ["127.0.0.1"]';
    const plane = await Plane.start(specOf(target.url, { listener: listeners(lines) }));
    const [open, secure] = [await freePort(), await freePort()];
    const pass = (port: number, to: number): string =>
      `listen l${port}\n  mode tcp\n  bind 127.0.0.1:${port}\n  server gw 127.0.0.1:${to} ${how}\n`;
    await haproxy(how, pass(open, plane.ports[0]!) + pass(secure, plane.ports[1]!), open);
    for (const [name, way] of Object.entries(WAYS)) {
      const path = `/${name.replaceAll(/\W/g, '-')}`;
      await curl(way, way.scheme === 'http' ? open : secure, path);
      assert.is((await plane.record(({ url }) => url === path)).remote, CLIENT, name);
    }
    await plane.close();
    await target.close();
  });

withHaproxy('HAProxy in front by HTTP/2 with X-Forwarded-For: curl in every version, and its address', async () => {
  const target = await FaultTarget.start(whole(() => undefined, ok('fine')));
  const plane = await Plane.start(specOf(target.url, { listener: listeners('trusted_proxies = ["127.0.0.1"]') }));
  const [open, secure, knowing] = [await freePort(), await freePort(), await freePort()];
  const pem = join(folder, 'both.pem');
  writeFileSync(pem, spawnSync('cat', [CERT, KEY]).stdout);
  const begin = (port: number, more: string, to: string): string =>
    `listen l${port}\n  mode http\n  option forwardfor\n  bind 127.0.0.1:${port} ${more}\n  server gw ${to}\n`;
  const byTls = `127.0.0.1:${plane.ports[1]} ssl ca-file ${CERT} sni str(${HOST}) verifyhost ${HOST} alpn h2`;
  const sections = [
    begin(open, '', `127.0.0.1:${plane.ports[0]} proto h2`),
    begin(secure, `ssl crt ${pem} alpn h2,http/1.1`, byTls),
    begin(knowing, 'proto h2', `127.0.0.1:${plane.ports[0]}`),
  ];
  await haproxy('http', sections.join(''), open);
  for (const [name, way] of Object.entries(WAYS)) {
    const path = `/${name.replaceAll(/\W/g, '-')}`;
    await curl(way, way.scheme === 'https' ? secure : way.version === '2' ? knowing : open, path);
    assert.is((await plane.record(({ url }) => url === path)).remote, CLIENT, name);
  }
  await plane.close();
  await target.close();
});

withNginx('nginx in front with X-Forwarded-For: curl by HTTP/1.1 and by HTTP/2 over TLS, and its address', async () => {
  const target = await FaultTarget.start(whole(() => undefined, ok('fine')));
  const plane = await Plane.start(specOf(target.url, { listener: listeners('trusted_proxies = ["127.0.0.1"]') }));
  const [open, secure] = [await freePort(), await freePort()];
  const pass = (url: string): string =>
    `location / { proxy_pass ${url}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_ssl_trusted_certificate ${CERT}; proxy_ssl_verify on; proxy_ssl_name ${HOST}; proxy_ssl_server_name on; }`;
  const plain = `server { listen 127.0.0.1:${open}; ${pass(`http://127.0.0.1:${plane.ports[0]}`)} }`;
  const tls = `server { listen 127.0.0.1:${secure} ssl http2; ssl_certificate ${CERT}; ssl_certificate_key ${KEY}; ${pass(`https://127.0.0.1:${plane.ports[1]}`)} }`;
  await nginx('front', plain + tls, open);
  for (const [name, way] of Object.entries(WAYS)) {
    if (name === 'HTTP/2 by prior knowledge') continue;
    const path = `/${name.replaceAll(/\W/g, '-')}`;
    await curl(way, way.scheme === 'https' ? secure : open, path);
    assert.is((await plane.record(({ url }) => url === path)).remote, CLIENT, name);
  }
  await plane.close();
  await target.close();
});

/** curl in every version through gw to an origin, which answers with the version in which it was asked. */
async function asOrigin(url: string, service: string, version: string): Promise<void> {
  const plane = await Plane.start(specOf(url, { listener: listeners('') }));
  const trusting = (program: Program): Program => resolveReferences(program, () => readFileSync(CERT, 'utf8'));
  await plane.load(specOf(url, { listener: listeners(''), service }), trusting);
  for (const [name, way] of Object.entries(WAYS)) {
    const text = await curl(way, plane.ports[way.scheme === 'http' ? 0 : 1]!, '/', false).catch((error: unknown) => {
      const causes = plane.records.map(({ error: code, cause }) => `${code}: ${cause}`);
      throw new Error(`${url} ${service}, ${name}: ${causes.join(', ')}`, { cause: error });
    });
    assert.is(text.split(`asked by ${version}`).length - 1, 2, `${name}: ${text}`);
  }
  await plane.close();
}

withHaproxy('HAProxy as origin by HTTP/1.1 and HTTP/2, without TLS and with it: curl in every version', async () => {
  const [http1, http2, secure] = [await freePort(), await freePort(), await freePort()];
  const pem = join(folder, 'origin.pem');
  writeFileSync(pem, spawnSync('cat', [CERT, KEY]).stdout);
  const answer = 'http-request return status 200 content-type text/plain lf-string "asked by %HV"';
  const origin = (port: number, more: string): string =>
    `frontend f${port}\n  mode http\n  bind 127.0.0.1:${port} ${more}\n  option http-buffer-request\n  ${answer}\n`;
  const all = origin(http1, '') + origin(http2, 'proto h2') + origin(secure, `ssl crt ${pem} alpn h2,http/1.1`);
  await haproxy('origin', all, http1);
  const tls = `tls = { ca = ["\${file:${CERT}}"], server_name = "${HOST}" }`;
  await asOrigin(`http://127.0.0.1:${http1}`, '', 'HTTP/1.1');
  await asOrigin(`http://127.0.0.1:${http2}`, 'protocol = "h2"', 'HTTP/2.0');
  await asOrigin(`https://127.0.0.1:${secure}`, tls, 'HTTP/1.1');
  await asOrigin(`https://127.0.0.1:${secure}`, `protocol = "h2"\n${tls}`, 'HTTP/2.0');
});

withNginx('nginx as origin by HTTP/1.1 and HTTP/2, without TLS and with it: curl in every version', async () => {
  const [http1, http2, secure] = [await freePort(), await freePort(), await freePort()];
  const answer = 'location / { return 200 "asked by $server_protocol"; }';
  const tls = `ssl_certificate ${CERT}; ssl_certificate_key ${KEY};`;
  const servers = [
    `server { listen 127.0.0.1:${http1}; ${answer} }`,
    `server { listen 127.0.0.1:${http2} http2; ${answer} }`,
    `server { listen 127.0.0.1:${secure} ssl http2; ${tls} ${answer} }`,
  ];
  await nginx('origin', servers.join(' '), http1);
  const verified = `tls = { ca = ["\${file:${CERT}}"], server_name = "${HOST}" }`;
  await asOrigin(`http://127.0.0.1:${http1}`, '', 'HTTP/1.1');
  await asOrigin(`http://127.0.0.1:${http2}`, 'protocol = "h2"', 'HTTP/2.0');
  await asOrigin(`https://127.0.0.1:${secure}`, verified, 'HTTP/1.1');
  await asOrigin(`https://127.0.0.1:${secure}`, `protocol = "h2"\n${verified}`, 'HTTP/2.0');
});

test.run();
