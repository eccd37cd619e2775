/** Lists from a server over sockets: the first fetch, an outage, workers, and explain. */

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Explanation } from '../../src/control/explain.js';
import { gw } from '../cli/kit.js';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, startOrigin, until } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

/** Serves a list that the test changes. */
async function listServer(list: { text: string; status: number }): Promise<string> {
  const { url } = await serveHttp((_request, response) => response.writeHead(list.status).end(list.text));
  return `${url}/list`;
}

const specOf = (target: string, url: string): string => `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
[service.orders]
targets = ["${target}"]
[policy.strangers]
use = "block"
wait = "10s"
[[policy.strangers.lists]]
name = "drop"
url = "${url}"
refresh = "10s"
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["strangers"]
`;

const from = (url: string, address: string): Promise<number> =>
  call(`${url}/orders`, { headers: { 'x-forwarded-for': address } }).then(({ status }) => status);

test('a fetched list blocks in every worker, also while its server is down', async () => {
  const list = { text: '203.0.113.0/24\n', status: 200 };
  const origin = await startOrigin();
  const where = await listServer(list);
  const spec = new SpecFile(specOf(origin.url, where));
  const { gateway, url } = await startGateway({ spec: spec.path });
  for (let count = 0; count < 8; count++) {
    assert.is(await from(url, '203.0.113.7'), 403);
    assert.is(await from(url, '198.51.100.7'), 200);
  }
  list.status = 503;
  const first = gateway.snapshot().generation.id;
  // A reload keeps the list, since the lists of the policy are the same.
  spec.write(specOf(origin.url, where).replace('wait = "10s"', 'wait = "11s"'));
  await gateway.reload();
  assert.is.not(gateway.snapshot().generation.id, first);
  assert.is(gateway.snapshot().duties[0]!.use, 'block');
  assert.is(await from(url, '203.0.113.7'), 403);
});

test('a list that cannot be fetched blocks nothing, until it can', async () => {
  const list = { text: '203.0.113.0/24\n', status: 500 };
  const origin = await startOrigin();
  const { gateway, url } = await startGateway({
    spec: new SpecFile(specOf(origin.url, await listServer(list)).replace('wait = "10s"', 'wait = "200ms"')).path,
  });
  assert.is(await from(url, '203.0.113.7'), 200);
  assert.match(gateway.snapshot().duties[0]!.lastError?.cause ?? '', 'the reply has status 500');
  list.status = 200;
  await until(async () => (await from(url, '203.0.113.7')) === 403, 'the list');
});

test('explain needs the lists, and then decides as the proxy does', async () => {
  const origin = await startOrigin();
  const { path } = new SpecFile(specOf(origin.url, 'https://lists.example/drop'));
  const cwd = dirname(path);
  const explained = async (...more: string[]): Promise<Explanation> => {
    const { out } = await gw(['explain', 'GET', '/orders', path, '--json', '--mock', 'orders=200', ...more], { cwd });
    return JSON.parse(out) as Explanation;
  };
  const unknown = await explained();
  assert.equal([unknown.outcome, unknown.missing], ['unknown', { kind: 'published', name: 'strangers' }]);
  writeFileSync(join(cwd, 'lists.json'), '{ "lists": { "drop": ["127.0.0.0/8", "::1"] } }');
  const known = await explained('--published', 'strangers=lists.json', '--client', '127.0.0.1');
  assert.is(known.reply?.status, 403);
});

test.run();
