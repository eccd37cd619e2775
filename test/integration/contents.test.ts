/** Contents in a running gateway: a policy keeps bodies in the memory that all workers share, and replies with views of it. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { policyWith, project, removeProjects, specWith, write } from '../custom/project.js';
import { call, closeAll, removeFolders, startGateway, until } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);
test.after(removeProjects);

/** Keeps a body of as many bytes as `x-put` says, and answers with it. */
const KEEPER = policyWith(
  `create(_settings, host) {
    const store = host.content({ maxEntry: 4_000_000, disk: false });
    const held = new Map();
    const facts = { expiresAt: Infinity, url: 'http://a.test/', route: 'hello', tags: [], data: null };
    return {
      before: async (exchange) => {
        const size = exchange.header('x-put');
        if (size !== undefined) {
          const writer = store.put('k', facts, -1);
          for (let at = 0; at < Number(size); at += 10_000) writer?.write(Buffer.alloc(Math.min(10_000, Number(size) - at), String(at).length + 48));
          writer?.commit();
          return new BytesReply(204);
        }
        const content = await store.get('k');
        if (content === undefined) return undefined;
        held.set(exchange, content);
        return new BytesReply(200, { body: content.parts[0] });
      },
      finished(exchange) {
        held.get(exchange)?.release();
        held.delete(exchange);
      },
    };
  }`,
  "import { BytesReply } from 'gw/policy';",
);

const spec = (state: string): string => `${specWith('./own.ts')}${state}`;

for (const inline of [true, false])
  test(`a reply is a view of shared memory, ${inline ? 'in this thread' : 'in a worker'}; a reload keeps contents`, async () => {
    const folder = project({ 'gateway.toml': spec('[state]\ncontent_memory = "8MiB"\n'), 'own.ts': KEEPER });
    const { url, gateway } = await startGateway({ spec: join(folder, 'gateway.toml'), inline });
    const get = async (): Promise<string> => (await call(`${url}/hello`)).body;
    assert.is(await get(), 'hello');
    for (const size of [15, 1_000_000]) {
      await call(`${url}/hello`, { headers: { 'x-put': String(size) } });
      const body = await get();
      assert.is(body.length, size);
      assert.is(body.at(-1), size === 15 ? '1' : '6');
    }
    const { contents } = gateway.snapshot();
    assert.is(contents?.bytes, 8 * 1024 * 1024);
    const [own] = contents?.policies ?? [];
    assert.equal([own?.policy, own?.entries, own?.hits, own?.misses, own?.stored], ['own', 1, 2, 1, 2]);
    assert.ok(own!.bytes > 1_000_000 && own!.bytes < 1_010_000, 'the end of its room was given back');
    await until(() => gateway.snapshot().contents?.policies[0]?.pinnedBytes === 0, 'the first body to be released');
    write(folder, 'gateway.toml', `${spec('')}[state]\ncontent_memory = "16MiB"\n`);
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live');
    assert.match(reload?.diagnostics ?? '', /gateway\/content-memory/);
    assert.match(reload?.diagnostics ?? '', /16MiB for contents, but the gateway has 8MiB since it started/);
    assert.is((await get()).length, 1_000_000);
  });

test.run();
