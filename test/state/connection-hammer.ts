/** A worker that opens and closes connections as fast as it can: the other half of connection-table.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { ConnectionTable } from '../../src/state/connection-table.js';
import { seeded } from '../support/random.js';

export interface ConnectionHammerTask {
  readonly memory: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  readonly worker: number;
  readonly rounds: number;
  readonly max: number;
  readonly maxOfAddress: number;
  readonly addresses: readonly string[];
}

export interface ConnectionHammerResult {
  /** The most that it ever saw open, in all workers. */
  readonly most: number;
  /** What it left open, by address. */
  readonly open: { readonly [address: string]: number };
  readonly refused: number;
}

const task = workerData as ConnectionHammerTask;
const table = new ConnectionTable(task.memory, task.worker);
const random = seeded(task.worker + 1);
const below = (bound: number): number => Math.floor(random() * bound);
const open: Record<string, number> = {};
const places: { readonly address: string; readonly place: number }[] = [];
let most = 0;
let refused = 0;
// All threads start at one moment, so that they do get in each other's way.
Atomics.wait(new Int32Array(task.gate), 0, 0);
for (let round = 0; round < task.rounds; round++) {
  if (places.length > 0 && random() < 0.45) {
    const [left] = places.splice(below(places.length), 1);
    table.leave('main', left!.place);
    open[left!.address]!--;
    continue;
  }
  const address = task.addresses[below(task.addresses.length)]!;
  const place = table.enter('main', address, task.max, task.maxOfAddress);
  if (place < 0) refused++;
  else {
    places.push({ address, place });
    open[address] = (open[address] ?? 0) + 1;
  }
  if (round % 16 === 0) most = Math.max(most, table.total('main'));
}
parentPort?.postMessage({ most, open, refused } satisfies ConnectionHammerResult);
