/** A thread that looks consumers up while tables are replaced: the other half of consumers.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ConsumerMemory } from '../../../src/state/consumers/layers.js';
import { LiveConsumers } from '../../../src/state/consumers/live.js';

const consumers = new LiveConsumers();
consumers.use(workerData as ConsumerMemory);
const strange: unknown[] = [];
let looks = 0;
let done = false;

parentPort?.on('message', (memory: ConsumerMemory | 'end') => {
  if (memory !== 'end') return consumers.use(memory);
  done = true;
  parentPort?.postMessage({ looks, strange, version: consumers.version });
  parentPort?.close();
});

/** Every entry of one lookup is from one table: the plan is the table's number. */
function look(): void {
  const plan = consumers.byName('c0')?.plan;
  for (let at = 0; at < 50; at++) {
    const entry = consumers.byName(`c${at}`);
    if (entry?.plan !== plan || entry?.tags['n'] !== String(at)) strange.push(entry);
    looks++;
  }
  if (!done) setImmediate(look);
}
look();
