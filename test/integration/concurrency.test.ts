/** Requests in progress are counted over sockets: exact across workers, released however the exchange ends. */
import { request, type ServerResponse } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateState } from '../../src/state/memory.js';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, until } from './control-kit.js';
import { type BuggyHost, buggyWorker, hostBuggyWorker } from './worker-kit.js';

/** An origin that holds the replies to `/hold` until the test releases them. */
class HoldingOrigin {
  readonly held: ServerResponse[] = [];

  async open(): Promise<string> {
    const { url } = await serveHttp((incoming, reply) => {
      if (incoming.url === '/hold') this.held.push(reply);
      else reply.end('done');
    });
    return url;
  }

  release(): void {
    this.held.shift()?.end('released');
  }
}

let origin: HoldingOrigin;
let target: string;
const hosts: BuggyHost[] = [];

test.before.each(async () => {
  origin = new HoldingOrigin();
  target = await origin.open();
});
test.after.each(async () => {
  await Promise.all(hosts.splice(0).map(({ host }) => host.close()));
  await closeAll();
});
test.after(removeFolders);

const specOf = (keys: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[policy.few]
use = "concurrency"
${keys}
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
policies = ["few"]
`;

const sent = (url: string): Promise<string> =>
  call(`${url}/hold`).then(
    ({ status }) => String(status),
    () => 'cut',
  );

test('a request above the maximum gets 429 with Retry-After, until one has ended', async () => {
  const spec = new SpecFile(specOf('max = 2\nretry_after = "3s"'));
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  const held = [sent(url), sent(url)];
  await until(() => origin.held.length === 2, 'both requests');
  const refused = await call(url);
  assert.is(refused.status, 429);
  assert.is(refused.headers['retry-after'], '3');
  assert.is(JSON.parse(refused.body).title, 'Too many requests at the same time');
  spec.write(specOf('max = 3'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await call(url)).status, 200, 'a raised maximum');
  spec.write(specOf('max = 1'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await call(url)).status, 429, 'requests of older generations count');
  origin.release();
  origin.release();
  assert.equal(await Promise.all(held), ['200', '200']);
  assert.is((await call(url)).status, 200);
});

for (const inline of [true, false]) {
  test(`the snapshot and the metrics have what is in progress${inline ? '' : ', from a worker thread'}`, async () => {
    const spec = new SpecFile(specOf('max = 2'));
    const { url, gateway } = await startGateway({ spec: spec.path, inline });
    const held = [sent(url), sent(url)];
    await until(() => origin.held.length === 2, 'both requests');
    assert.is((await call(url)).status, 429);
    const { refusedPerSecond, ...found } = gateway.snapshot().concurrency[0]!;
    assert.ok(refusedPerSecond >= 0);
    assert.equal(found, {
      policy: 'few',
      max: 2,
      by: 'ip',
      enforced: true,
      routes: ['shop'],
      inProgress: 2,
      keysInUse: 1,
      refused: 1,
      keys: [{ key: 'ip:127.0.0.1', taken: 2, capacity: 2 }],
    });
    const text = (await call('/metrics', { socketPath: gateway.adminSocket! })).body;
    const wanted = { in_progress: 2, max: 2, keys: 1, fullest_key: 2, refused_total: 1 };
    for (const [name, value] of Object.entries(wanted))
      assert.match(text, new RegExp(`^gw_concurrency_${name}\\{policy="few"\\} ${value}$`, 'm'));
    assert.match(text, /^gw_concurrency_uncounted_total 0$/m);
    origin.release();
    origin.release();
    await Promise.all(held);
    await until(() => gateway.snapshot().concurrency[0]?.inProgress === 0, 'the end of both');
    assert.equal(gateway.snapshot().concurrency[0]?.keys, []);
  });
}

test('a client that leaves releases its place', async () => {
  const spec = new SpecFile(specOf('max = 1'));
  const { url } = await startGateway({ spec: spec.path, inline: true });
  const client = request(`${url}/hold`).on('error', () => {});
  client.end();
  await until(() => origin.held.length === 1, 'the request');
  assert.is((await call(url)).status, 429);
  // A client that only ends its side of the connection may still wait for the reply.
  client.socket?.resetAndDestroy();
  await until(async () => (await call(url)).status === 200, 'the place');
});

test('two workers: the maximum is exact, and a worker that ends mid-request releases its places', async () => {
  const memory = allocateState({ workers: 2 });
  const spec = specOf('max = 2\nby = "route"');
  for (const worker of [0, 1])
    hosts.push(await hostBuggyWorker(buggyWorker("[() => { throw new Error('crashed'); }]"), spec, { memory, worker }));
  const [first, second] = hosts as [BuggyHost, BuggyHost];
  const cut = sent(first.url);
  const kept = sent(second.url);
  await until(() => origin.held.length === 2, 'both requests');
  for (const { url } of hosts) assert.is((await call(url)).status, 503);
  first.command(1);
  assert.is(await cut, 'cut');
  await until(() => first.log.find(/worker \d died/), 'the end of the first worker');
  assert.is((await call(second.url)).status, 200, 'one place is free');
  await until(() => first.log.find(/worker \d serves again/), 'the replacement');
  assert.is((await call(first.url)).status, 200);
  const again = sent(first.url);
  await until(() => origin.held.length === 3, 'a request of the replacement');
  assert.is((await call(second.url)).status, 503);
  for (let at = 0; at < 3; at++) origin.release();
  assert.equal(await Promise.all([kept, again]), ['200', '200']);
});

test.run();
