/** The outcomes of a gateway as one worker uses them: in memory, and on disk if gw has a folder. */
import type { Clock } from '../clock.js';
import { OutcomeFile } from './file.js';
import { OutcomeTable } from './table.js';
import type { OutcomeSpace, OutcomeStore } from './types.js';

/** Outcomes on disk, as control has opened them. Plain data for a worker thread. */
export interface OutcomesOnDisk {
  /** Of a table with the records of the file. */
  readonly memory: SharedArrayBuffer;
  readonly path: string;
  /** Why they cannot be used. */
  readonly fault?: string;
}

export class GatewayOutcomes implements OutcomeSpace {
  readonly #memory: OutcomeTable;
  readonly #worker: number;
  readonly #clock: Clock;
  readonly #offline: boolean;
  #disk: { readonly table: OutcomeTable; readonly file: OutcomeFile } | undefined;

  /** `offline`: nothing survives the run, so memory is used in place of a disk. */
  constructor(memory: SharedArrayBuffer, worker: number, clock: Clock, { offline = false } = {}) {
    this.#memory = new OutcomeTable(memory, worker, () => clock.monotonic());
    this.#worker = worker;
    this.#clock = clock;
    this.#offline = offline;
  }

  /**
   * Opens the file, for the rest of the process. Without effect if it is open, or none is given. @throws Error if it cannot be used
   */
  use(disk: OutcomesOnDisk | undefined): void {
    if (disk === undefined) return;
    if (disk.fault !== undefined) throw new Error(disk.fault);
    if (this.#disk !== undefined) return;
    const table = new OutcomeTable(disk.memory, this.#worker, () => this.#clock.monotonic());
    table.forget(this.#worker);
    const file = new OutcomeFile(disk.path);
    table.writeTo(file, this.#clock);
    this.#disk = { table, file };
  }

  store(identity: string): OutcomeStore {
    return this.#memory.store(identity);
  }

  diskStore(identity: string): OutcomeStore {
    if (this.#disk !== undefined) return this.#disk.table.store(identity);
    if (this.#offline) return this.#memory.store(identity);
    throw new Error('there is no folder for what is kept on disk: set `path` of `[state]`');
  }

  close(): void {
    this.#disk?.file.close();
    this.#disk = undefined;
  }
}
