/** A read of the store before it takes effect. */
import type { ConsumerEntry, CredentialKind, RefString } from '../../bundle/types.js';
import type { FileChange, ReadConsumers, StoreChange } from './change.js';

/** The text that identifies a credential among those of its kind. */
export const idOf = (id: RefString): string => (typeof id === 'string' ? id : id.$ref);

/** What took effect before. */
export class Known {
  readonly entries = new Map<string, ConsumerEntry>();
  /** The absolute path of the file of each. */
  readonly files = new Map<string, string>();
  /** The name of the consumer of each credential, by kind and id. */
  readonly owners = new Map<CredentialKind, Map<string, string>>();
  /** The plans that consumers have or had. */
  readonly plans = new Set<string>();

  remove(name: string): void {
    for (const { kind, id } of this.entries.get(name)?.credentials ?? []) {
      const owners = this.owners.get(kind);
      if (owners?.get(idOf(id)) === name) owners.delete(idOf(id));
    }
    this.entries.delete(name);
    this.files.delete(name);
  }

  add(entry: ConsumerEntry, absolute: string): void {
    const { name, plan, credentials } = entry;
    this.entries.set(name, entry);
    this.files.set(name, absolute);
    if (plan !== undefined) this.plans.add(plan);
    for (const { kind, id } of credentials) {
      let owners = this.owners.get(kind);
      if (!owners) {
        owners = new Map();
        this.owners.set(kind, owners);
      }
      owners.set(idOf(id), name);
    }
  }
}

/** An entry and the file that declares it. */
interface Added {
  readonly entry: ConsumerEntry;
  readonly absolute: string;
}

/** The consumers as they will be: those that are known, without the removed ones, and the added ones. */
export class Draft {
  readonly added = new Map<string, Added>();
  /** Further declarations of names that are there already. */
  readonly twice: { readonly name: string; readonly file: ReadConsumers }[] = [];
  readonly #removed = new Set<string>();
  #committed = false;
  readonly #known: Known;
  readonly #files: ReadonlyMap<string, ReadConsumers>;

  /** `files`: as they are now, by absolute path. */
  constructor(known: Known, files: ReadonlyMap<string, ReadConsumers>, changes: readonly FileChange[]) {
    this.#known = known;
    this.#files = files;
    for (const { removed } of changes) for (const name of removed) this.#removed.add(name);
    for (const { file, added } of changes) {
      for (const entry of added) {
        const { name } = entry;
        if (this.added.has(name) || this.kept(name)) this.twice.push({ name, file });
        else this.added.set(name, { entry, absolute: file.absolute });
      }
    }
  }

  /** A consumer that was there before and stays. */
  kept(name: string): ConsumerEntry | undefined {
    return this.#removed.has(name) ? undefined : this.#known.entries.get(name);
  }

  get(name: string): ConsumerEntry | undefined {
    return this.added.get(name)?.entry ?? this.kept(name);
  }

  fileOf(name: string): ReadConsumers | undefined {
    const absolute =
      this.added.get(name)?.absolute ?? (this.#removed.has(name) ? undefined : this.#known.files.get(name));
    return absolute === undefined ? undefined : this.#files.get(absolute);
  }

  /** The kept consumer with a credential. */
  keptOwner(kind: CredentialKind, id: string): string | undefined {
    const owner = this.#known.owners.get(kind)?.get(id);
    return owner === undefined || this.#removed.has(owner) ? undefined : owner;
  }

  /** Consumers with a plan for which `wrong` holds. */
  *withPlan(wrong: (plan: string) => boolean): Iterable<ConsumerEntry> {
    for (const { entry } of this.added.values()) if (entry.plan !== undefined && wrong(entry.plan)) yield entry;
    const missing = new Set([...this.#known.plans].filter(wrong));
    if (missing.size === 0) return;
    for (const [name, entry] of this.#known.entries) {
      if (entry.plan !== undefined && missing.has(entry.plan) && !this.#removed.has(name)) yield entry;
    }
  }

  get size(): number {
    let gone = 0;
    for (const name of this.#removed) if (this.#known.entries.has(name)) gone++;
    return this.#known.entries.size - gone + this.added.size;
  }

  *entries(): Iterable<ConsumerEntry> {
    for (const [name, entry] of this.#known.entries) if (!this.#removed.has(name)) yield entry;
    for (const { entry } of this.added.values()) yield entry;
  }

  get change(): StoreChange {
    const set: ConsumerEntry[] = [];
    for (const { entry } of this.added.values()) {
      const before = this.#known.entries.get(entry.name);
      if (before === undefined || JSON.stringify(before) !== JSON.stringify(entry)) set.push(entry);
    }
    const removed = [...this.#removed].filter((name) => !this.added.has(name) && this.#known.entries.has(name));
    return { set, removed };
  }

  get committed(): boolean {
    return this.#committed;
  }

  commit(): void {
    this.#committed = true;
    for (const name of this.#removed) this.#known.remove(name);
    for (const { entry, absolute } of this.added.values()) this.#known.add(entry, absolute);
    this.#removed.clear();
    this.added.clear();
  }
}
