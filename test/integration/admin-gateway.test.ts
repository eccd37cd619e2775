/** The admin API of a running gateway, on its socket and on TCP. */
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { whyNoSharing } from '../../src/control/ports/addresses.js';
import type { GatewayEntry } from '../../src/telemetry/admin-protocol.js';
import type { AdminEvent, RequestRecord, Snapshot } from '../../src/telemetry/snapshot.js';
import { refusingPort } from '../support/fault-target.js';
import {
  call,
  closeAll,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  temporaryFolder,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const KEY_HASH = 'sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683'; // of `key`

const specOf = (target: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
token = "\${env:GW_TEST_TOKEN}"
[service.shop]
targets = ["${target}"]
[consumer.acme]
api_keys = ["${KEY_HASH}"]
[policy.keys]
use = "api-key"
[policy.tight]
use = "rate-limit"
limit = "2/hour"
by = "consumer"
[[route]]
name = "item"
match = "GET /items/{id:int}"
to = "shop"
policies = ["keys", "tight"]
[[route]]
name = "slow"
match = "GET /slow"
to = "shop"
`;

const env = { GW_TEST_TOKEN: 'open-sesame' };
const withKey = { headers: { 'x-api-key': 'key' } };

test('the snapshot contains traffic, limits, targets and reloads', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  assert.is((await call(`${url}/items/1`)).status, 401);
  assert.is((await call(`${url}/items/1`, withKey)).status, 200);
  assert.is((await call(`${url}/items/2`, withKey)).status, 200);
  assert.is((await call(`${url}/items/3`, withKey)).status, 429);
  assert.is((await call(`${url}/nothing`)).status, 404);
  const socketPath = gateway.adminSocket ?? '';
  assert.is(statSync(socketPath).mode & 0o777, 0o600);
  const got = await until(async () => {
    const snapshot = JSON.parse((await call('/snapshot', { socketPath })).body) as Snapshot;
    return snapshot.traffic.requests === 5 ? snapshot : undefined;
  }, 'the counters');
  const item = got.routes.find(({ name }) => name === 'item');
  assert.is(item?.requests, 4);
  assert.equal(item?.status, { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 2, '5xx': 0 });
  assert.equal(item?.policies, ['keys', 'tight']);
  assert.is(got.routes.find(({ name }) => name === '-')?.requests, 1);
  const [limit] = got.limits;
  assert.is(limit?.limit, '2/hour');
  assert.is(limit?.by, 'consumer');
  assert.is(limit?.allowed, 2);
  assert.is(limit?.refused, 1);
  assert.is(limit?.keys[0]?.used, 2);
  const [target] = got.targets;
  assert.is(target?.url, origin.url);
  assert.is(target?.requests, 2);
  assert.is(got.listeners[0]?.name, 'main');
  assert.is(got.gateway.state, 'ready');
  assert.is(got.gateway.spec, spec.path);
  assert.is(got.traffic.requestsPerSecond.length, 120);
  assert.is(
    got.reloads[0]?.summary,
    '+2 routes, ~0 routes, -0 routes; +1 service; +2 policies; +1 consumer; +1 listener',
  );
  const metrics = (await call('/metrics', { socketPath })).body;
  assert.match(metrics, /gw_requests_total\{route="item",status="2xx"\} 2/);
  assert.match(metrics, /gw_limit_refused_total\{policy="tight"\} 1/);
  assert.not.match(JSON.stringify(got), 'open-sesame');
});

test('the snapshot says which policies call a service', async () => {
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["http://127.0.0.1:9"]
[policy.check]
use = "forward-auth"
url = "http://127.0.0.1:10/check"
[[route]]
name = "all"
match = "/{rest...}"
to = "orders"
policies = ["check"]
`);
  const { gateway } = await startGateway({ spec: spec.path, inline: true });
  assert.equal(
    gateway.snapshot().targets.map(({ service, calledBy }) => [service, calledBy]),
    [
      ['orders', undefined],
      ['http://127.0.0.1:10', ['check']],
    ],
  );
});

test('TCP requires the token of the spec; the entry contains the socket path', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway } = await startGateway({ spec: spec.path, env });
  const admin = `http://${gateway.adminAddress}`;
  assert.is((await call(`${admin}/snapshot`)).status, 401);
  const headers = { authorization: 'Bearer open-sesame' };
  assert.is((await call(`${admin}/snapshot`, { headers })).status, 200);
  assert.is((await call(`${admin}/readyz`)).status, 200);
  assert.is((await call(`${admin}/reload`, { headers, method: 'POST' })).status, 200);
  const socket = gateway.adminSocket ?? '';
  const file = socket.replace(/\.sock$/, '.json');
  const entry = JSON.parse(readFileSync(file, 'utf8')) as GatewayEntry;
  assert.is(entry.pid, process.pid);
  assert.is(entry.spec, spec.path);
  assert.is(entry.socket, socket);
  assert.equal(
    entry.listeners,
    gateway.addresses.map(({ address }) => address),
  );
  await gateway.close();
  assert.not.ok(existsSync(file));
  assert.not.ok(existsSync(socket));
});

