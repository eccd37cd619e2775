/** Targets by name, with a DNS server whose answers change. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lookupsOf } from '../support/dns-lookups.js';
import { DnsServer } from '../support/dns-server.js';
import { onlyWhere } from '../support/only-where.js';
import { call, closeAll, closedLater, Load, removeFolders, SpecFile, startGateway, until } from './control-kit.js';
import { specOf } from './engine-kit.js';

const test = suite('names of targets');
const onLinux = onlyWhere(process.platform === 'linux', 'only 127.0.0.1 is an address of this machine', test);
test.after.each(closeAll);
test.after(removeFolders);

/** Says its address; the same port on each. */
async function originAt(address: string, port = 0): Promise<{ server: Server; port: number; open(): number }> {
  let open = 0;
  const server = createServer((request, reply) => {
    request.resume();
    reply.end(address);
  });
  server.on('connection', (socket) => {
    open++;
    socket.on('close', () => open--);
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
  };
  closedLater({ close });
  return { server, port: (server.address() as AddressInfo).port, open: () => open };
}

onLinux('a name that appears, and moves while requests are served', async () => {
  const dns = closedLater(await DnsServer.start());
  const first = await originAt('127.0.0.1');
  const second = await originAt('127.0.0.2', first.port);
  const text = specOf(`http://orders.test:${first.port}`);
  const spec = new SpecFile(text);
  const { gateway, url } = await startGateway({ spec: spec.path, inline: true, lookups: lookupsOf(dns) });
  const none = await call(`${url}/`);
  assert.equal([none.status, JSON.parse(none.body).type], [503, 'urn:gw:problem:upstream/none']);
  assert.equal(gateway.snapshot().targets, []);
  const [duty] = gateway.snapshot().duties;
  assert.equal([duty?.policy, duty?.use, duty?.lastError?.cause], ['orders.test', 'dns', 'unknown host orders.test']);

  dns.set('orders.test', ['127.0.0.1'], 1);
  await until(() => gateway.snapshot().targets.length === 1, 'the first address');
  const load = new Load(5);
  const seen = new Set<string>();
  load.start(4, `${url}/`, ({ status, body }) => {
    seen.add(body);
    return status === 200 ? undefined : `status ${status}`;
  });
  await until(() => seen.has('127.0.0.1'), 'requests');
  dns.set('orders.test', ['127.0.0.2'], 1);
  await until(() => seen.has('127.0.0.2') && first.open() === 0, 'the drain of the old address');
  await load.stop();
  assert.equal(load.failures, []);
  assert.is(second.open() > 0, true);
  const [target] = gateway.snapshot().targets;
  assert.equal([target?.url, target?.address], [`http://orders.test:${first.port}`, '127.0.0.2']);

  // DNS fails: the last addresses stay, also in the next generation.
  dns.rcode = 'servfail';
  await until(() => gateway.snapshot().duties[0]?.failing === true, 'a failed lookup');
  spec.write(text.replace('[[route]]', 'retries = 2\n[[route]]'));
  assert.is((await gateway.reload())?.generation, 2);
  assert.is((await call(`${url}/`)).body, '127.0.0.2');
});

test.run();
