/** The consumers of a program, looked up by name and by the digest of a key. */
import type { ConsumerEntry } from '../bundle/types.js';
import type { ConsumerLookup } from './types.js';

export class ConsumerTable implements ConsumerLookup {
  readonly version: number;
  readonly #byName = new Map<string, ConsumerEntry>();
  readonly #byKey = new Map<string, ConsumerEntry>();

  /** Throws, which rejects the generation, if a key's hash is malformed or two consumers have the same key. */
  constructor(consumers: readonly ConsumerEntry[], version = 0) {
    this.version = version;
    for (const consumer of consumers) {
      this.#byName.set(consumer.name, consumer);
      for (const key of consumer.apiKeys) this.#addKey(consumer, typeof key === 'string' ? key : '');
    }
  }

  #addKey(consumer: ConsumerEntry, key: string): void {
    const digest = /^sha256:([0-9a-f]{64})$/.exec(key)?.[1];
    if (digest === undefined)
      throw new Error(`An API key of consumer ${consumer.name} is not "sha256:" and 64 lower-case hex digits.`);
    const other = this.#byKey.get(digest);
    if (other !== undefined && other !== consumer)
      throw new Error(`Consumers ${other.name} and ${consumer.name} have the same API key.`);
    this.#byKey.set(digest, consumer);
  }

  get size(): number {
    return this.#byName.size;
  }

  byName(name: string): ConsumerEntry | undefined {
    return this.#byName.get(name);
  }

  byKey(digest: string): ConsumerEntry | undefined {
    return this.#byKey.get(digest);
  }
}
