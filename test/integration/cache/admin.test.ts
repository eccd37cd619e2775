import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { WarmReport } from '../../../src/telemetry/cache-calls.js';
import { gw } from '../../cli/kit.js';
import { Authorities } from '../../support/authority.js';
import { call, closeAll, removeFolders, startGateway, temporaryFolder, until } from '../control-kit.js';
import { Bed, SEVERAL } from './admin-bed.js';

test.after.each(closeAll);
test.after(removeFolders);

const authorities = new Authorities();
test.after(() => authorities.remove());

test('a purge by URL reaches all workers, whatever the order and the other parameters', async () => {
  const bed = await Bed.open();
  await bed.fill('/a/1?b=1&a=2', '/a/1', '/b/1');
  assert.is(await bed.purge(`${bed.url.replace('http', 'HTTP')}/a/%31?a=2&utm=x&b=1#part`), 1);
  assert.match(await bed.status('/a/1?b=1&a=2'), /fwd=uri-miss; stored/);
  for (let times = 0; times < SEVERAL; times++) {
    assert.match(await bed.status('/a/1?b=1&a=2'), /hit/);
    assert.match(await bed.status('/a/1'), /hit/);
    assert.match(await bed.status('/b/1'), /hit/);
  }
  assert.is(await bed.purge(`${bed.url}/a/2`), 0);
});

test('a URL without a port is also that with the default port', async () => {
  const bed = await Bed.open();
  for (const host of ['api.example', 'api.example:80', 'api.example:8080']) await bed.status('/a/1', { host });
  // Both are one URL, so one reply is stored for them.
  assert.is(await bed.purge('http://API.example/a/1'), 1);
  await bed.status('/a/1', { host: 'api.example' });
  assert.is(await bed.purge('http://api.example:80/a/1'), 1);
  assert.match(await bed.status('/a/1', { host: 'api.example:8080' }), /hit/);
});

test('a prefix, and a soft purge: replies are validated', async () => {
  const bed = await Bed.open();
  await bed.fill('/a/x/1', '/a/x/2?q=1', '/a/y');
  assert.is(await bed.purge(`${bed.url}/a/x/*`, '--soft'), 2);
  const before = bed.asked.length;
  assert.match(await bed.status('/a/x/2?q=1'), /fwd=stale; fwd-status=304/);
  assert.is(bed.asked.at(-1)?.headers['if-none-match'], '"one"');
  assert.match(await bed.status('/a/y'), /hit/);
  for (let times = 0; times < SEVERAL; times++) assert.match(await bed.status('/a/x/2?q=1'), /hit/);
  assert.is(bed.asked.length, before + 1);
});

test('tags of three fields, routes and policies', async () => {
  const bed = await Bed.open();
  const paths = ['/a/1', '/a/2', '/b/1'];
  for (const [argv, purged] of [
    [['--tag', 'page-2'], 1],
    [['--tag', 'green'], 3],
    [['--tag', 'shop'], 3],
    [['--tag', 'shop', '--policy', 'long'], 1],
    [['--tag', 'page-1', '--tag', 'page-2', '--policy', 'short'], 2],
    [['--route', 'a'], 2],
    [['--route', 'a', '--policy', 'long'], 0],
    [['--all', '--policy', 'short'], 2],
    [['--all'], 3],
    [['--tag', 'hello'], 0],
  ] as const) {
    for (const path of paths) await bed.status(path);
    assert.is(await bed.purge(...argv), purged, argv.join(' '));
  }
});

test('a purge reaches what is on disk', async () => {
  const bed = await Bed.open();
  bed.spec.write(bed.text('disk = true').replace('ttl = "1h"', 'ttl = "forever"'));
  assert.is((await bed.running.gateway.reload())?.outcome, 'live');
  for (const path of ['/a/1', '/a/2', '/b/1']) await bed.status(path);
  await until(async () => (await bed.stats()).disk?.entries === 3, 'three replies on disk');
  const disk = (await bed.stats()).policies.map((one) => one.disk);
  assert.equal(disk, [true, true]);
  assert.is(await bed.purge('--tag', 'page-1', '--policy', 'short'), 1);
  assert.is(await bed.purge('--route', 'b'), 1);
  assert.is((await bed.stats()).disk?.entries, 1);
  // Another gateway finds what is left on disk alone.
  await bed.running.gateway.close();
  bed.running = await startGateway({ spec: bed.spec.path });
  await bed.status('/a/9');
  await until(async () => (await bed.stats()).disk !== null, 'the store');
  assert.is(await bed.purge('--tag', 'page-2', '--soft'), 1, 'it is only on disk');
  assert.match((await bed.gw('stats')).out, /\nOn disk: \d+ entr(y|ies), .+ of .+GiB\n$/);
});

