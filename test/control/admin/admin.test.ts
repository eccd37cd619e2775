import { mkdirSync, statSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_EVENT_CLIENTS, MAX_WAITING_BYTES } from '../../../src/control/admin/events.js';
import { type AdminBackend, AdminServer } from '../../../src/control/admin/server.js';
import { CacheError } from '../../../src/control/cache/policies.js';
import { freePort } from '../../../src/control/managed/ports.js';
import type { WatchLevel } from '../../../src/proxy/types.js';
import type { AdminEvent, ReloadSnapshot, RequestRecord, Snapshot } from '../../../src/telemetry/snapshot.js';
import { requestRecord } from '../../support/records.js';
import { KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

test.after(removeFolders);

const TOKEN = 'a-long-secret-token';

const snapshot: Snapshot = {
  version: 1,
  gateway: {
    gw: '0.1.0',
    pid: 1,
    spec: '/x/gateway.toml',
    startedAt: 1,
    now: 2,
    state: 'ready',
    workers: 1,
    overloaded: 0,
    rssBytes: 3,
  },
  generation: { id: 1, sha256: 'ab', loadedAt: 1 },
  listeners: [],
  concurrency: [],
  consumers: { declared: 0, shown: [], unknown: { requests: 0, requestsPerSecond: 0, refused: {}, lastSeen: null } },
  traffic: {
    requests: 0,
    errors: 0,
    inFlight: 0,
    requestsPerSecond: [],
    errorsPerSecond: [],
    latency: { p50: null, p95: null, p99: null },
  },
  routes: [],
  limits: [],
  targets: [],
  duties: [],
  reloads: [],
};

const live: ReloadSnapshot = {
  at: 1,
  outcome: 'live',
  generation: 2,
  summary: '+1 route, ~0 routes, -0 routes',
  tookMs: 3,
  diagnostics: '',
  errors: 0,
  warnings: 0,
};

class Backend implements AdminBackend {
  cache: AdminBackend['cache'] = {
    stats: async () => ({ version: 1, memory: { bytes: 2, freeBytes: 1 }, disk: null, policies: [] }),
    purge: async () => {
      throw new CacheError('unknown', 'There is no cache other.');
    },
    list: async () => ({ version: 1, complete: true, replies: [] }),
    warm: async () => ({ version: 1, results: [] }),
  };
  consumers: AdminBackend['consumers'] = { now: () => 0, places: () => undefined, written: async () => undefined };
  levels: WatchLevel[] = [];
  outcome: ReloadSnapshot | undefined = live;
  reason: string | undefined;
  broken = false;
  snapshot(): Snapshot {
    if (this.broken) throw new Error('broken');
    return snapshot;
  }
  watch(level: WatchLevel): void {
    this.levels.push(level);
  }
  async reload(): Promise<ReloadSnapshot | undefined> {
    return this.outcome;
  }
  notReady(): string | undefined {
    return this.reason;
  }
  async metrics() {
    return { text: '# HELP gw_up up\n', contentType: 'text/plain; version=0.0.4' };
  }
}

const record = (id: string): RequestRecord =>
  requestRecord({ id, decisions: [{ step: 'keys', use: 'api-key', outcome: 'pass', why: 'because' }] });

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Where {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

function call(
  where: Where,
  path: string,
  { body: sent, ...options }: { method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const request = httpRequest({ ...where, path, agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end(sent);
  });
}

class Stream {
  readonly events: AdminEvent[] = [];
  ended = false;
  constructor(readonly response: IncomingMessage) {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.events.push(JSON.parse(line));
    });
    response.on('close', () => {
      this.ended = true;
    });
  }
  static open(where: Where, query = ''): Promise<Stream> {
    return new Promise((resolve, reject) => {
      httpRequest({ ...where, path: `/events${query}`, agent: false }, (response) => resolve(new Stream(response)))
        .on('error', reject)
        .end();
    });
  }
  of<Type extends AdminEvent['type']>(type: Type): Extract<AdminEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<AdminEvent, { type: Type }> => event.type === type);
  }
}

