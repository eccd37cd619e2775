/** The consumers as policies look them up, while control replaces their memory. */
import type { ConsumerEntry, CredentialEntry, CredentialKind } from '../../bundle/types.js';
import type { ConsumerLookup, CredentialWork, CredentialWorks, FoundCredential, WorkKind } from '../types.js';
import { ConsumerLayers, type ConsumerMemory } from './layers.js';
import { ConsumerSet } from './set.js';
import { MARK, type Marked } from './table.js';

export class LiveConsumers implements ConsumerLookup {
  #layers: ConsumerLayers;
  #version: number;
  #works: CredentialWorks | undefined;
  /** Another object for each version. */
  #epoch: object = {};

  /** Default: none, to be replaced by any others. */
  constructor(memory: ConsumerMemory = { ...ConsumerSet.of([]).memory, version: 0 }) {
    this.#layers = new ConsumerLayers(memory);
    this.#version = memory.version;
    this.#works = memory.works;
  }

  /** Older memory than that in use is ignored: a change may overtake the load of a generation. */
  use(memory: ConsumerMemory): void {
    if (memory.version <= this.#version) return;
    this.#layers = new ConsumerLayers(memory, this.#layers);
    this.#version = memory.version;
    this.#works = memory.works;
    this.#epoch = {};
  }

  get size(): number {
    return this.#layers.size;
  }

  get version(): number {
    return this.#version;
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

  work(kind: WorkKind): CredentialWork | undefined {
    return this.#works?.[kind];
  }

  /**
   * The entry that has the name of `entry` now; undefined if there is none. Without a change since it was asked last, this
   * costs two comparisons.
   */
  current(entry: ConsumerEntry): ConsumerEntry | undefined {
    const mark = (entry as Marked)[MARK];
    if (mark !== undefined && mark.epoch === this.#epoch) return mark.current;
    const current = this.#layers.byName(entry.name);
    if (mark !== undefined) {
      mark.epoch = this.#epoch;
      mark.current = current;
    }
    return current;
  }
}

/** The credential of a consumer that is `credential`, or has its kind and id; undefined if there is none. */
export function credentialIn(consumer: ConsumerEntry, credential: CredentialEntry): CredentialEntry | undefined {
  const { credentials } = consumer;
  for (let at = 0; at < credentials.length; at++) if (credentials[at] === credential) return credential;
  return credentials.find(({ kind, id }) => kind === credential.kind && id === credential.id);
}
