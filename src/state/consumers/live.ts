/** The consumers of the live generation: what policies hold, while reloads replace the table. */
import type { ConsumerEntry, CredentialKind } from '../../bundle/types.js';
import type { ConsumerLookup, FoundCredential } from '../types.js';
import { buildConsumers } from './build.js';
import { ConsumerTable } from './table.js';

export class LiveConsumers implements ConsumerLookup {
  #table = new ConsumerTable(buildConsumers([]));
  #version = 0;

  /** A generation with this table goes live. */
  use(table: ConsumerTable): void {
    if (table.id === this.#table.id) return;
    this.#table = table;
    this.#version++;
  }

  get size(): number {
    return this.#table.size;
  }

  get version(): number {
    return this.#version;
  }

  byName(name: string): ConsumerEntry | undefined {
    return this.#table.byName(name);
  }

  byKey(digest: string): FoundCredential | undefined {
    return this.#table.byKey(digest);
  }

  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined {
    return this.#table.byCredential(kind, id);
  }
}