async function onSocket(use: (where: Where, server: AdminServer, backend: Backend, log: KeptLog) => Promise<void>) {
  const backend = new Backend();
  const log = new KeptLog();
  const server = new AdminServer(backend, log);
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  const socketPath = join(folder, 'a.sock');
  await server.listenSocket(socketPath);
  try {
    await use({ socketPath }, server, backend, log);
  } finally {
    await server.close();
  }
}

test('the socket is accessible only to its owner and needs no token', () =>
  onSocket(async (where, _server, backend) => {
    assert.is(statSync(where.socketPath ?? '').mode & 0o777, 0o600);
    const got = await call(where, '/snapshot');
    assert.is(got.status, 200);
    assert.is(got.headers['content-type'], 'application/json');
    assert.equal(JSON.parse(got.body), snapshot);
    assert.equal((await call(where, '/livez')).body, 'ok\n');
    assert.is((await call(where, '/readyz')).status, 200);
    backend.reason = 'draining';
    const ready = await call(where, '/readyz');
    assert.is(ready.status, 503);
    assert.is(ready.body, 'draining\n');
    assert.is((await call(where, '/livez')).status, 200);
    const metrics = await call(where, '/metrics');
    assert.match(metrics.headers['content-type'] ?? '', 'version=0.0.4');
    assert.match(metrics.body, 'gw_up');
    const head = await call(where, '/snapshot', { method: 'HEAD' });
    assert.is(head.status, 200);
    assert.is(head.body, '');
  }));

test('calls about caches: statuses, methods and bodies', () =>
  onSocket(async (where) => {
    const post = async (path: string, body: string): Promise<string> => {
      const answer = await call(where, path, { method: 'POST', body });
      const { code, detail } = JSON.parse(answer.body) as { code?: string; detail?: string };
      return `${answer.status} ${code ?? ''} ${detail ?? ''}`;
    };
    assert.equal(JSON.parse((await call(where, '/cache')).body), {
      version: 1,
      memory: { bytes: 2, freeBytes: 1 },
      disk: null,
      policies: [],
    });
    assert.is((await call(where, '/cache', { method: 'HEAD' })).body, '');
    for (const [path, allow] of [
      ['/cache', 'GET, HEAD'],
      ['/cache/list', 'POST'],
      ['/cache/purge', 'POST'],
    ] as const) {
      const answer = await call(where, path, { method: 'DELETE' });
      assert.is(answer.status, 405);
      assert.is(answer.headers['allow'], allow);
    }
    assert.is((await call(where, '/cache/other')).status, 404);
    assert.is(await post('/cache/purge', '{"all":true}'), '404 admin/unknown-name There is no cache other.');
    assert.match(await post('/cache/list', '{"all":true,"most":"1"}'), /^422 admin\/invalid `most` is a number/);
    assert.match(await post('/cache/list', '{"soft":true}'), /^422 admin\/invalid Unknown key `soft`/);
    assert.is(await post('/cache/purge', '[]'), '400 admin/body The body is a JSON object.');
    assert.match(await post('/cache/purge', '{"urls":"x"}'), /^422 admin\/invalid Unknown key `urls`/);
    assert.is(await post('/cache/purge', '{"tag":[1]}'), '422 admin/invalid `tag` is a string or a list of strings.');
    assert.is(await post('/cache/purge', '{"soft":1}'), '422 admin/invalid `soft` is true or false.');
    assert.match(await post('/cache/purge', ' '.repeat(65_537)), /^413 admin\/body/);
    assert.is(await post('/cache/warm', `{"urls":["${'x'.repeat(70_000)}"]}`), '200  ');
    assert.is(await post('/cache/warm', '{"concurrency":"8"}'), '422 admin/invalid `concurrency` is a number.');
    assert.match(await post('/cache/warm', '{"headers":{"a":1}}'), /^422 admin\/invalid `headers` is an object/);
    assert.match(await post('/cache/warm', '{"headers":[]}'), /^422 admin\/invalid `headers` is an object/);
  }));

