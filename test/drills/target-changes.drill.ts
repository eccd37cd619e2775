/**
 * Targets that change while requests come at a constant rate: another address in DNS, another program behind an address, and sources
 * of targets that are out of service. No request fails.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeAll, closedLater, removeFolders, SpecFile, until } from '../integration/control-kit.js';
import { ConsulApi, DockerApi, KubernetesApi } from '../support/discovery-apis.js';
import { lookupsOf } from '../support/dns-lookups.js';
import { DnsServer } from '../support/dns-server.js';
import { onlyWhere } from '../support/only-where.js';
import { atMost, drive, judge, PROTOCOLS, type Route } from './support/bed.js';
import type { Result } from './support/load.js';
import { Origin } from './support/origins.js';
import { between, endedBefore, sharesOf } from './support/report.js';

const test = suite('targets that change');
const onLinux = onlyWhere(process.platform === 'linux', 'only 127.0.0.1 is an address of this machine', test);
test.after.each(closeAll);
test.after(removeFolders);

/** Milliseconds that a target takes to reply. */
const REPLY_MS = 20;
/** Milliseconds by which a busy machine delays what happens at a known time. */
const MARGIN = 1500;

/** An origin with these ports, or any, until the end of the test. */
async function originAt(name: string, host: string, ports: readonly [number, number] = [0, 0]): Promise<Origin> {
  const origin = new Origin(name, REPLY_MS, host);
  origin.ports = ports;
  await origin.start();
  return closedLater(Object.assign(origin, { close: () => origin.kill() }));
}

/** Milliseconds from `changedAt` to the last request that the old target has answered. */
function lastOf(origin: string, results: readonly Result[], changedAt: number): number {
  const last = results.filter((result) => result.origin === origin).at(-1);
  return Math.round(Math.max(0, last!.at - changedAt));
}

/** The old target has got requests until `most` milliseconds after the change at the latest, and the new one all others. */
function movedWithin(most: number, results: readonly Result[], changedAt: number, name: string): string {
  const took = lastOf('old', results, changedAt);
  assert.ok(took <= most, `${name}: the old target has got requests for ${took} ms`);
  assert.equal([...sharesOf(between(results, changedAt + took + 1)).keys()], ['new'], name);
  return `${atMost(results, 0, name)}; the old target has got requests for ${took} ms`;
}

onLinux('another address in DNS, and DNS out of service', async () => {
  const dns = closedLater(await DnsServer.start());
  const old = await originAt('old', '127.0.0.1');
  await originAt('new', '127.0.0.2', old.ports);
  dns.set('orders.test', ['127.0.0.1'], 1);
  let changedAt = 0;
  const routes = PROTOCOLS.map((protocol, at) => {
    const lines = `targets = ["http://orders.test:${old.ports[at]}"]\nrefresh = "1s"\nmax_connection_age = "1s"`;
    return { service: 'dns', protocol, lines };
  });
  const outcome = await drive(
    routes,
    async () => {
      dns.rcode = 'servfail';
      await delay(1500);
      dns.rcode = 'none';
      dns.set('orders.test', ['127.0.0.2'], 1);
      changedAt = performance.now();
      // Two seconds of refresh and age; a failed lookup is repeated after one more.
      await delay(3000);
      await old.kill();
      await delay(500);
    },
    { lookups: lookupsOf(dns) },
  );
  judge('DNS out of service, then another address', outcome, (results, name) => {
    assert.equal([...sharesOf(endedBefore(results, changedAt)).keys()], ['old'], name);
    return movedWithin(3000, results, changedAt, name);
  });
});

/** An address that passes each new connection on to the target of that time, like a virtual address. */
async function virtualAddress(first: string): Promise<{ url: string; to: string; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const { hostname, port } = new URL(address.to);
    const other = connect(Number(port), hostname);
    for (const one of [socket, other]) {
      open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => [socket, other].map((each) => each.destroy()));
    }
    socket.pipe(other).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  const address = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, to: first, close };
  return closedLater(address);
}

test('another target behind the same address: connections grow old', async () => {
  const old = await originAt('old', '127.0.0.1');
  const next = await originAt('new', '127.0.0.1');
  const virtual = await Promise.all(old.urls.map(virtualAddress));
  let changedAt = 0;
  const routes = PROTOCOLS.map((protocol, at) => {
    const lines = `targets = ["${virtual[at]!.url}"]\nmax_connection_age = "1s"`;
    return { service: 'virtual', protocol, lines };
  });
  const outcome = await drive(routes, async () => {
    for (const [at, one] of virtual.entries()) one.to = next.urls[at]!;
    changedAt = performance.now();
    await delay(1000 + MARGIN);
    await old.kill();
    await delay(500);
  });
  judge('another target behind the address', outcome, (results, name) =>
    movedWithin(1000 + MARGIN, results, changedAt, name),
  );
});

