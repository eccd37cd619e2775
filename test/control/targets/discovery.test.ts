/** Sources of targets against servers of their documented APIs. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DiscoverEntry } from '../../../src/bundle/service/discover.js';
import { Discovery, discoverKey } from '../../../src/control/targets/discovery/set.js';
import { systemLookups } from '../../../src/control/targets/names/lookups.js';
import type { Supply } from '../../../src/control/targets/names/supply.js';
import { systemAfter } from '../../../src/proxy/exchange/questions.js';
import { systemClock } from '../../../src/state/clock.js';
import { ConsulApi, DockerApi, KubernetesApi } from '../../support/discovery-apis.js';
import { DnsServer } from '../../support/dns-server.js';
import { servicePlan } from '../../support/programs.js';
import { KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

const test = suite('discovery');

const opened: { close(): unknown }[] = [];
test.after.each(async () => {
  for (const one of opened.splice(0)) await one.close();
});
test.after(removeFolders);
const later = <T extends { close(): unknown }>(one: T): T => {
  opened.unshift(one);
  return one;
};

interface Bed {
  readonly said: Supply[];
  readonly log: KeptLog;
  readonly discovery: Discovery;
  readonly root: string;
  urls(): readonly string[] | undefined;
  failure(): string | undefined;
}

/** A source, after its first answer. */
async function bed(
  entry: DiscoverEntry,
  {
    env = {},
    root = temporaryFolder(),
    state,
    dns,
  }: { env?: Record<string, string>; root?: string; state?: string; dns?: DnsServer } = {},
): Promise<Bed> {
  const said: Supply[] = [];
  const log = new KeptLog();
  const lookups = systemLookups(dns?.resolver());
  const world = { lookups, clock: systemClock, after: quick, random: () => 0, log, env };
  const discovery = later(new Discovery(world, (_key, supply) => said.push(supply)));
  const place = { root, ...(state === undefined ? {} : { state: { contentMemory: 0, path: state } }) };
  await discovery.prepare([servicePlan('orders', { discover: entry, refresh: 1000 })], place, 5000);
  const urls = () => said.at(-1)?.targets.map(({ url }) => url);
  const failure = () => discovery.snapshots()[0]?.lastError?.cause;
  return { said, log, discovery, root, urls, failure };
}

/** Waits a hundredth of the time, so that retries come soon. */
const quick: typeof systemAfter = (ms, work) => systemAfter(ms / 100, work);

test('consul: instances that pass, with weights, by blocking queries', async () => {
  const api = later(await new ConsulApi().listen());
  api.set([
    { address: '10.0.0.1', port: 80, weight: 3 },
    { node: '10.0.0.2', port: 81 },
  ]);
  const entry = {
    kind: 'consul',
    name: 'orders',
    address: api.address,
    token: 'secret',
    tags: ['v2', 'a b'],
    datacenter: 'dc2',
  } as const;
  const { said, urls } = await bed(entry);
  assert.equal(said.at(-1)?.targets, [
    { url: 'http://10.0.0.1', weight: 3 },
    { url: 'http://10.0.0.2:81', weight: 1 },
  ]);
  const { url, headers } = api.asked[0]!;
  assert.is(url.pathname, '/v1/health/service/orders');
  assert.equal([...url.searchParams].sort(), [
    ['dc', 'dc2'],
    ['passing', 'true'],
    ['tag', 'a b'],
    ['tag', 'v2'],
  ]);
  assert.is(headers['x-consul-token'], 'secret');
  await until(() => api.asked.length === 2, 'the blocking query');
  assert.is(api.asked[1]?.url.searchParams.get('index'), '2');
  api.set([{ address: '10.0.0.3', port: 80 }]);
  await until(() => urls()?.[0] === 'http://10.0.0.3', 'the change');
  // After a restart of its servers, indexes may go backwards.
  api.set([{ address: '10.0.0.4', port: 80 }], 1);
  await until(() => urls()?.[0] === 'http://10.0.0.4', 'the change with a lower index');
  await until(() => api.asked.at(-1)?.url.searchParams.get('index') === '1', 'a query from the lower index');
});

