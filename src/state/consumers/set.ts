/** All consumers as control holds them. */
import type { ConsumerEntry, CredentialKind } from '../../bundle/types.js';
import type { FoundCredential } from '../types.js';
import { buildTable, ConsumerConflict, checkedDigest, newSeed, sameCredential, sameTable } from './build.js';
import { ConsumerLayers, type ConsumerMemory } from './layers.js';
import type { Run } from './table.js';
import { WorkCounter } from './work.js';

export interface ConsumerChanges {
  /** Added, or replaced by name. */
  readonly set: readonly ConsumerEntry[];
  /** Names; unknown ones are ignored. */
  readonly removed: readonly string[];
}

/** Changes that are kept above the table, at least, and as a share of it: each change writes all of them again. */
const MIN_CHANGES = 1024;
const CHANGES_SHARE = 1 / 32;

/** The changed consumers by name; null: removed. */
type Changed = ReadonlyMap<string, ConsumerEntry | null>;
const NO_CHANGES: Changed = new Map();

/** Immutable: a change gives another one. */
export class ConsumerSet {
  /** For workers. */
  readonly memory: ConsumerMemory;
  readonly #layers: ConsumerLayers;
  readonly #changed: Changed;

  private constructor(memory: ConsumerMemory, changed: Changed, before?: ConsumerSet) {
    this.memory = memory;
    this.#changed = changed;
    this.#layers = new ConsumerLayers(memory, before === undefined ? undefined : before.#layers);
  }

  /** All consumers anew. Returns `previous` if it has the same content in the same order. Throws ConsumerConflict. */
  static of(entries: readonly ConsumerEntry[], previous?: ConsumerSet): ConsumerSet {
    const base = buildTable({ entries }, previous === undefined ? newSeed() : previous.#layers.base.seed);
    const version = (previous?.version ?? 0) + 1;
    if (previous !== undefined && previous.#changed.size === 0 && sameTable(base, previous.memory.base))
      return previous;
    const counter = new WorkCounter();
    for (const entry of entries) counter.add(entry);
    return new ConsumerSet({ version, size: entries.length, base, ...worksOf(counter) }, NO_CHANGES);
  }

  /** Adds, replaces and removes consumers; its time does not depend on the others. Throws ConsumerConflict. */
  with({ set, removed }: ConsumerChanges): ConsumerSet {
    const { base } = this.#layers;
    const changed = new Map(this.#changed);
    let { size } = this.memory;
    for (const name of new Set(removed)) {
      if (this.byName(name) === undefined || changed.get(name) === null) continue;
      size--;
      if (base.has(name)) changed.set(name, null);
      else changed.delete(name);
    }
    const names = new Set<string>();
    for (const entry of set) {
      if (names.has(entry.name))
        throw new ConsumerConflict(`Two consumers have the name ${entry.name}.`, entry.name, entry.name);
      names.add(entry.name);
      const before = changed.has(entry.name) ? changed.get(entry.name) : base.has(entry.name) ? entry : null;
      if (before === null || before === undefined) size++;
      changed.set(entry.name, entry);
    }
    for (const entry of set) this.#refuseTaken(entry, changed);
    const version = this.version + 1;
    const works = this.#worksWith(set, names, removed);
    const most = Math.max(MIN_CHANGES, base.size * CHANGES_SHARE);
    if (changed.size > most)
      return new ConsumerSet({ version, size, base: this.#merged(changed), ...works }, NO_CHANGES);
    const entries = [...changed.values()].filter((entry) => entry !== null);
    const gone = [...changed].filter(([, entry]) => entry === null).map(([name]) => name);
    const changes = buildTable({ entries, removed: gone }, base.seed);
    return new ConsumerSet({ version, size, base: base.buffer, changes, ...works }, changed, this);
  }

  #worksWith(set: readonly ConsumerEntry[], names: ReadonlySet<string>, removed: readonly string[]): Works {
    const counter = new WorkCounter(this.memory.works);
    for (const name of new Set([...removed, ...names])) {
      const before = this.byName(name);
      if (before !== undefined) counter.remove(before);
    }
    for (const entry of set) counter.add(entry);
    return worksOf(counter);
  }

  /** Credentials of consumers that stay as they are cannot become those of another one. */
  #refuseTaken(entry: ConsumerEntry, changed: Changed): void {
    for (const credential of entry.credentials) {
      const owner = this.#layers.base.byDigest(credential.kind, checkedDigest(credential, entry.name))?.consumer.name;
      if (owner === undefined || owner === entry.name || changed.has(owner)) continue;
      throw sameCredential(owner, entry.name, credential);
    }
  }

  /** One table of all consumers, with those of the base that have not changed as they are. */
  #merged(changed: Changed): SharedArrayBuffer {
    const { base } = this.#layers;
    const replaced = [...changed.keys()].map((name) => base.recordOf(name)).filter((record) => record >= 0);
    const runs: Run[] = [];
    let from = 0;
    for (const record of [...replaced.sort((a, b) => a - b), base.size]) {
      if (record > from) runs.push(base.run(from, record));
      from = record + 1;
    }
    const entries = [...changed.values()].filter((entry) => entry !== null);
    return buildTable({ entries, kept: { table: base, runs } }, base.seed);
  }

  get size(): number {
    return this.memory.size;
  }

  get version(): number {
    return this.memory.version;
  }

  byName(name: string): ConsumerEntry | undefined {
    return this.#layers.byName(name);
  }

  byKey(digest: string): FoundCredential | undefined {
    return this.#layers.byDigest('key', digest);
  }

  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined {
    return this.#layers.byCredential(kind, id);
  }

  /** All consumers. Each is decoded: for lists, not for requests. */
  *[Symbol.iterator](): IterableIterator<ConsumerEntry> {
    const { base } = this.#layers;
    for (let record = 0; record < base.size; record++) {
      const entry = this.#changed.size > 0 && this.#changed.has(base.nameOf(record)) ? undefined : base.entryOf(record);
      if (entry !== undefined) yield entry;
    }
    for (const entry of this.#changed.values()) if (entry !== null) yield entry;
  }
}

type Works = Pick<ConsumerMemory, 'works'>;

function worksOf(counter: WorkCounter): Works {
  const works = counter.works();
  return works === undefined ? {} : { works };
}
