/** What the store of contents on disk and the threads that use it say to each other over a MessagePort. */
import type { ContentFacts, ContentSelector, ListedContent } from '../types.js';

export type StoreCall =
  /** The first one: the deletes and purges of this thread that the store has not applied. */
  | { readonly op: 'hello'; readonly unapplied: SharedArrayBuffer }
  /** The last one: the thread goes on with another port, and sends its deletes and purges there again. */
  | { readonly op: 'bye' }
  | { readonly op: 'get'; readonly id: number; readonly owner: string; readonly key: string }
  | {
      readonly op: 'put';
      readonly id: number;
      readonly owner: string;
      readonly key: string;
      readonly facts: ContentFacts<unknown>;
      /** DiskMemory.stamp() when the content was begun. */
      readonly stamp: number;
      /** Views of shared memory, pinned until the answer. */
      readonly parts: readonly Uint8Array[];
      readonly length: number;
      readonly crc: number;
      /** It is not evicted before its time. */
      readonly keeps: boolean;
    }
  | {
      readonly op: 'refresh';
      readonly id: number;
      readonly owner: string;
      readonly key: string;
      readonly facts: ContentFacts<unknown>;
      /** Those of the old and the new facts, and their stamp. */
      readonly slots: readonly number[];
      readonly stamp: number;
      readonly length: number;
      readonly crc: number;
    }
  | {
      readonly op: 'list';
      readonly id: number;
      readonly owner: string;
      readonly selector: ContentSelector;
      readonly most: number;
    }
  | DiskChange;

/** What must not be lost: it is sent again to a store that starts, until one has applied it. */
export type DiskChange =
  | {
      readonly op: 'delete';
      readonly id: number;
      readonly owner: string;
      readonly key: string;
      /** Its contents stay until they expire. */
      readonly keeps: boolean;
      readonly slot: number;
    }
  | {
      readonly op: 'purge';
      readonly id: number;
      readonly owner: string;
      readonly selector: ContentSelector;
      readonly soft: boolean;
      readonly keeps: boolean;
      readonly slot: number;
    }
  /**
   * Everything of all owners, in place of changes that were too many: all that the thread has begun is applied then. `kept`: also what
   * stays until it expires.
   */
  | { readonly op: 'clear'; readonly id: number; readonly kept: boolean };

export type StoreAnswer =
  | {
      readonly type: 'content';
      readonly id: number;
      readonly facts: ContentFacts<unknown>;
      readonly soft: boolean;
      /** Transferred: a copy of its own. */
      readonly body: Uint8Array<ArrayBuffer>;
    }
  | { readonly type: 'none'; readonly id: number }
  | { readonly type: 'list'; readonly id: number; readonly contents: readonly ListedContent[] }
  /** `count`: contents that a purge has removed or marked. */
  | { readonly type: 'done'; readonly id: number; readonly count: number };

/** How the store thread is started. */
export interface StoreSetup {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly entries: number;
  /** DiskMemory. */
  readonly memory: SharedArrayBuffer;
  /** Of the gateway. */
  readonly token: string;
  /** Those of the live program: contents of others make room, also if they are kept forever. */
  readonly owners: readonly string[];
}

/** From the store thread to control. */
export type StoreReport =
  | { readonly type: 'open'; readonly entries: number; readonly bytes: number }
  /** Another gateway has the folder: it is tried again later. */
  | { readonly type: 'taken'; readonly by: string }
  /** It works: the answer to a ping, and now and then while it reads the whole store. */
  | { readonly type: 'alive' }
  | { readonly type: 'movedAside'; readonly cause: string }
  /** It cannot go on, and ends. */
  | { readonly type: 'failed'; readonly cause: string }
  | { readonly type: 'trouble'; readonly cause: string };

/** From control to the store thread. */
export type StoreOrder =
  | { readonly order: 'connect'; readonly port: import('node:worker_threads').MessagePort }
  | { readonly order: 'owners'; readonly owners: readonly string[] }
  | { readonly order: 'ping' }
  | { readonly order: 'close' };
