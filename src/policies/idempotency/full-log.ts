/** Logs that there is no room for keys, not once for each request. */
import type { PolicyHost } from '../contract.js';

/** Milliseconds between two log lines, in each worker and policy. */
const LOG_EVERY = 60_000;

export class FullLog {
  readonly #host: Pick<PolicyHost, 'name' | 'clock' | 'logger'>;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(host: Pick<PolicyHost, 'name' | 'clock' | 'logger'>) {
    this.#host = host;
  }

  /** A request was refused. */
  note(): void {
    const now = this.#host.clock.monotonic();
    this.#unlogged++;
    if (now - this.#loggedAt < LOG_EVERY) return;
    const { name, logger } = this.#host;
    logger.warn('no room for idempotency keys, requests refused', { policy: name, refused: this.#unlogged });
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}
