/**
 * A worker thread of keep-alive clients that send requests without a pause until a message comes: `{url, keys}`, the number of keys.
 * Answers with a LoadTally.
 */
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';

export interface LoadTask {
  readonly url: string;
  /** `line 0` to `line N` are keys of different consumers. */
  readonly keys: number;
}

export interface LoadTally {
  readonly requests: number;
  /** Replies other than 200, and requests without one. */
  readonly wrong: number;
  /** Milliseconds. */
  readonly p99: number;
  readonly slowest: number;
}

const CLIENTS = 16;

const { url, keys } = workerData as LoadTask;
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
const times: number[] = [];
let wrong = 0;
let at = 0;
let stopping = false;

/** The status; 0 if there was no reply. */
function ask(key: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { agent, headers: { 'x-api-key': key } }, (reply) => {
      reply.resume();
      reply.on('end', () => resolve(reply.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end();
  });
}

async function client(): Promise<void> {
  while (!stopping) {
    // Far apart in the table, so that most lookups find nothing in the processor's caches.
    at = (at + 7919) % keys;
    const began = performance.now();
    if ((await ask(`line ${at}`)) !== 200) wrong++;
    times.push(performance.now() - began);
  }
}

const clients = Promise.all(Array.from({ length: CLIENTS }, client));
parentPort?.once('message', async () => {
  stopping = true;
  await clients;
  agent.destroy();
  times.sort((a, b) => a - b);
  const tally: LoadTally = {
    requests: times.length,
    wrong,
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    slowest: times.at(-1) ?? 0,
  };
  parentPort?.postMessage(tally);
});
