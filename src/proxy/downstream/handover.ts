/**
 * A port that passes from listeners that leave to a new one: from `127.0.0.1:8080` to `0.0.0.0:8080`, say. The system lets
 * neither be bound while the other listens, so the old ones close their sockets just before, and bind again when the
 * load comes to nothing. Connections stay with the listener that they came by.
 */
import { errnoCode, reasonOf } from '../../reason.js';
import type { Listener, ListenManner } from './listener.js';

/** Looks in a row without a new connection, after which the kernel's queue counts as empty, and looks in all. */
const QUIET_LOOKS = 5;
const MOST_LOOKS = 300;
/** Milliseconds between two attempts to bind an address anew. */
const RETRY_EVERY = 50;

type Tell = (message: string, fields: { readonly address: string; readonly cause: string }) => void;

export class Handover {
  readonly #manner: ListenManner;
  readonly #log: Tell;
  readonly #given: Listener[] = [];

  /** `log` gets a line when an address that was given up cannot be bound again at once. */
  constructor(manner: ListenManner, log: Tell) {
    this.#manner = manner;
    this.#log = log;
  }

  /** Binds `fresh`, where `leaving` may be in the way. Rejects when the address cannot be had; takeBack() is then due. */
  async bind(fresh: Listener, leaving: readonly Listener[]): Promise<void> {
    try {
      await fresh.listen(this.#manner);
    } catch (error) {
      const inTheWay = leaving.filter((listener) => listener.port === fresh.port && listener.listening);
      // With shared ports it is another process that is in the way.
      if (errnoCode(error) !== 'EADDRINUSE' || inTheWay.length === 0 || this.#manner.sharePort) throw error;
      await lastCall(inTheWay);
      for (const listener of inTheWay) listener.release();
      this.#given.push(...inTheWay);
      await fresh.listen(this.#manner);
    }
  }

  /** The load failed: the listener that gave a port up serves there again. The one that took it must have stopped. */
  async takeBack(): Promise<void> {
    await Promise.all(this.#given.splice(0).map((listener) => this.#rebind(listener)));
  }

  async #rebind(listener: Listener): Promise<void> {
    try {
      await listener.listen(this.#manner);
    } catch (error) {
      this.#log('listener address taken by another process; bound again when free', {
        address: listener.address,
        cause: reasonOf(error),
      });
      this.#retry(listener);
    }
  }

  #retry(listener: Listener): void {
    setTimeout(() => {
      if (!listener.closing) listener.listen(this.#manner).catch(() => this.#retry(listener));
    }, RETRY_EVERY).unref();
  }
}

/** Resolves when no connection waits to be accepted, as far as that can be seen: the kernel resets those in its queue. */
export async function lastCall(listeners: readonly Listener[]): Promise<void> {
  const count = (): number => listeners.reduce((sum, listener) => sum + listener.accepted, 0);
  let before = count();
  for (let quiet = 0, looks = 0; quiet < QUIET_LOOKS && looks < MOST_LOOKS; looks++) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = count();
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}
