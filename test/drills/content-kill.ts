/**
 * The process that the drill content-kill kills: writes and reads contents on disk through the real thread until it ends. Prints
 * a line for what it finds wrong, and one for its progress.
 */
import { DiskHost } from '../../src/control/contents/disk-host.js';
import { silentLog } from '../../src/control/log.js';
import { DiskMemory } from '../../src/state/content/disk/memory.js';
import { MemoryContents } from '../../src/state/content/memory/index.js';
import type { ContentFacts, ContentStore } from '../../src/state/content/types.js';
import { workerOf } from '../state/content/disk/kit.js';
import { seededBelow } from '../support/random.js';
import { bodyOf, isRight, KEYS } from './content-kill-bodies.js';

const [, , path = '', seed = '0'] = process.argv;
const below = seededBelow(Number(seed));
const memory = new DiskMemory(DiskMemory.allocate());
const host = new DiskHost({ memory: memory.buffer, log: silentLog });
// So little memory that most reads come from the disk.
const shared = MemoryContents.allocate({ workers: 2, bytes: 512 * 1024 });
const worker = workerOf({ memory, shared, now: Date.now, maxEntry: 400_000 });
host.link(0, (port) => worker.client.connect(port));
host.use({ path, size: 32 * 1024 ** 2, owners: ['a'] });

const factsOf = (key: number, version: number): ContentFacts => ({
  expiresAt: key % 3 === 0 ? Number.POSITIVE_INFINITY : Date.now() + 3_600_000,
  url: `https://a.example/${key}`,
  route: `r${key % 5}`,
  tags: [`t${key % 7}`],
  data: { key, version },
});

function write(store: ContentStore, version: number): void {
  const key = below(KEYS);
  const body = bodyOf(key, version);
  const writer = store.put(`k${key}`, factsOf(key, version), body.length);
  if (body.length === 0 || writer?.write(body) === true) writer?.commit();
}

async function read(store: ContentStore): Promise<boolean> {
  const key = below(KEYS);
  const content = await store.get(`k${key}`);
  if (content === undefined) return false;
  const fault = isRight(key, content);
  if (fault !== undefined) process.stdout.write(`wrong ${fault}\n`);
  content.release();
  return true;
}

async function change(store: ContentStore): Promise<void> {
  const key = below(KEYS);
  if (below(4) > 0) await store.delete(`k${key}`);
  else await store.purge({ by: below(2) === 0 ? 'tag' : 'url', value: `t${key % 7}` }, below(2) === 0);
}

let found = 0;
// Versions grow from one process to the next, so that a mixture of two is seen.
for (let version = Number(seed) * 1_000_000; ; version++) {
  write(worker.store, version);
  for (let at = 0; at < 4; at++) if (await read(worker.store)) found++;
  if (version % 50 === 49) await change(worker.store);
  if (version % 20 === 19) {
    const { written, damaged, open } = memory.stats();
    process.stdout.write(`progress ${JSON.stringify({ written, damaged, open, found })}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
