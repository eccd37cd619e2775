/** A target in a thread of its own: it takes connections whatever its clients do meanwhile. */
import { parentPort } from 'node:worker_threads';
import { startOrigin } from './slow-crowd.js';

const { port } = await startOrigin();
parentPort?.postMessage(port);
