/** Entry point of a data-plane worker thread. It loads the data plane, but not the compiler. */
import { parentPort, workerData } from 'node:worker_threads';
import { DataPlane } from '../../proxy/data-plane.js';
import type { WorkerApi } from '../../proxy/types.js';
import { serveCalls } from './calls.js';
import type { WorkerSetup } from './protocol.js';

if (!parentPort) throw new Error('worker.js runs as a worker thread only.');
const { options }: WorkerSetup = workerData;
serveCalls(parentPort, (events): WorkerApi => new DataPlane(options, events));
