/** The thread of the store on disk: started when needed, started again when it dies, and ended. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiskHost } from '../../../src/control/contents/disk-host.js';
import { DiskMemory } from '../../../src/state/content/disk/memory.js';
import { putInto, readFrom, workerOf } from '../../state/content/disk/kit.js';
import { until } from '../../support/until.js';
import { KeptLog, removeFolders, temporaryFolder } from '../kit.js';

test.after(removeFolders);

const MIB = 1024 ** 2;

function host(more: Partial<ConstructorParameters<typeof DiskHost>[0]> = {}) {
  const log = new KeptLog();
  const memory = new DiskMemory(DiskMemory.allocate());
  const disk = new DiskHost({ memory: memory.buffer, log, ...more });
  return { log, memory, disk };
}

test('a real thread keeps what workers put, and a fresh worker reads it', async () => {
  const { disk, memory, log } = host();
  const first = workerOf({ memory, now: Date.now });
  disk.link(0, (port) => first.client.connect(port));
  assert.is(log.lines.length, 0, 'it has no place yet');
  disk.use({ path: temporaryFolder(), size: 16 * MIB, owners: ['a'] });
  const facts = { expiresAt: Number.POSITIVE_INFINITY, url: 'u', route: '', tags: [], data: null };
  putInto(first.store, 'k', 'body', facts);
  await until(() => memory.stats().written === 1, 'the write');
  const second = workerOf({ memory, now: Date.now });
  disk.link(1, (port) => second.client.connect(port));
  assert.is(await readFrom(second.store, 'k'), 'body');
  assert.is(memory.stats().open, 1);
  await disk.close();
  assert.is(memory.stats().open, 0);
  await until(() => second.store.get('other') === undefined, 'the end of the port');
});

test('what a worker has begun that ended without a store does not keep contents from being used', async () => {
  const path = temporaryFolder();
  const facts = { expiresAt: Number.POSITIVE_INFINITY, url: 'u', route: '', tags: ['t'], data: null };
  const before = host();
  const first = workerOf({ memory: before.memory, now: Date.now });
  before.disk.link(0, (port) => first.client.connect(port), first.client.unapplied);
  before.disk.use({ path, size: 16 * MIB, owners: ['a'] });
  putInto(first.store, 'k', 'body', facts);
  await until(() => before.memory.stats().written === 1, 'the write');
  await before.disk.close();

  const { disk, memory } = host();
  const dying = workerOf({ memory, now: Date.now });
  disk.link(0, (port) => dying.client.connect(port), dying.client.unapplied);
  assert.is(await dying.store.purge({ by: 'tag', value: 't' }, false), 0);
  disk.forget(0);
  disk.use({ path, size: 16 * MIB, owners: ['a'] });
  const next = workerOf({ memory, now: Date.now });
  disk.link(1, (port) => next.client.connect(port), next.client.unapplied);
  await until(() => memory.stats().deleted === 1, 'the purge of all');
  assert.is(await readFrom(next.store, 'k'), undefined);
  putInto(next.store, 'n', 'new', facts);
  await until(() => memory.stats().written === 1, 'the write');
  const fresh = workerOf({ memory, now: Date.now });
  disk.link(2, (port) => fresh.client.connect(port), fresh.client.unapplied);
  assert.is(await readFrom(fresh.store, 'n'), 'new');
  await disk.close();
});

/** A thread in place of the store. */
function entry(code: string): URL {
  const file = join(temporaryFolder(), 'thread.mjs');
  writeFileSync(file, `import { parentPort, workerData } from 'node:worker_threads';\n${code}`);
  return pathToFileURL(file);
}

test('a thread that dies is started again, and workers get new ports', async () => {
  const { disk, log } = host({
    entry: entry(`
      parentPort.postMessage({ type: 'open', entries: 0, bytes: 0 });
      parentPort.on('message', ({ order, port }) => {
        if (order === 'close') parentPort.close();
        else port.on('message', () => process.exit(3));
      });
    `),
  });
  disk.use({ path: '/nowhere', size: MIB, owners: [] });
  const ports: MessagePort[] = [];
  disk.link(0, (port) => void ports.push(port));
  await until(() => ports.length === 1, 'a port');
  ports[0]?.postMessage('die');
  await until(() => ports.length === 2, 'another port');
  assert.is(log.count(/ended, it is started again/), 1);
  await disk.close();
});