test('a missing variable rejects the start, with its location', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9'));
  const failure = await startGateway({ spec: spec.path, env: {} }).catch((error: unknown) => error);
  const { diagnostics } = failure as { diagnostics: string };
  assert.match(diagnostics, 'reference/unresolved');
  assert.match(diagnostics, 'gateway.toml:6:10');
  assert.match(diagnostics, 'GW_TEST_TOKEN');
});

test('the stream has requests with decisions while a client watches', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  const records: RequestRecord[] = [];
  const stream = request(
    { socketPath: gateway.adminSocket ?? '', path: '/events?requests=1&decisions=1', agent: false },
    (response) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const event = JSON.parse(line) as AdminEvent;
          if (event.type === 'requests') records.push(...event.requests);
        }
      });
    },
  );
  stream.end();
  // Watching reaches the data plane a moment after the stream has opened: send requests until they appear.
  const record = await until(async () => {
    await call(`${url}/items/7`, withKey);
    return records.find((one) => (one.decisions?.length ?? 0) > 0);
  }, 'a record with decisions');
  assert.is(record.route, 'item');
  assert.is(record.consumer, 'acme');
  assert.is(record.url, '/items/7');
  const steps = record.decisions?.map(({ step }) => step) ?? [];
  assert.ok(steps.includes('match') && steps.includes('keys') && steps.includes('tight'), steps.join());
  stream.destroy();
});

test('the snapshot has cause and time of the last failure of a target, also of a managed one', async () => {
  const dead = `http://127.0.0.1:${await refusingPort()}`;
  const server =
    "require('net').createServer((s)=>{s.on('error',()=>{});s.on('data',()=>s.end())}).listen(process.env.PORT,'127.0.0.1')";
  const text = `${specOf(dead)}
[service.managed]
run = { command = ${JSON.stringify(`node -e "${server}"`)} }
retries = 0
[[route]]
name = "managed"
match = "GET /managed"
to = "managed"
`;
  const spec = new SpecFile(text);
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  assert.equal(
    gateway.snapshot().targets.map(({ lastFailure }) => lastFailure),
    [null, null],
  );
  const before = Date.now();
  assert.is((await call(`${url}/slow`)).status, 502);
  assert.is((await call(`${url}/managed`)).status, 502);
  const [shop, managed] = await until(() => {
    const all = gateway.snapshot().targets.map(({ lastFailure }) => lastFailure);
    return all.every((one) => one !== null) ? all : undefined;
  }, 'both failures');
  assert.equal([shop?.error, shop?.cause], ['upstream/unreachable', 'connection refused']);
  assert.equal(
    [managed?.error, managed?.cause],
    ['upstream/reset', 'connection closed by the target before its reply'],
  );
  assert.ok((shop?.at ?? 0) >= before - 1000 && (shop?.at ?? 0) <= Date.now() + 1000);
});

test('the snapshot has the time since which a target fails, until it replies', async () => {
  const port = await refusingPort();
  const spec = new SpecFile(specOf(`http://127.0.0.1:${port}`));
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  const target = () => gateway.snapshot().targets[0];
  assert.is(target()?.failingSince, null);
  assert.is((await call(`${url}/slow`)).status, 502);
  const since = await until(() => target()?.failingSince ?? undefined, 'the first failure');
  await until(() => Date.now() > since + 5, 'later');
  assert.is((await call(`${url}/slow`)).status, 502);
  await until(() => (target()?.lastFailure?.at ?? 0) > since, 'the second failure');
  assert.is(target()?.failingSince, since);
  const origin = createServer((_request, response) => response.end('here')).listen(port, '127.0.0.1');
  await once(origin, 'listening');
  assert.is((await call(`${url}/slow`)).status, 200);
  assert.is(target()?.failingSince, null);
  origin.closeAllConnections();
  origin.close();
});

/** Reads an event stream until `enough` of its events. */
async function readEvents(socketPath: string, query: string, enough: (event: AdminEvent) => boolean): Promise<void> {
  const stream = request({ socketPath, path: `/events${query}`, agent: false });
  stream.end();
  const [response] = (await once(stream, 'response')) as [IncomingMessage];
  await new Promise<void>((resolve, reject) => {
    let rest = '';
    // The stream is destroyed within its reply.
    response.on('error', () => resolve());
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      try {
        if (lines.some((line) => enough(JSON.parse(line) as AdminEvent))) response.destroy();
      } catch (error) {
        reject(error);
      }
    });
    response.on('close', resolve);
  });
}

