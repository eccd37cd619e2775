/**
 * Bounds the payload of a connection that has come and that no target has taken. nghttp2 lets each stream fill its window; so the
 * socket is not read any more while the streams together hold too much. RST_STREAM and WINDOW_UPDATE wait behind it, too: the time
 * limits of the exchanges end that.
 */
import type { BodyBudget } from '../../load/body-buffer.js';

/** Bytes of a connection at which reading stops; it goes on at half of it. */
const MOST = 1024 * 1024;
/** Bytes after which they are counted. */
const COUNT_EVERY = 128 * 1024;

export interface Holders {
  /** Payload of all streams that is not taken. */
  readonly unread: number;
  /** Whether the socket is read. */
  hold(held: boolean): void;
}

export class UnreadPayload {
  held = false;
  readonly #holders: Holders;
  readonly #budget: BodyBudget;
  /** Payload since the last count. */
  #arrived = 0;
  /** Bytes that are counted in the budget. */
  #reserved = 0;

  constructor(holders: Holders, budget: BodyBudget) {
    this.#holders = holders;
    this.#budget = budget;
  }

  arrived(length: number): void {
    this.#arrived += length;
  }

  /** After a read. */
  check(): void {
    if (this.#arrived >= COUNT_EVERY) this.count();
  }

  /** Streams have taken payload, or are closed. */
  taken(): void {
    if (this.held) this.count();
  }

  count(): void {
    this.#arrived = 0;
    const { unread } = this.#holders;
    const fits = this.#reserve(unread);
    const held = !fits || unread >= MOST || (this.held && unread >= MOST / 2);
    if (held === this.held) return;
    this.held = held;
    this.#holders.hold(held);
  }

  #reserve(bytes: number): boolean {
    this.#budget.unreserve(this.#reserved);
    this.#reserved = this.#budget.reserve(bytes) ? bytes : 0;
    // A small connection goes on when others have used up the memory: the only way to end its streams.
    return this.#reserved === bytes || bytes < COUNT_EVERY;
  }

  release(): void {
    this.#reserve(0);
  }
}
