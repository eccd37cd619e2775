/**
 * The secrets that keys of TLS session tickets are derived from, in shared memory: control replaces them in time, and every
 * worker reads them, so that a session which began with one worker resumes with another.
 *
 * Of three slots, one holds the secret of the present epoch and one that of the epoch before. The third is written before the
 * epoch changes, so a reader needs no lock.
 */
import { randomFillSync } from 'node:crypto';

/** Milliseconds after which control replaces the secret. */
export const TICKET_PERIOD_MS = 6 * 3_600_000;
/** Seconds for which a session can be resumed. At most one period: the key of its ticket is still known then. */
export const TICKET_LIFETIME_S = TICKET_PERIOD_MS / 1000;

const SECRET_BYTES = 32;
const SLOTS = 3;
const EPOCH_BYTES = 4;
const FIRST_EPOCH = 1;

export class TicketKeys {
  readonly #memory: SharedArrayBuffer;
  readonly #epoch: Int32Array;

  /** Default: secrets of its own. */
  constructor(memory: SharedArrayBuffer = TicketKeys.allocate()) {
    this.#memory = memory;
    this.#epoch = new Int32Array(memory, 0, 1);
  }

  /** Memory with a first secret. */
  static allocate(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(EPOCH_BYTES + SLOTS * SECRET_BYTES);
    new TicketKeys(memory).rotate();
    return memory;
  }

  /** Increases with each new secret. */
  get epoch(): number {
    return Atomics.load(this.#epoch, 0);
  }

  /** Replaces the secret. Only one thread may call it. */
  rotate(): void {
    const next = this.epoch + 1;
    const fresh = randomFillSync(Buffer.alloc(SECRET_BYTES));
    this.#slot(next).set(fresh);
    fresh.fill(0);
    Atomics.store(this.#epoch, 0, next);
  }

  /** The secret of an epoch; undefined unless it is the present one or that before. */
  secret(epoch: number): Buffer | undefined {
    const copy = Buffer.from(this.#slot(epoch));
    // Read after the copy: its slot is written again only when the epoch after the next one begins.
    const present = this.epoch;
    return epoch >= FIRST_EPOCH && epoch <= present && epoch >= present - 1 ? copy : undefined;
  }

  #slot(epoch: number): Uint8Array {
    return new Uint8Array(this.#memory, EPOCH_BYTES + (Math.max(epoch, 0) % SLOTS) * SECRET_BYTES, SECRET_BYTES);
  }
}