test('an outage of a source keeps its targets, is a failure of its duty, and ends', async () => {
  const api = later(await new ConsulApi().listen());
  api.set([{ address: '10.0.0.1', port: 80 }]);
  const { discovery, log, said, urls, failure } = await bed({ kind: 'consul', name: 'orders', address: api.address });
  api.broken = 500;
  api.cut();
  await until(() => discovery.snapshots()[0]?.failing === true, 'the failure');
  await until(() => failure() === 'Consul answers with status 500', 'the next failure');
  assert.equal([said.length, urls()], [1, ['http://10.0.0.1']]);
  api.broken = undefined;
  api.set([{ address: '10.0.0.2', port: 80 }]);
  await until(() => urls()?.[0] === 'http://10.0.0.2', 'the end of the outage');
  assert.is(discovery.snapshots()[0]?.failing, false);
  assert.is(log.count(/^source of targets failed$/), 1);
  assert.is(log.count(/^source of targets answers again$/), 1);
});

test('an outage in which nothing changes ends when the source answers', async () => {
  const consul = later(await new ConsulApi().listen());
  consul.set([{ address: '10.0.0.1', port: 80 }]);
  const kubernetes = later(await new KubernetesApi().listen());
  kubernetes.set({ name: 'a', endpoints: [{ addresses: ['10.0.0.1'] }] });
  for (const [api, entry] of [
    [consul, { kind: 'consul', name: 'orders', address: consul.address }],
    [kubernetes, { kind: 'kubernetes', name: 'shop/orders', address: kubernetes.address }],
  ] as const) {
    const { discovery, said } = await bed(entry);
    const failing = (): boolean | undefined => discovery.snapshots()[0]?.failing;
    api.broken = 0;
    api.cut();
    await until(failing, 'the failure');
    api.broken = undefined;
    await until(() => failing() === false, `${entry.kind} to be back`);
    assert.is(said.length, 1);
  }
});

test('without a first answer there are no targets but a cause; with a folder, those of the last run', async () => {
  const api = later(await new ConsulApi().listen());
  api.set([{ address: '10.0.0.1', port: 80 }]);
  const state = temporaryFolder();
  const entry = { kind: 'consul', name: 'orders', address: api.address } as const;
  await bed({ ...entry, token: 'a' }, { state });
  api.broken = 0;
  const none = await bed(entry);
  assert.equal(none.said, [{ targets: [], cause: 'consul:orders: connection reset by the other side' }]);
  const again = await bed({ ...entry, token: 'b' }, { state });
  assert.equal(again.urls(), ['http://10.0.0.1']);
  again.discovery.use(new Set());
  assert.equal((await bed(entry, { state })).urls(), [], 'of a source that was not used any more');
});

test('docker: containers with the label, by events', async () => {
  const api = later(await new DockerApi().listen(join(temporaryFolder(), 'docker.sock')));
  const container = (address: string, more: object = {}) => ({
    Status: 'Up 3 minutes',
    Labels: { 'gw.orders': '8080' },
    Ports: [
      { PrivatePort: 3000, Type: 'tcp' },
      { PrivatePort: 53, Type: 'udp' },
    ],
    HostConfig: { NetworkMode: 'shop' },
    NetworkSettings: { Networks: { shop: { IPAddress: address }, admin: { IPAddress: '' } } },
    ...more,
  });
  api.set([
    container('10.0.0.1'),
    container('10.0.0.2', { Labels: { 'gw.orders': 'yes' } }),
    container('10.0.0.3', { Status: 'Up 3 minutes (unhealthy)' }),
    container('10.0.0.4', { Status: 'Up 1 second (health: starting)' }),
    container('10.0.0.5', {
      Labels: {},
      Ports: [
        { PrivatePort: 1, Type: 'tcp' },
        { PrivatePort: 2, Type: 'tcp' },
      ],
    }),
    container('', { HostConfig: { NetworkMode: 'host' }, NetworkSettings: { Networks: { host: { IPAddress: '' } } } }),
  ]);
  const { urls } = await bed({ kind: 'docker', name: 'gw.orders', address: api.address });
  assert.equal(urls(), ['http://10.0.0.1:8080', 'http://10.0.0.2:3000', 'http://127.0.0.1:8080']);
  const filters = JSON.parse(
    api.asked.find(({ url }) => url.pathname === '/containers/json')?.url.searchParams.get('filters') ?? '',
  );
  assert.equal(filters, { label: ['gw.orders'], status: ['running'] });
  api.set([container('10.0.0.9')]);
  await until(() => urls()?.[0] === 'http://10.0.0.9:8080', 'the change');
  const named = await bed({
    kind: 'docker',
    name: 'app=orders',
    address: api.address,
    network: 'admin',
    scheme: 'https',
  });
  assert.equal(named.urls(), [], 'it has no address in that network');
});