/** A source names addresses of this machine only if it is on this machine, which Kubernetes is not. */
const ownAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .find(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'))
    ?.address;

interface Source {
  readonly name: string;
  /** The value of `discover`, by protocol. */
  readonly discover: (at: 0 | 1) => string;
  readonly set: (origin: Origin) => void;
  readonly fail: () => void;
  readonly mend: () => void;
}

async function sources(spec: SpecFile, host: string): Promise<readonly Source[]> {
  const docker = closedLater(await new DockerApi().listen(join(spec.folder, 'docker.sock')));
  const consuls = [closedLater(await new ConsulApi().listen()), closedLater(await new ConsulApi().listen())];
  const kubernetes = closedLater(await new KubernetesApi().listen());
  kubernetes.token = 'one';
  const files = ['h1.json', 'h2.json'].map((name) => join(spec.folder, name));
  const apis = (...all: readonly (DockerApi | ConsulApi | KubernetesApi)[]): Pick<Source, 'fail' | 'mend'> => ({
    fail: () => {
      for (const api of all) {
        api.broken = 503;
        api.cut();
      }
    },
    mend: () => {
      for (const api of all) api.broken = undefined;
    },
  });
  const container = ({ ports }: Origin): object => ({
    Status: 'Up 3 minutes',
    Labels: { h1: String(ports[0]), h2: String(ports[1]) },
    Ports: [],
    HostConfig: { NetworkMode: 'shop' },
    NetworkSettings: { Networks: { shop: { IPAddress: host } } },
  });
  return [
    {
      name: 'docker',
      discover: (at) => `{ from = "docker:${['h1', 'h2'][at]}", address = "${docker.address}" }`,
      set: (origin) => docker.set([container(origin)]),
      ...apis(docker),
    },
    {
      name: 'consul',
      discover: (at) => `{ from = "consul:orders", address = "${consuls[at]!.address}" }`,
      set: ({ ports }) => {
        for (const [at, consul] of consuls.entries()) consul.set([{ address: host, port: ports[at as 0 | 1] }]);
      },
      ...apis(...consuls),
    },
    {
      name: 'kubernetes',
      discover: (at) =>
        `{ from = "kubernetes:shop/orders", address = "${kubernetes.address}", token = "\${env:TOKEN}", port = "${['h1', 'h2'][at]}" }`,
      set: ({ ports }) =>
        kubernetes.set({
          name: 'a',
          ports: ['h1', 'h2'].map((name, at) => ({ name, port: ports[at], protocol: 'TCP' })),
          endpoints: [{ addresses: [host], conditions: { ready: true } }],
        }),
      ...apis(kubernetes),
    },
    {
      name: 'file',
      discover: (at) => `"file:${['h1', 'h2'][at]}.json"`,
      set: ({ urls }) => {
        for (const [at, file] of files.entries()) {
          writeFileSync(`${file}~`, JSON.stringify([urls[at]]));
          renameSync(`${file}~`, file);
        }
      },
      fail: () => files.map((file) => rmSync(file)),
      mend: () => undefined,
    },
  ];
}

test('sources of targets out of service: the last targets stay; then they say others', async () => {
  const address = ownAddress();
  if (address === undefined) console.log('\nskipped, since this machine has no address but its loopback: kubernetes');
  const file = new SpecFile('');
  const host = address ?? '127.0.0.1';
  const all = (await sources(file, host)).filter(({ name }) => address !== undefined || name !== 'kubernetes');
  const old = await originAt('old', host);
  const next = await originAt('new', host);
  for (const { set } of all) set(old);
  const routes: readonly Route[] = all.flatMap(({ name, discover }) =>
    PROTOCOLS.map((protocol, at) => ({ service: name, protocol, lines: `discover = ${discover(at as 0 | 1)}` })),
  );
  let changedAt = 0;
  const outcome = await drive(
    routes,
    async ({ gateway }) => {
      for (const { fail } of all) fail();
      const failing = (): boolean => gateway.snapshot().duties.every((duty) => duty.failing);
      await until(failing, 'all sources to be out of service');
      await delay(500);
      for (const { mend, set } of all) {
        mend();
        set(next);
      }
      changedAt = performance.now();
      // A failed source is asked again after a second, and then after twice as long.
      await until(() => gateway.snapshot().duties.every((duty) => !duty.failing), 'all sources to be back');
      await delay(MARGIN);
      await old.kill();
      await delay(500);
    },
    { rate: 25, file, env: { TOKEN: 'one' } },
  );
  judge('source of targets out of service, then other targets', outcome, (results, name) => {
    assert.equal([...sharesOf(endedBefore(results, changedAt)).keys()], ['old'], name);
    return movedWithin(4000 + MARGIN, results, changedAt, name);
  });
});

test.run();
