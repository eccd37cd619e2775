/** A thread that takes from a limit as fast as it can: the other half of threads.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { LimitTable } from '../../src/state/limits/table.js';
import type { LimitRate } from '../../src/state/types.js';

export interface HammerTask {
  readonly memory: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  readonly rate: LimitRate;
  readonly keys: readonly string[];
  readonly takes: number;
  readonly now: number;
}

const task = workerData as HammerTask;
const limiter = new LimitTable(task.memory).limiter('shared');
// All threads start at one moment, so that they do get in each other's way.
Atomics.wait(new Int32Array(task.gate), 0, 0);
let allowed = 0;
for (let at = 0; at < task.takes; at++) {
  if (limiter.take(task.keys[at % task.keys.length]!, task.rate, 1, task.now).allowed) allowed++;
}
parentPort?.postMessage(allowed);
