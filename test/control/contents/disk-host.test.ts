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

test.run();