test('a purge right after the start is done on disk when it ends', async () => {
  const bed = await Bed.open();
  bed.spec.write(bed.text('disk = true'));
  assert.is((await bed.running.gateway.reload())?.outcome, 'live');
  await bed.status('/a/1', { host: 'api.example' });
  await until(async () => (await bed.stats()).disk?.entries === 1, 'the reply on disk');
  for (const expected of [1, 0]) {
    await bed.running.gateway.close();
    bed.running = await startGateway({ spec: bed.spec.path });
    assert.is(await bed.purge('http://api.example/a/1'), expected);
    assert.is((await bed.stats()).disk?.entries, 0);
  }
});

test('a reply that is on its way when it is purged is not stored', async () => {
  const bed = await Bed.open();
  let end = (): void => {};
  bed.ending = new Promise((resolve) => {
    end = resolve;
  });
  const reply = bed.status('/a/1');
  await until(() => bed.asked.length === 1, 'the request at the origin');
  // Whether its head has come back yet or not.
  await bed.purge('--all');
  end();
  await reply;
  assert.match(await bed.status('/a/1'), /fwd=uri-miss/);
});

test('concurrent misses on all workers reach the origin once, and once more after a purge', async () => {
  const bed = await Bed.open();
  let end = (): void => {};
  bed.ending = new Promise((resolve) => {
    end = resolve;
  });
  const crowd = (): Promise<string>[] => Array.from({ length: 12 }, () => bed.status('/a/1'));
  const early = crowd();
  await until(() => bed.asked.length === 1, 'the request at the origin');
  await bed.purge(`${bed.url}/a/1`);
  const late = crowd();
  await until(() => bed.asked.length === 2, 'the request of those that came later');
  end();
  for (const status of await Promise.all([...early, ...late])) assert.match(status, /stored|collapsed|hit|uri-miss/);
  assert.is(bed.asked.length, 2);
  for (let times = 0; times < SEVERAL; times++) assert.match(await bed.status('/a/1'), /hit/);
});

test('warm after a purge does not wait for a reply that is on its way', async () => {
  const bed = await Bed.open();
  bed.ending = new Promise(() => {});
  void bed.status('/a/1').catch(() => {});
  await until(() => bed.asked.length === 1, 'the request at the origin');
  await bed.purge('--all');
  bed.ending = undefined;
  const { out } = await bed.gw('warm', `${bed.url}/a/1`, '--json');
  assert.match((JSON.parse(out) as WarmReport).results[0]?.cacheStatus ?? '', /fwd=uri-miss; stored/);
  for (let times = 0; times < SEVERAL; times++) assert.match(await bed.status('/a/1'), /hit/);
});

test('statistics sum up workers and stay over a reload; metrics have them', async () => {
  const bed = await Bed.open();
  await bed.fill('/a/1', '/a/2', '/b/1');
  await call(`${bed.url}/b/1`, { method: 'POST' });
  const { policies, memory } = await bed.stats();
  assert.equal(
    policies.map(({ policy, requests }) => [policy, requests.hit, requests.miss, requests.bypass]),
    [
      ['short', 2 * SEVERAL, 2, 0],
      ['long', SEVERAL, 1, 1],
    ],
  );
  assert.equal(
    policies.map(({ store }) => store.entries),
    [2, 0],
  );
  assert.is(policies[1]?.invalidated, 1);
  // What the dashboard shows.
  assert.equal(
    bed.running.gateway.snapshot().caches?.map(({ requests }) => requests),
    policies.map(({ requests }) => requests),
  );
  assert.ok(memory.freeBytes < memory.bytes);
  bed.spec.write(bed.text('collapse = false'));
  assert.is((await bed.running.gateway.reload())?.outcome, 'live');
  assert.match(await bed.status('/a/1'), /hit/);
  const [after] = (await bed.stats()).policies;
  assert.is(after?.requests.hit, 2 * SEVERAL + 1);
  const socketPath = bed.running.gateway.adminSocket ?? '';
  const { body } = await call('/metrics', { socketPath });
  assert.match(body, new RegExp(`gw_cache_requests_total{policy="short",result="hit"} ${2 * SEVERAL + 1}\n`));
  assert.match(body, /gw_cache_validated_total{policy="short"} 0\n/);
});