test('reload returns 200 if live, 422 if rejected, 503 during shutdown', () =>
  onSocket(async (where, _server, backend) => {
    const done = await call(where, '/reload', { method: 'POST' });
    assert.is(done.status, 200);
    assert.equal(JSON.parse(done.body), live);
    backend.outcome = { ...live, outcome: 'rejected', generation: null, diagnostics: 'error: x' };
    const rejected = await call(where, '/reload', { method: 'POST' });
    assert.is(rejected.status, 422);
    assert.is(JSON.parse(rejected.body).diagnostics, 'error: x');
    backend.outcome = undefined;
    assert.is((await call(where, '/reload', { method: 'POST' })).status, 503);
  }));

test('errors are problem details', () =>
  onSocket(async (where, _server, backend, log) => {
    const unknown = await call(where, '/nothing');
    assert.is(unknown.status, 404);
    assert.is(unknown.headers['content-type'], 'application/problem+json');
    assert.is(JSON.parse(unknown.body).code, 'admin/unknown');
    const method = await call(where, '/reload');
    assert.is(method.status, 405);
    assert.is(method.headers['allow'], 'POST');
    assert.is((await call(where, '/snapshot', { method: 'DELETE' })).headers['allow'], 'GET, HEAD');
    backend.broken = true;
    const bug = await call(where, '/snapshot');
    assert.is(bug.status, 500);
    assert.is(JSON.parse(bug.body).code, 'admin/internal');
    assert.not.match(bug.body, 'Error: broken');
    assert.is(log.find(/^admin API call failed$/)?.fields['path'], '/snapshot');
  }));

test('events: a snapshot at once, then reloads; requests only if the client asked for them', () =>
  onSocket(async (where, server, backend) => {
    const plain = await Stream.open(where);
    const records = await Stream.open(where, '?requests=1');
    const decisions = await Stream.open(where, '?requests=1&decisions=1');
    for (const stream of [plain, records, decisions]) {
      await until(() => stream.of('snapshot').length > 0, 'a snapshot');
    }
    assert.equal(backend.levels, ['records', 'decisions']);
    server.events.requests([record('a')], 2);
    server.events.reload(live);
    for (const stream of [plain, records, decisions]) await until(() => stream.of('reload').length > 0, 'the reload');
    assert.equal(plain.of('requests'), []);
    const { decisions: _decisions, ...bare } = record('a');
    assert.equal(records.of('requests'), [{ type: 'requests', requests: [bare], dropped: 2 }]);
    assert.equal(decisions.of('requests'), [{ type: 'requests', requests: [record('a')], dropped: 2 }]);
    decisions.response.destroy();
    await until(() => backend.levels.at(-1) === 'records', 'watching less');
    records.response.destroy();
    await until(() => backend.levels.at(-1) === 'off', 'watching nothing');
    await until(() => plain.of('snapshot').length > 1, 'one more snapshot after a second');
    await server.close();
    await until(() => plain.ended, 'the end of the stream');
  }));

test('events: warnings of the log go to each client', () =>
  onSocket(async (where, server) => {
    const stream = await Stream.open(where);
    const warning = {
      level: 'warn',
      message: 'certificate not renewed',
      at: 5,
      fields: { host: 'a.example', count: 1n },
    } as const;
    server.events.warning(warning);
    await until(() => stream.of('warning').length > 0, 'the warning');
    const fields = { host: 'a.example', count: '1' };
    assert.equal(stream.of('warning'), [{ type: 'warning', warning: { ...warning, fields } }]);
    await server.close();
    await until(() => stream.ended, 'the end of the stream');
  }));

