/** A worker thread with injected faults. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from '../../src/compiler/index.js';
import { GatewayStats } from '../../src/control/gateway-stats.js';
import { WorkerSupervisor } from '../../src/control/workers/supervisor.js';
import { checkSpec } from '../../src/lint/index.js';
import { systemClock } from '../../src/state/clock.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { allocateState, forgetWorker, type StateMemory } from '../../src/state/memory.js';
import { KeptLog, temporaryFolder } from './control-kit.js';

const module = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;

/**
 * The entry of a thread that runs gw's worker with injected faults. `bugs`: JavaScript source of a list of functions;
 * command() calls one of them. They can use the worker's `log`, and node:net as `net`.
 */
export function buggyWorker(bugs: string): URL {
  const path = join(temporaryFolder(), 'buggy.mjs');
  writeFileSync(
    path,
    `
    import * as net from 'node:net';
    import { parentPort, workerData } from 'node:worker_threads';
    import { serveCalls } from '${module('control/workers/calls.js')}';
    import { DataPlane } from '${module('proxy/data-plane.js')}';
    let log;
    serveCalls(parentPort, (events) => {
      log = events.log;
      return new DataPlane(workerData.options, events);
    });
    const flag = new Int32Array(workerData.options.flag);
    const bugs = [() => {}, ...${bugs}];
    setInterval(() => bugs[Atomics.exchange(flag, 0, 0)](), 5);
  `,
  );
  return pathToFileURL(path);
}

export interface BuggyHost {
  readonly host: WorkerSupervisor;
  readonly log: KeptLog;
  readonly stats: GatewayStats;
  readonly url: string;
  /** Of the state of the policies. */
  readonly identities: readonly string[];
  /** Calls the fault with this number, from 1. */
  command(number: number): void;
}

/** Serves a spec with such a worker. `state`: memory that it shares with others, and its number among them. */
export async function hostBuggyWorker(
  entry: URL,
  spec: string,
  { memory, worker }: { memory: StateMemory; worker: number } = { memory: allocateState({ workers: 1 }), worker: 0 },
): Promise<BuggyHost> {
  const { value: model } = checkSpec({ path: '/spec/gateway.toml', text: spec });
  if (!model) throw new Error('the spec is right');
  const { program, sha256, trie } = compile(model, { shared: true }).bundle;
  const stats = new GatewayStats(systemClock);
  const log = new KeptLog();
  const flag = new SharedArrayBuffer(4);
  const options = { limits: LimitTable.allocate(), accessLog: null, flag, state: memory, worker };
  const host = new WorkerSupervisor({
    entry,
    options,
    died: () => {
      forgetWorker(memory, worker);
      return stats.forgetWorker(0);
    },
    events: { requests: () => {}, log: (level, message, fields) => log.write(level, message, fields) },
  });
  const shared = trie instanceof SharedArrayBuffer ? trie : new SharedArrayBuffer(0);
  const [bound] = await host.prepare({ id: 1, sha256, program, trie: shared, stats: stats.slotsFor(program) });
  host.commit();
  const command = (number: number): void => void Atomics.store(new Int32Array(flag), 0, number);
  const identities = program.policies.map(({ identity, stateIdentity }) => stateIdentity ?? identity);
  return { host, log, stats, url: `http://${bound?.address}`, identities, command };
}
