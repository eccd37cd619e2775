/** Opens the outcomes on disk for a gateway: control does it once, before a worker uses them. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../clock.js';
import { FolderLock } from '../folder-lock.js';
import { openOutcomeFile } from './file.js';
import type { OutcomesOnDisk } from './gateway.js';
import { OutcomeTable } from './table.js';

export class OutcomeDisk {
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly outcomes: OutcomesOnDisk;

  /** `folder`: created if it is not there. Never throws: the outcomes say what is wrong. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = new FolderLock(resolve(folder));
    const memory = OutcomeTable.allocate();
    const path = join(resolve(folder), 'outcomes');
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#lock.take();
      const { slots } = new OutcomeTable(memory, 0, systemClock.monotonic);
      const stored = openOutcomeFile(path, slots);
      try {
        OutcomeTable.restore(memory, stored, systemClock);
      } finally {
        stored.close();
      }
      this.outcomes = { memory, path };
    } catch (error) {
      this.#lock.release();
      const fault = `the folder \`${folder}\` of \`[state]\` cannot be used: ${error instanceof Error ? error.message : String(error)}`;
      this.outcomes = { memory, path, fault };
    }
  }

  /** The outcomes for a spec with this folder: another one than at the start needs a restart. */
  for(folder: string): OutcomesOnDisk {
    if (folder === this.#folder) return this.outcomes;
    return { ...this.outcomes, fault: 'another `path` of `[state]` needs a restart of the gateway' };
  }

  /** The outcome of what an ended worker did is unknown. */
  forget(worker: number): void {
    new OutcomeTable(this.outcomes.memory, 0, systemClock.monotonic).forget(worker);
  }

  close(): void {
    this.#lock.release();
  }
}
