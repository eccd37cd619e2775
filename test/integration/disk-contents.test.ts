/** Contents on disk in a running gateway: they survive a restart; a second gateway and a damaged file do not harm. */
import { existsSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { policyWith, project, removeProjects, specWith, write } from '../custom/project.js';
import { until } from '../support/until.js';
import { call, closeAll, KeptLog, removeFolders, serveHttp, startGateway } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);
test.after(removeProjects);

/** Keeps the body of `x-put`, forgets it with `x-purge`, and answers with what it has. */
const KEEPER = policyWith(
  `create(_settings, host) {
    const store = host.content({ maxEntry: 4_000_000, disk: true });
    const facts = { expiresAt: Infinity, url: 'http://a.test/', route: 'hello', tags: ['t'], data: null };
    return {
      before: async (exchange) => {
        const text = exchange.header('x-put');
        if (text !== undefined) {
          const writer = store.put('k', facts, -1);
          writer?.write(Buffer.from(text));
          writer?.commit();
          return new BytesReply(204);
        }
        if (exchange.header('x-purge') !== undefined) {
          await store.purge({ by: 'tag', value: 't' }, false);
          return new BytesReply(204);
        }
        const content = await store.get('k');
        if (content === undefined) return undefined;
        const body = Buffer.concat(content.parts);
        content.release();
        return new BytesReply(200, { body });
      },
    };
  }`,
  "import { BytesReply } from 'gw/policy';",
);

const spec = (state = ''): string => `${specWith('./own.ts')}${state}`;
const OPEN = 'contents on disk are open';

interface Started {
  readonly log: KeptLog;
  readonly gateway: Awaited<ReturnType<typeof startGateway>>['gateway'];
  get(): Promise<string>;
  put(text: string): Promise<void>;
  purge(): Promise<void>;
}

async function start(folder: string, inline = false): Promise<Started> {
  const log = new KeptLog();
  const { url, gateway } = await startGateway({ spec: join(folder, 'gateway.toml'), inline, log });
  const send = async (headers: Record<string, string>): Promise<string> =>
    (await call(`${url}/hello`, { headers: { host: 'a.example', ...headers } })).body;
  return {
    log,
    gateway,
    get: () => send({}),
    put: async (text) => void (await send({ 'x-put': text })),
    purge: async () => void (await send({ 'x-purge': 'yes' })),
  };
}

const opened = ({ log }: Started, times = 1): Promise<unknown> =>
  until(() => log.lines.filter(({ message }) => message === OPEN).length >= times, 'the store');

for (const inline of [true, false])
  test(`contents survive a restart, and a purge does too, ${inline ? 'in this thread' : 'in a worker'}`, async () => {
    const folder = project({ 'gateway.toml': spec(), 'own.ts': KEEPER });
    const first = await start(folder, inline);
    // The store may not be open yet: the write waits for it.
    await first.put('kept');
    await opened(first);
    await first.gateway.close();
    assert.ok(existsSync(join(folder, '.gw/contents/data.mdb')));
    const second = await start(folder, inline);
    await opened(second);
    assert.is(await second.get(), 'kept');
    const { disk } = second.gateway.snapshot().contents ?? {};
    assert.equal([disk?.hits, disk?.entries, disk?.forever, disk?.open], [1, 1, 1, 1]);
    await second.purge();
    await second.gateway.close();
    const third = await start(folder, inline);
    await opened(third);
    assert.is(await third.get(), 'hello');
  });

test('a second gateway on the same folder keeps contents in memory', async () => {
  const folder = project({
    'gateway.toml': spec('[state]\ncontent_disk = "16MiB"\n'),
    'own.ts': KEEPER,
  });
  const first = await start(folder);
  await opened(first);
  const second = await start(folder);
  await until(
    () => second.log.lines.some(({ message }) => /another gateway uses the folder/.test(message)),
    'the warning',
  );
  await second.put('of the second');
  assert.is(await second.get(), 'of the second');
  assert.is(await first.get(), 'hello');
  await first.put('of the first');
  await first.gateway.close();
  assert.is(await second.get(), 'of the second');
});

test('a file that is cut is moved aside with a warning', async () => {
  const folder = project({ 'gateway.toml': spec(), 'own.ts': KEEPER });
  const first = await start(folder);
  await first.put('kept');
  await opened(first);
  await first.gateway.close();
  const file = join(folder, '.gw/contents/data.mdb');
  truncateSync(file, 10_000);
  const second = await start(folder);
  await opened(second);
  assert.ok(second.log.lines.some(({ message }) => /moved aside/.test(message)));
  assert.ok(existsSync(`${file}.damaged`));
  assert.is(await second.get(), 'hello');
  await second.put('anew');
  await second.gateway.close();
  const third = await start(folder);
  await opened(third);
  assert.is(await third.get(), 'anew');
});

test('a folder that cannot be written leaves contents in memory', async () => {
  const folder = project({ 'gateway.toml': spec(), 'own.ts': KEEPER, '.gw': 'a file' });
  const only = await start(folder);
  await until(() => only.log.lines.some(({ message }) => /store of contents on disk ended/.test(message)), 'the error');
  await only.put('in memory');
  assert.is(await only.get(), 'in memory');
});

test('a reload moves the store to its new folder', async () => {
  const folder = project({ 'gateway.toml': spec(), 'own.ts': KEEPER });
  const only = await start(folder);
  await opened(only);
  write(folder, 'gateway.toml', spec(`[state]\npath = "${join(folder, 'elsewhere')}"\ncontent_disk = "32MiB"\n`));
  assert.is((await only.gateway.reload())?.outcome, 'live');
  await opened(only, 2);
  assert.ok(existsSync(join(folder, 'elsewhere/contents/data.mdb')));
  assert.not.ok(existsSync(join(folder, '.gw/contents/owner.json')));
});

test('a reply that is cached forever is not asked for again after a restart', async () => {
  let asked = 0;
  const origin = await serveHttp((_request, response) => {
    asked++;
    response.end('x'.repeat(50_000));
  });
  const folder = project({
    'gateway.toml': `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.s]
targets = ["${origin.url}"]
[policy.own]
use = "cache"
ttl = "forever"
[[route]]
name = "hello"
match = "GET /hello"
to = "s"
policies = ["own"]
`,
  });
  const first = await start(folder);
  assert.is((await first.get()).length, 50_000);
  await until(() => first.gateway.snapshot().contents?.disk?.written === 1, 'the write');
  await first.gateway.close();
  const second = await start(folder);
  await opened(second);
  assert.is(await second.get(), 'x'.repeat(50_000));
  assert.is(asked, 1);
});

test.run();
