/** Idempotency keys on disk: gateways that are killed send no request twice. */
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Answer,
  call,
  closeAll,
  removeFolders,
  SpecFile,
  serveHttp,
  startGateway,
  temporaryFolder,
  until,
} from './control-kit.js';
import { killServed, Served } from './serve-kit.js';

let target: string;
/** How often the target did what a key stands for. */
let done: Map<string, number>;
let held: ServerResponse[];

test.before.each(async () => {
  done = new Map();
  held = [];
  const origin = await serveHttp((incoming, reply) => {
    const key = String(incoming.headers['idempotency-key']);
    incoming.resume();
    incoming.on('end', () => {
      done.set(key, (done.get(key) ?? 0) + 1);
      if (incoming.url === '/hold') held.push(reply);
      else reply.writeHead(201, { 'content-type': 'text/plain' }).end(`order ${key}`);
    });
  });
  target = origin.url;
});
test.after.each(async () => {
  killServed();
  await closeAll();
});
test.after(removeFolders);

const specOf = (folder: string, keys = ''): string => `spec = 1
workers = 2
[state]
path = ${JSON.stringify(folder)}
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[policy.once]
use = "idempotency"
disk = true
${keys}
[[route]]
name = "shop"
match = "POST /{rest...}"
to = "shop"
policies = ["once"]
`;

const order = (url: string, key: string, path = '/orders'): Promise<Answer> =>
  call(`${url}${path}`, { method: 'POST', body: 'one', headers: { 'idempotency-key': key } });

const codeOf = ({ status, body }: Answer): string =>
  `${status} ${(JSON.parse(body) as { type: string }).type.slice(15)}`;

test('kill -9 while requests are in progress: nothing is sent again, and what was done is known', async () => {
  const { path } = new SpecFile(specOf(join(temporaryFolder(), 'state')));
  const first = new Served({ path });
  const url = await first.url();
  assert.is((await order(url, 'before')).status, 201);
  const cut = order(url, 'held', '/hold').then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => held.length === 1, 'the request');
  first.child.kill('SIGKILL');
  await first.exit;
  assert.is(await cut, 'cut');
  const second = new Served({ path });
  const again = await second.url();
  assert.is(codeOf(await order(again, 'held', '/hold')), '409 idempotency/unknown');
  const known = await order(again, 'before');
  // The reply may not have been written before the end.
  if (known.status === 201) assert.is(known.headers['idempotency-replayed'], 'true');
  else assert.is((JSON.parse(known.body) as { completed_status: number }).completed_status, 201);
  assert.is((await order(again, 'after')).status, 201);
  assert.equal(Object.fromEntries(done), { before: 1, held: 1, after: 1 });
});

test('kill -9 again and again under load: each key is done at most once', async () => {
  const { path } = new SpecFile(specOf(join(temporaryFolder(), 'state')));
  const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`).map((key) => `"${key}"`);
  for (let life = 0; life < 4; life++) {
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
  for (const [key, count] of done) assert.is(count, 1, key);
  assert.ok(done.size > 5);
});

test('a restart keeps keys and replies; a second gateway cannot use the folder', async () => {
  const folder = join(temporaryFolder(), 'state');
  const { path } = new SpecFile(specOf(folder));
  const first = await startGateway({ spec: path, inline: true });
  assert.is((await order(first.url, 'k')).status, 201);
  assert.is((await order(first.url, 'k')).headers['idempotency-replayed'], 'true');
  let refusal: unknown;
  try {
    await startGateway({ spec: path, inline: true });
  } catch (error) {
    refusal = error;
  }
  assert.match(String((refusal as { report?: string; message: string }).message), /gateway\/load|uses it/);
  await until(() => first.log.lines.some(({ message }) => message === 'contents on disk are open'), 'the store');
  await first.gateway.close();
  const second = await startGateway({ spec: path, inline: true });
  let found: Answer | undefined;
  await until(async () => {
    found = await order(second.url, 'k');
    // Until the store is open, the reply is not found: the client is told to ask again.
    assert.is(found.headers['retry-after'], found.status === 201 ? undefined : '5');
    return found.status === 201;
  }, 'the reply');
  assert.equal([found?.body, found?.headers['idempotency-replayed']], ['order k', 'true']);
  assert.equal(Object.fromEntries(done), { k: 1 });
});

for (const ttl of ['forever', '1h'])
  test(`a cache that fills memory and disk (ttl = ${ttl}) displaces no reply`, async () => {
    const page = 'p'.repeat(200_000);
    const origin = await serveHttp((_incoming, reply) => void reply.end(page));
    const text = specOf(join(temporaryFolder(), 'state')).replace(
      '[listener.main]',
      'content_memory = "1MiB"\ncontent_disk = "16MiB"\n[listener.main]',
    );
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
    assert.equal(Object.fromEntries(done), { k: 1 });
  });

test('a folder that comes with a reload is used; another one needs a restart', async () => {
  const [one, other] = [temporaryFolder(), temporaryFolder()];
  const spec = new SpecFile(
    specOf(one)
      .replace(/\[state\]\npath.*\n/, '')
      .replace('disk = true\n', ''),
  );
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await order(url, 'a')).status, 201);
  spec.write(specOf(one));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await order(url, 'b')).status, 201);
  assert.is((await order(url, 'b')).headers['idempotency-replayed'], 'true');
  spec.write(specOf(other));
  assert.is((await gateway.reload())?.outcome, 'rejected');
  assert.is((await order(url, 'b')).headers['idempotency-replayed'], 'true');
});

test.run();
