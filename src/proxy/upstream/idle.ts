/** A target's idle connections, the one that was used last at the end. */
import type { UpstreamConnection } from './connection.js';

export class IdleConnections {
  readonly #list: UpstreamConnection[] = [];

  get length(): number {
    return this.#list.length;
  }

  push(connection: UpstreamConnection): void {
    this.#list.push(connection);
  }

  /** The one that was used last, of those that are still of use. */
  take(): UpstreamConnection | undefined {
    for (let idle = this.#list.pop(); idle !== undefined; idle = this.#list.pop()) {
      if (idle.usable) return idle;
      idle.abandon();
    }
    return undefined;
  }

  /** Closes so many, those first that have been idle longest. */
  close(count = this.#list.length): void {
    for (const connection of this.#list.slice(0, count)) connection.abandon();
  }

  /** It is gone. */
  delete(connection: UpstreamConnection): void {
    const at = this.#list.indexOf(connection);
    if (at >= 0) this.#list.splice(at, 1);
  }
}
