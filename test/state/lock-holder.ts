/** A thread in place of many that win a lock one after another: the other half of threads.test.ts. */
import { workerData } from 'node:worker_threads';

const { memory, holdMs, forMs } = workerData as { memory: SharedArrayBuffer; holdMs: number; forMs: number };
const words = new Int32Array(memory);
let ticket = 1000;
Atomics.store(words, 0, ticket << 1);
Atomics.store(words, 1, 1);
Atomics.notify(words, 1);
for (const end = performance.now() + forMs; performance.now() < end; ) {
  for (const until = performance.now() + holdMs; performance.now() < until; );
  // Released and acquired by the next one, in one step.
  Atomics.store(words, 0, ++ticket << 1);
}
Atomics.store(words, 0, 0);