test('the stream has the warnings and errors of the log', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway } = await startGateway({ spec: spec.path, env });
  await readEvents(gateway.adminSocket ?? '', '', (event) => {
    if (event.type === 'snapshot') {
      spec.write('spec = 1\nbroken');
      void gateway.reload();
    }
    return (
      event.type === 'warning' && event.warning.level === 'error' && /^reload rejected/.test(event.warning.message)
    );
  });
});

test('the stream begins with the last requests of all workers, without API keys', async () => {
  const origin = await startOrigin();
  const workers = whyNoSharing() === undefined ? 2 : 1;
  const text = specOf(origin.url).replace('spec = 1\n', `spec = 1\nworkers = ${workers}\n`);
  const spec = new SpecFile(text.replace('use = "api-key"', 'use = "api-key"\nquery = "secret"'));
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  for (let count = 0; count < 20; count++) await call(`${url}/nothing/${count}?secret=open-sesame&n=1`);
  const socketPath = gateway.adminSocket ?? '';
  for (let times = 0; times < 2; times++) {
    const urls: string[] = [];
    await readEvents(socketPath, '?requests=1', (event) => {
      if (event.type !== 'requests') return false;
      assert.is(event.recent, true);
      urls.push(...event.requests.map((record) => record.url));
      return urls.length >= 20;
    });
    const wanted = Array.from({ length: 20 }, (_, count) => `/nothing/${count}?n=1`);
    assert.equal(urls.sort(), wanted.sort(), 'and again for the next client');
  }
});

test('during a drain readiness fails, exchanges in flight finish, and reloads are refused', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, url } = await startGateway({ spec: spec.path, env });
  const socketPath = gateway.adminSocket ?? '';
  const slow = call(`${url}/slow`);
  await until(
    () => gateway.snapshot().routes.some(({ name, inFlight }) => name === 'slow' && inFlight > 0),
    'the slow request',
  );
  const drained = gateway.drain();
  assert.is(gateway.state, 'draining');
  const ready = await call('/readyz', { socketPath });
  assert.is(ready.status, 503);
  assert.is(ready.body, 'draining\n');
  assert.is((await call('/livez', { socketPath })).status, 200);
  assert.is((await call('/reload', { method: 'POST', socketPath })).status, 503);
  assert.is(await gateway.reload(), undefined);
  assert.is((await slow).status, 200);
  assert.is((await drained).cut, 0);
  assert.is(gateway.state, 'stopped');
});

test('a bundle runs without its spec; an invalid bundle is refused', async () => {
  const { compile, checkSpec, encodeBundle } = await import('../../src/index.js');
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { value: model } = checkSpec({ path: spec.path });
  if (!model) throw new Error('the spec is right');
  const { bundle } = compile(model);
  const path = join(temporaryFolder(), 'shop.bundle');
  writeFileSync(path, encodeBundle(bundle));
  const { gateway, url } = await startGateway({ bundle: path, env });
  assert.is((await call(`${url}/items/1`, withKey)).body, 'origin GET /items/1');
  assert.is(gateway.snapshot().generation.sha256, bundle.sha256);
  writeFileSync(path, 'junk');
  const rejected = await gateway.reload();
  assert.is(rejected?.outcome, 'rejected');
  assert.match(rejected?.diagnostics ?? '', 'bundle/invalid');
  const inMemory = await startGateway({ bundle, env, inline: true, root: dirname(path) });
  assert.is((await call(`${inMemory.url}/items/1`)).status, 401);
  const ofModel = await startGateway({ model, env, inline: true });
  assert.is((await call(`${ofModel.url}/items/1`)).status, 401);
  await startGateway({}).then(
    () => assert.unreachable(),
    (error: unknown) => assert.instance(error, TypeError),
  );
});

test('a gateway serves without a socket, and with an unusable runtime folder', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const silent = await startGateway({ spec: spec.path, env, adminSocket: false });
  assert.is(silent.gateway.adminSocket, undefined);
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  const odd = await startGateway({ spec: spec.path, env, runtimeDir: file });
  assert.is(odd.gateway.adminSocket, undefined);
  assert.match(String(odd.log.find(/^no admin socket$/)?.fields['cause']), 'is not a folder');
  assert.is((await call(`${odd.url}/items/1`)).status, 401);
});

test('reloads succeed after the runtime folder was removed', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const runtimeDir = temporaryFolder();
  const { gateway, log, url } = await startGateway({ spec: spec.path, env, inline: true, runtimeDir });
  rmSync(runtimeDir, { recursive: true });
  const reload = await gateway.reload();
  assert.is(reload?.outcome, 'live');
  assert.is(log.count(/^reload rejected/), 0);
  const { cause } = log.find(/^cannot write the entry in the runtime folder$/)?.fields ?? {};
  assert.match(String(cause), 'was removed or replaced');
  assert.is((await call(`${url}/items/1`)).status, 401);
});

test.run();
