/** A content in memory, as one worker reads it. */
import type { Json } from '../../../bundle/types.js';
import type { Content, ContentFacts } from '../types.js';

/** What a worker knows of a content, as long as its word of state is the same. */
export interface KnownContent<Data> {
  readonly entry: number;
  readonly word: number;
  readonly born: number;
  readonly facts: ContentFacts<Data>;
  readonly parts: readonly Buffer[];
  readonly length: number;
}

interface Pins {
  unpin(entry: number): void;
}

export class MemoryContent<Data = Json> implements Content<Data> {
  readonly key: string;
  readonly known: KnownContent<Data>;
  readonly soft: boolean;
  #store: Pins | undefined;

  constructor(key: string, known: KnownContent<Data>, soft: boolean, store: Pins) {
    this.key = key;
    this.known = known;
    this.soft = soft;
    this.#store = store;
  }

  get facts(): ContentFacts<Data> {
    return this.known.facts;
  }

  get parts(): readonly Buffer[] {
    return this.known.parts;
  }

  get length(): number {
    return this.known.length;
  }

  release(): void {
    const store = this.#store;
    this.#store = undefined;
    store?.unpin(this.known.entry);
  }
}
