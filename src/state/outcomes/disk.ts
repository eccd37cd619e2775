/** Opens the outcomes on disk for a gateway: control does it once, before a worker uses them. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf } from '../../reason.js';
import { systemClock } from '../clock.js';
import { FolderLock, OWNER_RENEW_MS } from '../folder-lock.js';
import { openOutcomeFile } from './file.js';
import type { OutcomesOnDisk } from './gateway.js';
import { OutcomeTable } from './table.js';

export class OutcomeDisk {
  readonly #folder: string;
  readonly #lock: FolderLock;
  #renewal: NodeJS.Timeout | undefined;
  readonly outcomes: OutcomesOnDisk;

  /** `folder`: created if it is not there. Never throws: the outcomes say what is wrong. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = new FolderLock(resolve(folder), randomUUID());
    const memory = OutcomeTable.allocate();
    const path = join(resolve(folder), 'outcomes');
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const by = this.#lock.claim();
      if (by !== undefined) throw new Error(`${by} uses it`);
      const { slots } = new OutcomeTable(memory, 0, systemClock.monotonic);
      const stored = openOutcomeFile(path, slots);
      try {
        OutcomeTable.restore(memory, stored, systemClock);
      } finally {
        stored.close();
      }
      this.outcomes = { memory, path };
      this.#renewal = setInterval(() => this.renew(), OWNER_RENEW_MS).unref();
    } catch (error) {
      this.#release();
      const fault = `the folder \`${folder}\` of \`[state]\` cannot be used: ${messageOf(error)}`;
      this.outcomes = { memory, path, fault };
    }
  }

  /** The outcomes for a spec with this folder: another one than at the start needs a restart. */
  for(folder: string): OutcomesOnDisk {
    if (resolve(folder) === resolve(this.#folder)) return this.outcomes;
    return { ...this.outcomes, fault: 'another `path` of `[state]` needs a restart of the gateway' };
  }

  /** The outcome of what an ended worker did is unknown. */
  forget(worker: number): void {
    new OutcomeTable(this.outcomes.memory, 0, systemClock.monotonic).forget(worker);
  }

  /** Says that this gateway still has the folder. If another one has taken it, or that cannot be known, nothing is claimed. */
  renew(): void {
    let mine = false;
    try {
      mine = this.#lock.renew();
    } catch {
      // The next time may be better; callers get the reason why nothing is claimed.
    }
    OutcomeTable.suspend(this.outcomes.memory, !mine);
  }

  close(): void {
    clearInterval(this.#renewal);
    this.#release();
  }

  /** Never throws: a folder that cannot be read now is free when its process has ended. */
  #release(): void {
    try {
      this.#lock.release();
    } catch {
      // As above.
    }
  }
}
