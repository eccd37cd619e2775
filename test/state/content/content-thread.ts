/** A thread that uses contents: the other half of threads.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { seededBelow } from '../../support/random.js';
import { bodyOf, facts, fill } from './support.js';

export interface ContentTask {
  readonly memory: SharedArrayBuffer;
  readonly worker: number;
  readonly does: 'hammer' | 'hold';
  readonly count: number;
}

const { memory, worker, does, count } = workerData as ContentTask;
const contents = new MemoryContents(memory, Date.now, worker);
const store = contents.store('shared', { maxEntry: 1 << 20, disk: false });

/** Reads and replaces bodies that say in their facts which they are; reports what is wrong, and the hits. */
function hammer(): unknown {
  const below = seededBelow(worker + 1);
  const wrong: string[] = [];
  let hits = 0;
  const check = (content: NonNullable<ReturnType<typeof store.get>>, when: string): void => {
    const body = Buffer.concat([...content.parts]);
    const seed = content.facts.data as number;
    if (!body.equals(bodyOf(seed, content.length))) wrong.push(`${content.key} ${when}`);
  };
  for (let at = 0; at < count; at++) {
    const key = `key ${below(60)}`;
    const content = store.get(key);
    if (content === undefined || below(4) === 0) {
      const seed = below(1e6);
      const length = below(20) === 0 ? below(200_000) : below(9000);
      fill(store.put(key, facts({ data: seed }), below(2) ? length : -1), bodyOf(seed, length));
    }
    if (content !== undefined) {
      hits++;
      check(content, 'while it is pinned');
      if (below(50) === 0) store.refresh(content, content.facts, store.moment());
      content.release();
    }
    if (below(200) === 0) store.delete(key);
    if (below(500) === 0) store.purge({ by: 'all' }, false);
  }
  return { wrong, hits };
}

/** Pins contents, begins one, and never ends. */
function hold(): unknown {
  for (let at = 0; at < count; at++) fill(store.put(`held ${at}`, facts({ data: at }), 50_000), bodyOf(at, 50_000));
  const held = Array.from({ length: count }, (_, at) => store.get(`held ${at}`)).filter(Boolean).length;
  store.put('begun', facts(), 100_000);
  return held;
}

parentPort?.postMessage({ hammer, hold }[does]());
// Until it is terminated.
setInterval(() => {}, 1000);
