/**
 * The contents of a gateway as one worker uses them. Their memory may come later: with the first generation, which says its size, or
 * with the first store, if the worker is alone.
 */

import type { Json } from '../../../bundle/types.js';
import type { ContentOptions, ContentSpace, ContentStore } from '../types.js';
import { MemoryContents } from './index.js';

export interface GatewayContentsOptions {
  /** Of memory of its own, if it is given none. Default: 64 MiB. */
  readonly bytes?: number;
  /** Contents stay until they expire; without room, new ones are refused. */
  readonly keeps?: boolean;
}

export class GatewayContents implements ContentSpace {
  readonly #worker: number;
  readonly #now: () => number;
  readonly #options: GatewayContentsOptions;
  #memory: MemoryContents | undefined;

  /** `worker`: its number, from 0. `now`: milliseconds since 1970. */
  constructor(worker: number, now: () => number, options: GatewayContentsOptions = {}) {
    this.#worker = worker;
    this.#now = now;
    this.#options = options;
  }

  /**
   * The memory, for the rest of the process: what a dead worker with this number held there is released. Without effect if
   * there is one already, or none is given. @throws TypeError for memory that is not of contents
   */
  use(memory: SharedArrayBuffer | undefined): void {
    if (memory !== undefined) this.#memory ??= this.#open(memory);
  }

  store<Data = Json>(identity: string, options: ContentOptions): ContentStore<Data> {
    this.#memory ??= this.#open(MemoryContents.allocate({ ...this.#options, workers: this.#worker + 1 }));
    return this.#memory.store(identity, options);
  }

  #open(memory: SharedArrayBuffer): MemoryContents {
    const contents = new MemoryContents(memory, this.#now, this.#worker, this.#options);
    contents.forget(this.#worker);
    return contents;
  }
}
