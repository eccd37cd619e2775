/** Replaces the keys of session tickets in time, in memory that all workers read. */
import { TICKET_PERIOD_MS, TicketKeys } from '../state/ticket-keys.js';
import type { After } from '../state/timers.js';

export class TicketRotation {
  readonly memory = TicketKeys.allocate();
  readonly #keys = new TicketKeys(this.memory);
  readonly #after: After;
  #cancel: () => void;

  constructor(after: After) {
    this.#after = after;
    this.#cancel = this.#begin();
  }

  #begin(): () => void {
    return this.#after(TICKET_PERIOD_MS, () => {
      this.#keys.rotate();
      this.#cancel = this.#begin();
    });
  }

  close(): void {
    this.#cancel();
  }
}
