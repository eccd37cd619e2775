/** A change of the files of consumers alone: the generation stays, and only the consumers that differ are sent to the workers. */
import { hasErrors } from '../../schema/diagnostic.js';
import type { ConsumerStore } from '../../spec/stored/store.js';
import { ConsumerConflict } from '../../state/consumers/build.js';
import type { ConsumerChanges } from '../../state/consumers/set.js';
import type { ReloadChange } from '../../telemetry/changes.js';
import { controlError, startOf } from '../codes.js';
import { notePatterns, readStored, type StoredAttempt } from '../consumers/stored.js';
import type { GatewayConsumers } from '../consumers.js';
import { Reads } from '../watch/reads.js';
import type { SpecWatcher } from '../watch/watcher.js';
import { type Candidate, reject, reportOf } from './candidate.js';
import { changesOfNames, summarizeNames } from './diff.js';
import type { RefreshTrigger, Rejected, SwapResult } from './reloader.js';
import { nameOfSource, type Source } from './source.js';

export interface RefreshParts {
  readonly source: Source;
  readonly env: { readonly [name: string]: string | undefined };
  readonly store: ConsumerStore;
  readonly consumers: GatewayConsumers;
  /** Of the files of consumers; undefined: nothing is watched. */
  readonly watcher: SpecWatcher | undefined;
}

/** The consumers that a change adds, changes and removes. */
export function namesOf({ set, removed }: ConsumerChanges, consumers: GatewayConsumers) {
  const names = set.map(({ name }) => name);
  const known = (name: string): boolean => consumers.current.byName(name) !== undefined;
  return {
    added: names.filter((name) => !known(name)).sort(),
    changed: names.filter(known).sort(),
    removed: [...removed].sort(),
  };
}

export type Refreshed = Omit<SwapResult, 'drain'>;

export class ConsumerRefresh {
  readonly #parts: RefreshParts;
  /** Diagnostics of the last refresh if it was rejected. */
  #rejected: string | undefined;

  constructor(parts: RefreshParts) {
    this.#parts = parts;
  }

  /** `live`: what serves. Undefined: nothing has changed. Throws Rejected; the consumers are as before then. */
  async run(
    live: { readonly candidate: Candidate; readonly id: number },
    trigger: RefreshTrigger,
  ): Promise<Refreshed | undefined> {
    const { source, env, store, consumers, watcher } = this.#parts;
    const { candidate, id } = live;
    const reads = new Reads();
    const around = { program: candidate.program, root: candidate.root, env, reads, secrets: candidate.secrets };
    notePatterns(around);
    const attempt = readStored(around, store, candidate.files, nameOfSource(source));
    const watched = trigger === 'consumers-watch';
    const complete = watcher?.update(reads, !watched) ?? true;
    if (watched && !complete) return undefined;
    const { stored } = attempt;
    if (!stored || hasErrors(attempt.diagnostics)) return this.#refuse(attempt, watched);
    const { change } = stored;
    if (change.set.length + change.removed.length === 0) {
      const same = this.#rejected === undefined;
      this.#rejected = undefined;
      stored.commit();
      if (same) return undefined;
    } else if (watched && change.removed.length > 0 && watcher?.insist() === false) {
      // A file with fewer consumers may be half written: wait until it has been quiet for longer.
      return undefined;
    }
    const names = namesOf(change, consumers);
    try {
      await consumers.change(change);
    } catch (error) {
      if (!(error instanceof ConsumerConflict)) throw error;
      const span = attempt.consumers.placeOf(error.consumer) ?? startOf(nameOfSource(source));
      const diagnostics = [controlError('gateway/load', span, `The consumers cannot be loaded: ${error.message}`)];
      return this.#refuse({ ...attempt, diagnostics }, watched);
    }
    stored.commit();
    this.#rejected = undefined;
    const changes: readonly ReloadChange[] = changesOfNames('consumer', names);
    return {
      generation: id,
      summary: summarizeNames('consumer', names),
      changes,
      ...reportOf(attempt.diagnostics, attempt.files),
    };
  }

  #refuse({ diagnostics, files }: StoredAttempt, watched: boolean): undefined {
    const rejected: Rejected = reject(diagnostics, files);
    const text = rejected.rejection.diagnostics;
    // A broken file that was only touched: already reported.
    if (watched && this.#rejected === text) return undefined;
    this.#rejected = text;
    throw rejected;
  }
}