test('a folder that another gateway has is tried again, and the log says so once', async () => {
  const { disk, log } = host({
    retryMs: 1,
    entry: entry(`
      parentPort.postMessage({ type: 'taken', by: 'process 7' });
      parentPort.postMessage({ type: 'movedAside', cause: 'it is cut' });
      parentPort.postMessage({ type: 'trouble', cause: 'disk full' });
      parentPort.postMessage({ type: 'trouble', cause: 'disk full' });
      process.exit(0);
    `),
  });
  disk.use({ path: '/nowhere', size: MIB, owners: [] });
  disk.link(0, () => {});
  await until(() => log.count(/moved aside/) >= 3, 'three attempts');
  assert.is(log.count(/another gateway uses the folder/), 1);
  assert.is(log.count(/not written to disk/), 1);
  assert.is(log.count(/started again/), 0);
  await disk.close();
});

test('a thread that cannot run is logged with its cause; one that does not end is terminated', async () => {
  const broken = host({ entry: entry(`throw new Error('no room');`) });
  broken.disk.use({ path: '/nowhere', size: MIB, owners: [] });
  broken.disk.link(0, () => {});
  await until(() => broken.log.find(/started again/)?.fields.cause === 'no room', 'the error');
  await broken.disk.close();
  const deaf = host({ entry: entry(`parentPort.on('message', () => {}); parentPort.postMessage({ type: 'open' });`) });
  deaf.disk.use({ path: '/nowhere', size: MIB, owners: [] });
  deaf.disk.link(0, () => {});
  await until(() => deaf.log.find(/are open/), 'the thread');
  await deaf.disk.close();
  assert.is(deaf.log.count(/has not ended/), 0);
});

test('started() waits for a store that starts, and for no other one', async () => {
  const waits = async (code: string): Promise<string> => {
    const { disk, log } = host({ entry: entry(code), retryMs: 60_000 });
    await disk.started();
    disk.use({ path: '/nowhere', size: MIB, owners: [] });
    await disk.started();
    disk.link(0, () => {});
    await disk.started();
    const found = log.count(/are open/) === 1 ? 'open' : log.count(/another gateway/) === 1 ? 'taken' : 'ended';
    // Its thread runs, or the next attempt is a minute away.
    await disk.started();
    await disk.close();
    return found;
  };
  const rest = `parentPort.on('message', ({ order }) => order === 'close' && parentPort.close());`;
  const open = `setTimeout(() => parentPort.postMessage({ type: 'open', entries: 0, bytes: 0 }), 20);`;
  assert.is(await waits(open + rest), 'open');
  assert.is(await waits(`parentPort.postMessage({ type: 'taken', by: 'process 7' }); process.exit(0);`), 'taken');
  assert.is(await waits(`throw new Error('no room');`), 'ended');
});

/** A real store that hangs when it is to write something, and the next thread of it, which does not. */
function hanging(code: string): URL {
  const dist = (path: string): string =>
    JSON.stringify(new URL(`../../../src/state/content/disk/${path}`, import.meta.url).href);
  return entry(`
    import { existsSync, writeFileSync } from 'node:fs';
    const hung = workerData.path + '/hung';
    const on = workerData.path + '/on';
    if (existsSync(hung)) await import(${dist('thread.js')});
    else {
      const { ContentDatabase } = await import(${dist('database.js')});
      const { DiskMemory } = await import(${dist('memory.js')});
      const { StoreServer } = await import(${dist('server.js')});
      const memory = new DiskMemory(workerData.memory);
      const database = new ContentDatabase({ ...workerData, memory, now: Date.now });
      const server = new StoreServer({ database, memory, trouble: () => {} });
      const batch = database.batch.bind(database);
      database.batch = (work) => {
        if (existsSync(hung)) return batch(work);
        writeFileSync(hung, '');
        ${code}
      };
      memory.set('open', 1);
      parentPort.postMessage({ type: 'open', entries: 0, bytes: 0 });
      parentPort.on('message', ({ order, port }) => {
        if (order === 'ping') parentPort.postMessage({ type: 'alive' });
        else if (order === 'close') server.close().then(() => database.close()).then(() => parentPort.close());
        else server.connect(port);
      });
    }
  `);
}

const FACTS = { expiresAt: Number.POSITIVE_INFINITY, url: 'u', route: '', tags: [], data: null };