test('events: a client that watches requests gets up to 200 recent ones first', () =>
  onSocket(async (where, server) => {
    const first = await Stream.open(where, '?requests=1&decisions=1');
    await until(() => first.of('snapshot').length > 0, 'a snapshot');
    const ended = (at: number): RequestRecord => ({ ...record(`${at}`), at, durationMs: 0 });
    server.events.recent([ended(1), ended(3)]);
    server.events.recent([ended(2)]);
    await until(() => first.of('requests').length === 2, 'those of both workers');
    assert.ok(first.of('requests').every(({ recent, dropped }) => recent === true && dropped === 0));
    for (let at = 4; at <= 600; at += 4)
      server.events.requests(
        [0, 1, 2, 3].map((more) => ended(at + more)),
        0,
      );
    const second = await Stream.open(where, '?requests=1');
    const plain = await Stream.open(where);
    await until(() => second.of('requests').length > 0 && plain.of('snapshot').length > 0, 'the last ones');
    const [past] = second.of('requests');
    assert.is(past?.recent, true);
    assert.equal(
      past?.requests.map(({ at, decisions }) => [at, decisions]),
      Array.from({ length: 200 }, (_, index) => [404 + index, undefined]),
    );
    assert.equal(plain.of('requests'), []);
    first.response.destroy();
    second.response.destroy();
    await until(() => server.events.clients === 1, 'no watcher');
    server.events.requests([ended(700)], 0);
    server.events.recent([ended(700)]);
    const third = await Stream.open(where, '?requests=1');
    await until(() => third.of('snapshot').length > 0, 'a snapshot');
    server.events.requests([ended(701)], 0);
    await until(() => third.of('requests').length > 0, 'what follows');
    assert.is(third.of('requests')[0]?.recent, undefined, 'what came while no client watched is left to the workers');
  }));

test('too many event clients are refused', () =>
  onSocket(async (where, server) => {
    const streams = await Promise.all(Array.from({ length: MAX_EVENT_CLIENTS }, () => Stream.open(where)));
    const refused = await call(where, '/events');
    assert.is(refused.status, 503);
    assert.is(JSON.parse(refused.body).code, 'admin/clients');
    for (const stream of streams) stream.response.destroy();
    await until(() => server.events.clients === 0, 'room again');
    assert.is((await call(where, '/events', { method: 'HEAD' })).status, 200);
  }));

test('a client that does not read uses bounded memory and gets the count of missed requests', () =>
  onSocket(async (where, server) => {
    const socket = connect(where.socketPath ?? '');
    socket.write('GET /events?requests=1 HTTP/1.1\r\nhost: x\r\n\r\n');
    socket.pause();
    await until(() => server.events.clients === 1, 'the client');
    const batch = Array.from({ length: 500 }, (_, index) => record(`${index}-${'x'.repeat(200)}`));
    const size = JSON.stringify(batch).length;
    const batches = Math.ceil((MAX_WAITING_BYTES * 8) / size);
    for (let count = 0; count < batches; count++) server.events.requests(batch, 0);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.resume();
    await until(() => text.includes('"dropped":0'), 'what waited for it');
    let missed = 0;
    await until(() => {
      server.events.requests([record('later')], 0);
      const found = /"dropped":([1-9]\d*)/.exec(text);
      missed = Number(found?.[1] ?? 0);
      return missed > 0;
    }, 'the count of what it missed');
    assert.ok(missed >= 500, `${missed} missed`);
    assert.ok(text.length < MAX_WAITING_BYTES * 4, `${text.length} bytes came`);
    socket.destroy();
  }));

