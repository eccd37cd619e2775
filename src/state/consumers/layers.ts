/** A table of all consumers, and one above it with what has changed since. */
import type { ConsumerEntry, CredentialKind } from '../../bundle/types.js';
import type { CredentialWorks, FoundCredential } from '../types.js';
import { digestOf } from './layout.js';
import { ConsumerTable } from './table.js';

/** All consumers, as control sends them to workers. Plain data. A higher version replaces a lower one. */
export interface ConsumerMemory {
  /** Increases with each change. */
  readonly version: number;
  /** Number of consumers. */
  readonly size: number;
  readonly base: SharedArrayBuffer;
  /** Consumers that replace those of `base`, and names of removed ones. Absent: none. */
  readonly changes?: SharedArrayBuffer;
  /** What checks of credentials take. Absent: nothing. */
  readonly works?: CredentialWorks;
}

export class ConsumerLayers {
  readonly size: number;
  readonly base: ConsumerTable;
  readonly changes: ConsumerTable | undefined;

  /** `before`: its tables are taken over if they have the same memory. Throws TypeError for other memory. */
  constructor({ size, base, changes }: ConsumerMemory, before?: ConsumerLayers) {
    this.size = size;
    const opened = new ConsumerTable(base);
    this.base = before?.base.id === opened.id ? before.base : opened;
    this.changes = changes === undefined ? undefined : new ConsumerTable(changes);
  }

  byName(name: string): ConsumerEntry | undefined {
    const changed = this.changes?.byName(name);
    return (changed === undefined ? this.base.byName(name) : changed) ?? undefined;
  }

  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined {
    const digest = digestOf(kind, id);
    return digest === undefined ? undefined : this.byDigest(kind, digest);
  }

  byDigest(kind: CredentialKind, digest: string): FoundCredential | undefined {
    const { base, changes } = this;
    if (changes === undefined) return base.byDigest(kind, digest);
    const changed = changes.byDigest(kind, digest);
    if (changed !== undefined) return changed;
    const found = base.byDigest(kind, digest);
    // The consumer has changed, and has lost the credential.
    return found !== undefined && changes.has(found.consumer.name) ? undefined : found;
  }
}
