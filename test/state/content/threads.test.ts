import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { allocateState, forgetWorker } from '../../../src/state/memory.js';
import type { ContentTask } from './content-thread.js';
import { bodyOf, MIB, put } from './support.js';

const start = (task: ContentTask): Worker =>
  new Worker(new URL('./content-thread.js', import.meta.url), { workerData: task });
const resultOf = async (thread: Worker): Promise<unknown> => (await once(thread, 'message'))[0];

test('four threads read, replace, refresh and purge the same keys: every body is whole', async () => {
  const memory = MemoryContents.allocate({ bytes: MIB, workers: 4 });
  const threads = [0, 1, 2, 3].map((worker) => start({ memory, worker, does: 'hammer', count: 4000 }));
  const results = (await Promise.all(threads.map(resultOf))) as { wrong: string[]; hits: number }[];
  for (const { wrong, hits } of results) {
    assert.equal(wrong, []);
    assert.ok(hits > 500, `${hits} hits`);
  }
  const contents = new MemoryContents(memory, Date.now, 0);
  contents.store('shared', { maxEntry: MIB, disk: false }).purge({ by: 'all' }, false);
  const { bytes, freeBytes, identities } = contents.health();
  assert.is(freeBytes, bytes);
  assert.is(identities[0]?.pinnedBytes, 0);
  // One after the other, and idle: threads that end by themselves at the same time can wait for each other's compilers for ever.
  for (const thread of threads) await thread.terminate();
});

test('a worker that has ended: its pins are released, and what it was writing is given up', async () => {
  const content = MemoryContents.allocate({ bytes: 4 * MIB, workers: 2 });
  const state = { ...allocateState({ workers: 2, small: true }), content };
  const thread = start({ memory: content, worker: 1, does: 'hold', count: 20 });
  assert.is(await resultOf(thread), 20);
  const contents = new MemoryContents(content, Date.now, 0);
  const store = contents.store('shared', { maxEntry: MIB, disk: false });
  const mine = store.get('held 3')!;
  store.purge({ by: 'all' }, false);
  const pinned = (): number => contents.health().identities[0]!.pinnedBytes;
  assert.ok(pinned() > 1e6, 'the thread reads them');
  await thread.terminate();
  forgetWorker(state, 1);
  assert.ok(Buffer.concat([...mine.parts]).equals(bodyOf(3, 50_000)), 'pinned by another worker');
  assert.ok(pinned() < 60_000);
  mine.release();
  assert.is(pinned(), 0);
  assert.is(contents.health().freeBytes, contents.health().bytes);
  assert.ok(put(store, 'k', bodyOf(1, 10)));
});

test.run();
