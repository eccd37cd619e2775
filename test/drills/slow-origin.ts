/** A target in its own thread: it accepts connections independently of the clients. */
import { parentPort } from 'node:worker_threads';
import { startOrigin } from './slow-crowd.js';

const { port } = await startOrigin();
parentPort?.postMessage(port);
