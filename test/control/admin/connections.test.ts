/** Unauthenticated and slow clients of the admin API never block a liveness probe. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adminBounds } from '../../../src/control/admin/connections.js';
import { AdminServer } from '../../../src/control/admin/server.js';
import { silentLog } from '../../../src/control/log.js';
import { reserveOf } from '../../../src/proxy/load/descriptors.js';
import { until } from '../../support/until.js';

const BOUNDS = adminBounds();
const TOKEN = 'secret';

const unasked = (): Promise<never> => Promise.reject(new Error('not asked for'));

/** Replies at once, except for metrics, which wait until `release` is called. */
class Backend {
  consumers = { now: () => 0, places: () => undefined, written: async () => undefined };
  cache = { stats: unasked, list: unasked, purge: unasked, warm: unasked };
  release: () => void = () => {};
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });
  snapshot(): never {
    throw new Error('not asked for');
  }
  watch(): void {}
  async reload(): Promise<undefined> {}
  notReady(): undefined {}
  async metrics() {
    await this.#released;
    return { text: 'metrics\n', contentType: 'text/plain' };
  }
}

const sockets: Socket[] = [];
const backend = new Backend();
const server = new AdminServer(backend, silentLog);
const folder = mkdtempSync(join(tmpdir(), 'gw-admin-'));
const socketPath = join(folder, 'admin.sock');
let port = 0;

test.before(async () => {
  (await server.prepareTcp({ host: '127.0.0.1', port: 0, token: TOKEN, hosts: [] })).commit();
  port = Number(server.tcpAddress?.split(':')[1]);
  await server.listenSocket(socketPath);
});

test.after.each(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

test.after(async () => {
  backend.release();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A connection that has sent `text`; `received` is the reply. */
function open(text: string, where: { port: number } | { path: string } = { port }) {
  const socket = connect(where);
  sockets.push(socket);
  const client = { socket, received: '', closed: false };
  socket.setEncoding('latin1').on('data', (data: string) => (client.received += data));
  socket.on('error', () => {});
  socket.on('close', () => {
    client.closed = true;
  });
  if (text !== '') socket.write(text);
  return client;
}

async function ask(text: string, where?: { port: number } | { path: string }): Promise<string> {
  const client = open(text, where);
  await until(() => client.closed || /\r\n\r\n(.*\n)?$/s.test(client.received), 'a reply');
  client.socket.destroy();
  return client.received;
}

const PROBE = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
const METRICS = `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;

for (const where of ['TCP', 'the unix socket']) {
  const place = (): { port: number } | { path: string } => (where === 'TCP' ? { port } : { path: socketPath });

  test(`300 idle connections on ${where} do not block a liveness probe`, async () => {
    const idle = Array.from({ length: 300 }, () => open('', place()));
    await until(() => idle.filter(({ closed }) => closed).length >= 172, 'the oldest ones to be closed');
    assert.match(await ask(PROBE, place()), /^HTTP\/1\.1 200 /);
  });

  test(`300 incomplete heads on ${where} do not block a liveness probe`, async () => {
    const started = Array.from({ length: 300 }, () => open('GET /livez HTTP/1.1\r\nX: ', place()));
    await until(() => started.filter(({ closed }) => closed).length >= 172, 'the oldest ones to be closed');
    assert.match(await ask(PROBE, place()), /^HTTP\/1\.1 200 /);
  });
}

test('a connection closes if its head is not complete within 5 s, even if bytes keep arriving', async () => {
  const began = performance.now();
  const trickling = open('GET /livez HTTP/1.1\r\n');
  const silent = open('');
  const timer = setInterval(() => trickling.socket.write('a'), 200);
  try {
    await until(() => trickling.closed && silent.closed, 'the end of both');
  } finally {
    clearInterval(timer);
  }
  const took = performance.now() - began;
  assert.ok(took > 4000 && took < 9000, `${took} ms`);
});

test('authenticated calls keep their connections, up to a bound that leaves room for probes', async () => {
  const holders = Array.from({ length: BOUNDS.held }, () => open(METRICS));
  const more = await until(async () => {
    const reply = open(METRICS);
    await until(() => reply.received !== '' || reply.closed, 'an answer', 1000).catch(() => {});
    return reply.received.startsWith('HTTP/1.1 503 ') && reply;
  }, 'a refusal');
  assert.match(more.received, /"code":"admin\/clients"/);
  for (let count = 0; count < 200; count++) open('');
  assert.match(await ask(PROBE), /^HTTP\/1\.1 200 /);
  backend.release();
  const served = (): number => holders.filter(({ received }) => received.endsWith('metrics\n')).length;
  // A call of the loop above may precede one of these.
  await until(() => served() >= BOUNDS.held - 1, 'the replies of all');
});

test('both admin API servers stay within the connections that the data plane leaves free', () => {
  for (const limit of [64, 112, 256, 1024, 4096, 1_000_000, Number.POSITIVE_INFINITY]) {
    const { kept, most, held } = adminBounds(limit);
    assert.ok(held >= 1 && held < kept && kept < most && 2 * most < reserveOf(limit), `${limit}`);
  }
});

test('HTTP/1.0 health checks need no Host; every other request does', async () => {
  for (const path of ['/livez', '/readyz']) {
    assert.match(await ask(`GET ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 200 .*\r\n\r\nok\n$/s);
    assert.match(await ask(`HEAD ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 200 .*\r\n\r\n$/s);
    assert.match(await ask(`GET ${path} HTTP/1.0\r\nHost: evil.example\r\n\r\n`), /^HTTP\/1\.1 421 /);
    assert.match(await ask(`GET ${path} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 400 /);
  }
  const withToken = `Authorization: Bearer ${TOKEN}\r\n`;
  assert.match(await ask(`GET /metrics HTTP/1.0\r\n${withToken}\r\n`), /^HTTP\/1\.1 421 /);
});

test.run();