test('kubernetes: ready endpoints of all slices, by a list and a watch', async () => {
  const api = later(await new KubernetesApi().listen());
  api.token = 'one';
  api.set({
    name: 'a',
    endpoints: [
      { addresses: ['10.0.0.1'], conditions: { ready: true }, zone: 'eu-1a' },
      { addresses: ['10.0.0.2'], conditions: { ready: false } },
      { addresses: ['10.0.0.3', '10.0.0.33'], conditions: {} },
    ],
  });
  const entry = { kind: 'kubernetes', name: 'shop/orders', address: api.address, token: 'one' } as const;
  const { said, urls, discovery } = await bed(entry);
  assert.equal(said.at(-1)?.targets, [
    { url: 'http://10.0.0.1:8080', weight: 1, zone: 'eu-1a' },
    { url: 'http://10.0.0.3:8080', weight: 1 },
  ]);
  const { url } = api.asked[0]!;
  assert.is(url.pathname, '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices');
  assert.is(url.searchParams.get('labelSelector'), 'kubernetes.io/service-name=orders');
  const watches = () => api.asked.filter((one) => one.url.searchParams.has('watch'));
  await until(() => watches().length === 1, 'the watch');
  api.set({ name: 'b', endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['2001:db8::1'] }] });
  await until(() => urls()?.length === 3, 'another slice, with an endpoint that both have');
  assert.ok(urls()?.includes('http://[2001:db8::1]:8080'));
  api.delete('a');
  await until(() => urls()?.length === 2, 'a slice that is gone');
  api.bookmark();
  api.set({ name: 'c', endpoints: [{ addresses: ['10.0.0.8'] }] });
  await until(() => urls()?.length === 3, 'a slice after a bookmark');
  api.delete('c');
  await until(() => urls()?.length === 2, 'the same as before');
  const { version } = api;
  api.cut();
  await until(() => watches().length === 2, 'a watch after a cut connection');
  assert.is(watches()[1]?.url.searchParams.get('resourceVersion'), String(version), 'from where it was');
  api.expire();
  api.set({ name: 'b', endpoints: [{ addresses: ['10.0.0.7'] }] });
  await until(() => urls()?.[0] === 'http://10.0.0.7:8080', 'a new list after 410');
  api.token = 'two';
  api.cut();
  await until(
    () => discovery.snapshots()[0]?.lastError?.cause === 'the API server answers with status 401',
    'a refusal',
  );
  assert.equal(urls(), ['http://10.0.0.7:8080']);
});

test('kubernetes: of several ports, that with the name or number', async () => {
  const api = later(await new KubernetesApi().listen());
  const ports = [
    { name: 'http', port: 8080, protocol: 'TCP' },
    { name: 'admin', port: 9090, protocol: 'TCP' },
    { name: 'http', port: 8080, protocol: 'UDP' },
  ];
  api.set({ name: 'a', ports, endpoints: [{ addresses: ['10.0.0.1'] }] });
  const urlsWith = async (port: string): Promise<readonly string[] | undefined> =>
    (
      await bed({ kind: 'kubernetes', name: 'shop/orders', address: api.address, ...(port === '' ? {} : { port }) })
    ).urls();
  assert.equal(
    [await urlsWith('admin'), await urlsWith('8080'), await urlsWith('none'), await urlsWith('')],
    [['http://10.0.0.1:9090'], ['http://10.0.0.1:8080'], [], []],
  );
});

