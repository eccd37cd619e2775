/**
 * Deletes and purges of workers that have ended before a store has applied them: as long as they wait, no content that they could be about
 * is used. A store that runs has got what such a worker has sent, and forgets the rest. Without one, nothing of it is known any more but
 * its slots: then the next store begins empty.
 */
import type { MessagePort } from 'node:worker_threads';
import { Unapplied } from '../../state/content/disk/memory.js';
import type { StoreCall } from '../../state/content/disk/protocol.js';

export class Orphans {
  /** By worker that runs. */
  readonly #workers = new Map<number, Unapplied>();
  /** Of workers that have ended while a store may still apply them. */
  readonly #left = new Set<Unapplied>();
  readonly #lost = new Unapplied();

  add(worker: number, unapplied: SharedArrayBuffer): void {
    this.#workers.set(worker, new Unapplied(unapplied));
  }

  /** A worker has ended. */
  leave(worker: number): void {
    for (const unapplied of this.#left) if (!unapplied.some) this.#left.delete(unapplied);
    const unapplied = this.#workers.get(worker);
    if (unapplied?.some === true) this.#left.add(unapplied);
    this.#workers.delete(worker);
  }

  /** The store has ended, so that it applies nothing more. */
  storeEnded(): void {
    for (const unapplied of this.#left) for (const [slot, times] of unapplied.take()) this.#lost.add(slot, times);
    this.#left.clear();
  }

  /** A store is open: it is emptied if something is lost, but for what stays until it expires. */
  clear(connect: (take: (port: MessagePort) => void) => void): void {
    this.storeEnded();
    if (!this.#lost.some) return;
    const unapplied = this.#lost.buffer;
    connect((port) => {
      const post = (call: StoreCall): void => port.postMessage(call);
      port.on('message', () => port.close());
      port.unref();
      post({ op: 'hello', unapplied });
      post({ op: 'clear', id: 1, kept: false });
    });
  }
}