/** A store that hangs, and a worker that waits for it to write. */
async function hung(code: string) {
  const kit = host({ pingMs: 100, entry: hanging(code) });
  const { disk, memory, log } = kit;
  const worker = workerOf({ memory, now: Date.now });
  const path = temporaryFolder();
  disk.link(0, (port) => worker.client.connect(port));
  disk.use({ path, size: 16 * MIB, owners: ['a'] });
  await until(() => memory.stats().open === 1 && log.find(/are open/), 'the store');
  putInto(worker.store, 'lost', 'body', FACTS);
  assert.is(worker.client.writing, 4);
  await until(() => memory.stats().stuck === 1, 'the end of the wait');
  assert.is(log.find(/does not answer/)?.fields.cause, 'stuck: no answer to 10 pings');
  // The bytes that were to be written are given up, and nothing waits for the store.
  await until(() => worker.client.writing === 0, 'the bytes');
  return { ...kit, ...worker, path };
}

async function worksAgain({ disk, memory, store }: Awaited<ReturnType<typeof hung>>): Promise<void> {
  putInto(store, 'k', 'body', FACTS);
  await until(() => memory.stats().written > 0, 'the write');
  const fresh = workerOf({ memory, now: Date.now });
  disk.link(1, (port) => fresh.client.connect(port));
  assert.is(await readFrom(fresh.store, 'k'), 'body');
  assert.is(await readFrom(fresh.store, 'lost'), undefined);
  assert.is(memory.stats().stuck, 1);
  await disk.close();
}

test('a thread that does not answer is ended, contents are missing meanwhile, and the next one opens the file', async () => {
  const kit = await hung('for (;;);');
  const { log, memory } = kit;
  await until(() => log.count(/are open/) === 2 && memory.stats().open === 1, 'another store');
  assert.is(log.find(/started again/)?.fields.cause, 'stuck: no answer to 10 pings');
  await worksAgain(kit);
});

test('a thread that is blocked within a transaction is not ended, and serves again when it answers', async () => {
  const kit = await hung('batch(() => { while (!existsSync(on)); });');
  const { log, memory, path, store } = kit;
  assert.is(memory.stats().open, 0);
  await until(() => store.get('other') === undefined, 'the end of the port');
  writeFileSync(join(path, 'on'), '');
  await until(() => log.find(/answers again/) && memory.stats().open === 1, 'the answer');
  assert.is(log.count(/started again/), 0);
  await worksAgain(kit);
});

test('a reload waits for a thread that is within a transaction, and does not open its file beside it', async () => {
  const kit = host({ pingMs: 60_000, endMs: 50, entry: hanging('batch(() => { while (!existsSync(on)); });') });
  const { disk, memory, log } = kit;
  const { client, store } = workerOf({ memory, now: Date.now });
  const path = temporaryFolder();
  disk.link(0, (port) => client.connect(port));
  disk.use({ path, size: 16 * MIB, owners: ['a'] });
  await until(() => log.find(/are open/), 'the store');
  putInto(store, 'lost', 'body', FACTS);
  await until(() => memory.stats().inTransaction === 1, 'the transaction');
  disk.use({ path, size: 32 * MIB, owners: ['a'] });
  await until(() => log.find(/has not ended yet/), 'the wait');
  assert.is(log.count(/are open/), 1);
  writeFileSync(join(path, 'on'), '');
  await until(() => log.count(/are open/) === 2 && memory.stats().limitBytes === 32 * MIB, 'the next one');
  putInto(store, 'k', 'body', FACTS);
  await until(() => memory.stats().written > 0, 'the write');
  await disk.close();
});

test('a thread that reports progress while it opens a large store is not taken for stuck', async () => {
  const { disk, log } = host({
    pingMs: 200,
    entry: entry(`
      const step = (left) => {
        const end = performance.now() + 100;
        while (performance.now() < end);
        parentPort.postMessage(left > 0 ? { type: 'alive' } : { type: 'open', entries: 0, bytes: 0 });
        if (left > 0) step(left - 1);
      };
      step(30);
      parentPort.on('message', ({ order }) => {
        if (order === 'close') parentPort.close();
        else parentPort.postMessage({ type: 'alive' });
      });
    `),
  });
  disk.use({ path: temporaryFolder(), size: 16 * MIB, owners: [] });
  disk.link(0, () => {});
  await until(() => log.find(/are open/), 'the store');
  assert.is(log.count(/does not answer/), 0);
  await disk.close();
});

test.run();