test('file: targets, read again when the file changes or is replaced', async () => {
  const root = temporaryFolder();
  const path = join(root, 'targets.json');
  writeFileSync(path, '["http://10.0.0.1", {"url": "http://10.0.0.2/base/", "weight": 5, "zone": "a", "priority": 1}]');
  const { said, urls, failure } = await bed({ kind: 'file', name: 'targets.json' }, { root });
  assert.equal(said.at(-1)?.targets, [
    { url: 'http://10.0.0.1', weight: 1 },
    { url: 'http://10.0.0.2/base/', weight: 5, zone: 'a', priority: 1 },
  ]);
  writeFileSync(`${path}~`, '{"targets": ["http://localhost:4000"]}');
  renameSync(`${path}~`, path);
  await until(() => urls()?.[0] === 'http://localhost:4000', 'the replaced file');
  writeFileSync(path, '["http://10.0.0.3"');
  await until(() => failure() === 'the file is no JSON', 'a file that is being written');
  writeFileSync(path, '{"servers": []}');
  await until(() => failure() === 'the file has no list of targets', 'another file');
  assert.equal(urls(), ['http://localhost:4000']);
  writeFileSync(path, '[]');
  await until(() => urls()?.length === 0, 'no targets');
  rmSync(path);
  await until(() => /no such file/.test(failure() ?? ''), 'a file that is gone');
});

test('srv: priority, weight and port of the records', async () => {
  const dns = later(await DnsServer.start());
  const record = (name: string, priority: number, weight: number, port: number) =>
    ({ type: 'SRV', ttl: 5, name, priority, weight, port }) as const;
  dns.records.set('_https._tcp.orders.test', [
    record('a.test', 10, 3, 8443),
    record('b.test', 10, 0, 8443),
    record('c.test', 20, 0, 443),
  ]);
  const { said, urls, failure } = await bed({ kind: 'srv', name: '_https._tcp.orders.test', scheme: 'https' }, { dns });
  assert.equal(said.at(-1)?.targets, [
    { url: 'https://a.test:8443', weight: 300 },
    { url: 'https://b.test:8443', weight: 1 },
    { url: 'https://c.test', weight: 1, priority: 10 },
  ]);
  dns.records.set('_https._tcp.orders.test', [record('', 0, 0, 0)]);
  await until(() => urls()?.length === 0, 'a service that is not available');
  dns.records.set('_https._tcp.orders.test', []);
  await until(() => failure() === 'no SRV record of _https._tcp.orders.test', 'a name without records');
});

test('what a source may not name is left out', async () => {
  const root = temporaryFolder();
  const bad = [
    'http://169.254.169.254/latest',
    'http://0.0.0.0',
    'http://[fe80::1]',
    'http://[::ffff:169.254.169.254]',
    'http://224.0.0.1',
    'http://a:b@10.0.0.1',
    'http://10.0.0.1?a',
    'ftp://10.0.0.1',
    'http://10.0.0.1:0',
    'nothing',
    42,
    { url: 'http://10.0.0.2', weight: 0 },
    { url: 'http://10.0.0.2', weight: 1e9 },
    { url: 'http://10.0.0.2', zone: 7 },
    { url: 'http://10.0.0.2', priority: -1 },
    null,
  ];
  writeFileSync(join(root, 'targets.json'), JSON.stringify([...bad, 'http://127.0.0.1:1']));
  const { said, urls, log } = await bed({ kind: 'file', name: 'targets.json' }, { root });
  assert.equal(urls(), ['http://127.0.0.1:1']);
  assert.is(log.find(/cannot be used/)?.fields['refused'], bad.length);
  const { permits } = said.at(-1)!;
  assert.equal(
    ['10.0.0.1', '127.0.0.1', '169.254.169.254'].map((one) => permits?.(one)),
    [true, true, false],
  );
  const api = later(await new KubernetesApi().listen());
  api.set({
    name: 'a',
    endpoints: [{ addresses: ['127.0.0.1'] }, { addresses: ['localhost'] }, { addresses: ['10.0.0.1'] }],
  });
  const remote = await bed({ kind: 'kubernetes', name: 'shop/orders', address: api.address });
  assert.equal(remote.urls(), ['http://10.0.0.1:8080'], 'a source on another machine names no place on this one');
});

test('a source that is not used any more is not asked', async () => {
  const api = later(await new ConsulApi().listen());
  api.set([{ address: '10.0.0.1', port: 80 }]);
  const entry = { kind: 'consul', name: 'orders', address: api.address } as const;
  const { discovery, said } = await bed(entry);
  await until(() => api.asked.length === 2, 'the blocking query');
  discovery.use(new Set([discoverKey(entry)]));
  assert.is(discovery.snapshots().length, 1);
  discovery.use(new Set());
  api.set([]);
  assert.equal([discovery.snapshots(), said.length], [[], 1]);
});

test.run();
