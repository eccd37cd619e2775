/** All consumers of a gateway: those of the live program, and those that are stored outside of it. */
import type { ConsumerEntry } from '../bundle/types.js';
import { ConsumerConflict } from '../state/consumers/build.js';
import type { ConsumerMemory } from '../state/consumers/layers.js';
import { type ConsumerChanges, ConsumerSet } from '../state/consumers/set.js';

/** Loads and changes run one after the other, so that none undoes another. */
export class GatewayConsumers {
  readonly #use: (memory: ConsumerMemory) => Promise<void>;
  #current = ConsumerSet.of([]);
  /** Those of the live program. */
  #declared: readonly ConsumerEntry[] = [];
  #declaredNames: ReadonlySet<string> = new Set();
  /** Those outside of it, by name. */
  readonly #stored = new Map<string, ConsumerEntry>();
  #loaded = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** `use`: sends them to the data plane. */
  constructor(use: (memory: ConsumerMemory) => Promise<void>) {
    this.#use = use;
  }

  /** What the data plane uses. */
  get current(): ConsumerSet {
    return this.#current;
  }

  /**
   * Runs a load with the consumers of its program and the stored ones, after `change` of these. Throws ConsumerConflict before
   * `work` begins; if `work` fails, nothing has changed.
   */
  load<T>(
    declared: readonly ConsumerEntry[],
    work: (memory: ConsumerMemory) => Promise<T>,
    change: ConsumerChanges = { set: [], removed: [] },
  ): Promise<T> {
    return this.#inTurn(async () => {
      const same = this.#loaded && sameItems(this.#declared, declared);
      const quiet = change.set.length + change.removed.length === 0;
      const next = !same ? this.#whole(declared, change) : quiet ? this.#current : this.#current.with(change);
      const result = await work(next.memory);
      for (const name of change.removed) this.#stored.delete(name);
      for (const entry of change.set) this.#stored.set(entry.name, entry);
      this.#current = next;
      this.#declared = declared;
      if (!same) this.#declaredNames = new Set(declared.map(({ name }) => name));
      this.#loaded = true;
      return result;
    });
  }

  #whole(declared: readonly ConsumerEntry[], { set, removed }: ConsumerChanges): ConsumerSet {
    const stored = new Map(this.#stored);
    for (const name of removed) stored.delete(name);
    for (const entry of set) stored.set(entry.name, entry);
    return ConsumerSet.of(stored.size === 0 ? declared : [...declared, ...stored.values()], this.#current);
  }

  /**
   * Changes stored consumers. Resolves when all workers use them. Throws ConsumerConflict without a change. Before the first
   * load it only prepares them.
   */
  change({ set, removed }: ConsumerChanges): Promise<ConsumerSet> {
    return this.#inTurn(async () => {
      for (const { name } of set)
        if (this.#declaredNames.has(name))
          throw new ConsumerConflict(`The spec declares a consumer ${name} too.`, name, name);
      const known = removed.filter((name) => this.#stored.has(name));
      const next = this.#current.with({ set, removed: known });
      for (const name of known) this.#stored.delete(name);
      for (const entry of set) this.#stored.set(entry.name, entry);
      this.#current = next;
      if (this.#loaded) await this.#use(next.memory);
      return next;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

const sameItems = <T>(one: readonly T[], other: readonly T[]): boolean =>
  one === other || (one.length === other.length && one.every((item, at) => item === other[at]));