test('TCP: token and Host are checked, health needs no token, the token can change on the same address', async () => {
  const backend = new Backend();
  const server = new AdminServer(backend, new KeptLog());
  const change = await server.prepareTcp({ host: '127.0.0.1', port: 0, token: TOKEN, hosts: ['gw.internal'] });
  assert.is(server.tcpAddress, undefined);
  change.commit();
  const [host = '', port = ''] = (server.tcpAddress ?? '').split(':');
  const where = { host, port: Number(port) };
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  const refused = await call(where, '/snapshot');
  assert.is(refused.status, 401);
  assert.match(refused.headers['www-authenticate'] ?? '', /^Bearer/);
  assert.is((await call(where, '/snapshot', bearer('wrong'))).status, 401);
  assert.is((await call(where, '/snapshot', { headers: { authorization: `Basic ${TOKEN}` } })).status, 401);
  assert.is((await call(where, '/reload', { method: 'POST' })).status, 401);
  assert.is((await call(where, '/metrics')).status, 401);
  assert.is((await call(where, '/nothing')).status, 401);
  assert.is((await call(where, '/snapshot', bearer(TOKEN))).status, 200);
  assert.is((await call(where, '/livez')).status, 200);
  assert.is((await call(where, '/readyz')).status, 200);

  const named = (name: string) => call(where, '/livez', { headers: { host: name } });
  for (const name of [
    'gw.internal',
    'GW.internal:9000',
    'localhost',
    'localhost:1',
    '127.0.0.1:80',
    '[::1]:80',
    '10.1.2.3',
  ]) {
    assert.is((await named(name)).status, 200, name);
  }
  for (const name of ['evil.example', 'localhost.evil.example:80', '127.0.0.1.evil.example', 'a@127.0.0.1']) {
    const answer = await named(name);
    assert.is(answer.status, 421, name);
    assert.is(JSON.parse(answer.body).code, 'admin/host');
  }

  (await server.prepareTcp({ host: '127.0.0.1', port: 0, token: 'another', hosts: [] })).commit();
  assert.is((await call(where, '/snapshot', bearer(TOKEN))).status, 401);
  assert.is((await call(where, '/snapshot', bearer('another'))).status, 200);
  await server.close();
  assert.is(server.tcpAddress, undefined);
});

test('TCP: a new address replaces the old one on commit; a used one changes nothing; none closes the server', async () => {
  const server = new AdminServer(new Backend(), new KeptLog());
  const other = new AdminServer(new Backend(), new KeptLog());
  (await other.prepareTcp({ host: '127.0.0.1', port: 0, token: TOKEN, hosts: ['gw.internal'] })).commit();
  const taken = Number((other.tcpAddress ?? '').split(':')[1]);
  (await server.prepareTcp({ host: '127.0.0.1', port: 0, token: TOKEN, hosts: ['gw.internal'] })).commit();
  const before = server.tcpAddress;
  try {
    await server.prepareTcp({ host: '127.0.0.1', port: taken, token: TOKEN, hosts: ['gw.internal'] });
    assert.unreachable();
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'EADDRINUSE');
  }
  assert.is(server.tcpAddress, before);
  const port = (await freePort(new Set())) ?? 0;
  const abandoned = await server.prepareTcp({ host: '127.0.0.1', port, token: TOKEN, hosts: ['gw.internal'] });
  await abandoned.abandon();
  assert.is(server.tcpAddress, before);
  (await server.prepareTcp({ host: '127.0.0.1', port, token: TOKEN, hosts: ['gw.internal'] })).commit();
  assert.is(server.tcpAddress, `127.0.0.1:${port}`);
  await until(async () => {
    const gone = await call({ host: '127.0.0.1', port: Number(before?.split(':')[1]) }, '/livez').catch(() => 'gone');
    return gone === 'gone';
  }, 'the old address to close');
  (await server.prepareTcp(undefined)).commit();
  assert.is(server.tcpAddress, undefined);
  await server.close();
  await other.close();
});

test('a malformed request is rejected without affecting others', () =>
  onSocket(async (where) => {
    const answer = await call(where, '//');
    assert.is(answer.status, 404);
    const long = await call(where, `/${'x'.repeat(20_000)}`).catch((error: Error) => error);
    assert.ok(long instanceof Error || long.status === 431);
    assert.is((await call(where, '/livez')).status, 200);
  }));

test.run();
