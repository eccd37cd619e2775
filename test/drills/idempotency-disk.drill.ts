/** Idempotency keys on disk under load, in gateways that are killed, and beside a cache that fills the disk. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  call,
  closeAll,
  removeFolders,
  SpecFile,
  serveHttp,
  startGateway,
  temporaryFolder,
  until,
} from '../integration/control-kit.js';
import { Orders, order } from '../integration/orders.js';
import { killServed, Served } from '../integration/serve-kit.js';

const test = suite('idempotency-disk');
const LIVES = 20;

let orders: Orders;
test.before.each(async () => {
  orders = await Orders.open();
});
test.after.each(async () => {
  killServed();
  await closeAll();
});
test.after(removeFolders);

test('kill -9 again and again under load: each key is done at most once', async () => {
  const { path } = new SpecFile(orders.spec(join(temporaryFolder(), 'state')));
  const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`).map((key) => `"${key}"`);
  for (let life = 0; life < LIVES; life++) {
    const served = new Served({ path });
    const url = await served.url();
    let answered = 0;
    const sent = keys.map((key) =>
      order(url, key).then(
        () => answered++,
        () => {},
      ),
    );
    await until(() => answered > 5, 'some answers');
    served.child.kill('SIGKILL');
    await Promise.all([served.exit, ...sent]);
  }
  for (const [key, count] of orders.done) assert.is(count, 1, key);
  assert.ok(orders.done.size > 5);
});

for (const ttl of ['forever', '1h'])
  test(`a cache that fills memory and disk (ttl = ${ttl}) displaces no reply`, async () => {
    const page = 'p'.repeat(200_000);
    const origin = await serveHttp((_incoming, reply) => void reply.end(page));
    const text = orders
      .spec(join(temporaryFolder(), 'state'))
      .replace('[listener.main]', 'content_memory = "1MiB"\ncontent_disk = "16MiB"\n[listener.main]');
    const { path } = new SpecFile(`${text}
[service.pages]
targets = ["${origin.url}"]
[policy.pages]
use = "cache"
ttl = "${ttl}"
disk = true
[[route]]
match = "GET /pages/{n}"
to = "pages"
policies = ["pages"]
`);
    const first = await startGateway({ spec: path, inline: true });
    assert.is((await order(first.url, 'k')).status, 201);
    const disk = () => first.gateway.snapshot().contents?.disk;
    for (let at = 0; at < 90; at++) {
      assert.is((await call(`${first.url}/pages/${at}`)).status, 200);
      await until(() => {
        const { written = 0, foreverRefused = 0, skipped = 0 } = disk() ?? {};
        return written + foreverRefused + skipped > at;
      }, 'the page');
    }
    const { evicted = 0, foreverRefused = 0 } = disk() ?? {};
    assert.ok(evicted + foreverRefused > 10, 'the disk is full');
    assert.is((await order(first.url, 'k')).headers['idempotency-replayed'], 'true');
    await first.gateway.close();
    const second = await startGateway({ spec: path, inline: true });
    await until(async () => (await order(second.url, 'k')).body === 'order k', 'the reply');
    assert.equal(Object.fromEntries(orders.done), { k: 1 });
  });

test.run();
