/** Entry point of the thread that samples the steps of an inline data plane. */
import { parentPort, workerData } from 'node:worker_threads';
import { SAMPLE_MS, StepSampler } from './step-sampler.js';

if (!parentPort) throw new Error('step-thread.js runs as a worker thread only.');
const control = parentPort;
const memory = workerData as SharedArrayBuffer;
const sampler = new StepSampler(
  memory,
  () => performance.now(),
  (slow) => control.postMessage(slow),
);
setInterval(() => sampler.sample(), SAMPLE_MS);