test('warm requests URLs through the listeners, by scheme and Host', async () => {
  const { certFile, keyFile } = authorities.create('ca').issue('api.example');
  const tls = `[listener.secure]\naddress = "127.0.0.1:0"\ntls = { cert = "${certFile}", key = "${keyFile}" }\n`;
  const bed = await Bed.open(tls);
  await bed.status('/a/1');
  const urls = [`${bed.url}/a/1`, 'http://api.example/a/2?x=1', 'https://api.example/b/3', 'http://api.example/none'];
  const { code, out } = await bed.gw('warm', ...urls, '-H', 'x-sent: yes', '--json');
  assert.is(code, 1, 'one has no route');
  const { results } = JSON.parse(out) as WarmReport;
  assert.equal(
    results.map(({ url }) => url),
    urls,
  );
  assert.equal(
    results.map(({ status }) => status),
    [200, 200, 200, 404],
  );
  assert.match(results[0]?.cacheStatus ?? '', /hit/);
  for (const at of [1, 2]) assert.match(results[at]?.cacheStatus ?? '', /stored/);
  assert.is(results[2]?.bytes, 'hello /b/3'.length);
  assert.is(bed.asked.at(-1)?.headers['x-sent'], 'yes');
  assert.match(await bed.status('/a/2?x=1', { host: 'api.example' }), /hit/);
  const again = await gw(
    ['cache', 'warm', '--file', '-', '--concurrency', '1', '--address', bed.running.gateway.adminSocket ?? ''],
    { stdin: `# list\n${urls.slice(0, 3).join('\r\n')}\n\n` },
  );
  assert.is(again.code, 0, again.err);
  assert.match(again.out, /3 URLs: 0 stored now, 3 stored before, 0 failed\./);
});

test('warm says why there is no reply', async () => {
  const bed = await Bed.open();
  bed.ending = new Promise(() => {});
  const { code, out } = await bed.gw('warm', `${bed.url}/a/1`, 'https://api.example/a', '--timeout', '100ms');
  assert.is(code, 1);
  assert.match(out, /no complete reply within 100 ms/);
  assert.match(out, /no listener takes https/);
  assert.match(out, /2 URLs: 0 stored now, 0 stored before, 2 failed\./);
});

test('the gateway refuses what it does not know', async () => {
  const bed = await Bed.open();
  for (const [argv, message] of [
    [['purge', '--route', 'other'], /There is no route `other`\.$/m],
    [['purge', '--all', '--policy', 'other'], /There is no cache `other`\. Caches: short, long\./],
    [['purge', '--all', '--tag', 'x'], /`all` takes no further selector/],
    [['purge', 'http://api.example/%zz'], /refuses the path/],
    [['purge', 'http://api.example*'], /has no path/],
    [['stats', '--policy', 'other'], /There is no cache `other`\. Caches: short, long\./],
    [['warm', 'http://a:b@api.example/'], /not an absolute URL/],
    [['warm', 'http://api.example/', '-H', 'host: x'], /`host` follows from the URL/],
    [['warm', 'http://api.example/', '--concurrency', '65'], /from 1 to 64/],
  ] as const) {
    const { code, err } = await bed.gw(...argv);
    assert.is(code, 2, argv.join(' '));
    assert.match(err, message);
  }
  await bed.running.gateway.close();
  const { code, err } = await gw(['cache', 'stats'], { env: { GW_RUNTIME_DIR: temporaryFolder() } });
  assert.is(code, 1);
  assert.match(err, /No gateway is running on this machine/);
});

test('tables', async () => {
  const bed = await Bed.open();
  await bed.fill('/a/1');
  const { out } = await bed.gw('stats', '--policy', 'short');
  assert.match(out, /^Requests\nPOLICY {2}HIT RATE {2}HIT {2}STALE {2}SHARED {2}MISS {2}VALIDATED {2}BYPASS\n/);
  assert.match(out, /\nshort {8}89% {4}8 {6}0 {7}0 {5}1 {10}0 {7}0\n/);
  assert.match(out, /\nEntries in memory \(.*KiB of 64\.0MiB in use, all contents together\)\nPOLICY/);
  assert.is((await bed.gw('purge', '--tag', 'none')).out, 'Nothing is stored that matches.\n');
  assert.is(
    (await bed.gw('purge', '--tag', 'all', '--soft')).out,
    'Marked 1 entry (short 1); they are validated before their next use.\n',
  );
  assert.is((await bed.gw('purge', '--all')).out, 'Purged 1 entry (short 1).\n');
});

test('tables fit into 80 columns with names and counts as they are in use', async () => {
  const bed = await Bed.open();
  const name = 'pages-of-the-whole-catalogue';
  bed.spec.write(bed.text('disk = true').replaceAll('short', name));
  assert.is((await bed.running.gateway.reload())?.outcome, 'live');
  for (let at = 0; at < 120; at++) await bed.status(`/a/${at}`);
  await until(async () => (await bed.stats()).disk?.entries === 120, 'the replies on disk');
  const socket = bed.running.gateway.adminSocket ?? '';
  const { out } = await gw(['cache', 'stats', '--address', socket], { tty: true, columns: 80, color: false });
  assert.equal(
    out.split('\n').filter((line) => line.length > 80),
    [],
  );
  assert.is(out.match(/pages-of/g)?.length, 2);
  assert.match(out, /\nOn disk: 120 entries, \d/);
  await bed.purge('--all');
  await bed.status('/a/1');
  await until(async () => (await bed.stats()).disk?.entries === 1, 'one reply on disk');
  assert.match((await bed.gw('stats')).out, /\nOn disk: 1 entry, \d/);
});

test.run();
