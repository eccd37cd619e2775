/**
 * Hands a port over from leaving listeners to a new one, for example from `127.0.0.1:8080` to `0.0.0.0:8080`. The system does
 * not permit both at once, so the old listeners close their sockets just before, and bind again if the load fails.
 * Connections stay with their listener; those that come during the change wait for its end.
 */
import { errnoCode, reasonOf } from '../../reason.js';
import { lastCall } from './last-call.js';
import type { BindOptions, Listener } from './listener.js';

/** Milliseconds between two attempts to bind an address again. */
const RETRY_EVERY = 50;

type Warn = (message: string, fields: { readonly address: string; readonly cause: string }) => void;

export class Handover {
  readonly #options: BindOptions;
  readonly #log: Warn;
  readonly #released: Listener[] = [];

  /** `log` gets a line if a released address cannot be bound again at once. */
  constructor(options: BindOptions, log: Warn) {
    this.#options = options;
    this.#log = log;
  }

  /** Binds `fresh`, although `leaving` may use its port. Rejects if the address cannot be bound; then call takeBack(). */
  async bind(fresh: Listener, leaving: readonly Listener[]): Promise<void> {
    try {
      await fresh.listen(this.#options);
    } catch (error) {
      const inTheWay = leaving.filter(
        ({ address, port, listening }) => listening && port === fresh.port && (port > 0 || address === fresh.address),
      );
      // With shared ports, another process uses the port.
      if (errnoCode(error) !== 'EADDRINUSE' || inTheWay.length === 0 || this.#options.sharePort) throw error;
      for (const listener of inTheWay) listener.hold();
      await lastCall(inTheWay);
      for (const listener of inTheWay) listener.release();
      this.#released.push(...inTheWay);
      await fresh.listen(this.#options);
    }
  }

  /** The load failed: binds released addresses again. The new listener must have stopped. */
  async takeBack(): Promise<void> {
    await Promise.all(this.#released.splice(0).map((listener) => this.#rebind(listener)));
  }

  async #rebind(listener: Listener): Promise<void> {
    listener.open();
    try {
      await listener.listen(this.#options);
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
      if (!listener.closing) listener.listen(this.#options).catch(() => this.#retry(listener));
    }, RETRY_EVERY).unref();
  }
}
