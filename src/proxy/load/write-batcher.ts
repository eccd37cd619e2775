/**
 * Batches small writes. Several writes in a row cost the system less than writes between reads: the code is still in the
 * processor's caches, and the process at the other end wakes once for several. So under load, the writes that the reads of a
 * turn of the event loop cause are made a few at a time, and the rest at the end of the turn.
 */

/** Batch size. Larger batches gain nothing, and the first write would wait for the last. */
const BATCH = 16;
/** Average writes per turn below which batching costs more than it saves. */
const WORTH = 3;
/** Weight of one turn in that average. */
const WEIGHT = 1 / 16;
/** Unbatched writes between two sweeps above which batching is tried again. */
const BUSY = 200;

/** Something with a pending write. */
export interface BatchedWriter {
  /** Makes the pending write, unless it has been made or the socket is gone. Must not throw. */
  writeNow(): void;
}

export class WriteBatcher {
  readonly #waiting: BatchedWriter[] = [];
  #due = false;
  #writing = false;
  #batching = true;
  /** Writes of this turn while batching; otherwise writes since the last sweep. */
  #writes = 0;
  #average = BATCH;

  /** Calls `writer.writeNow()` within this turn of the event loop: at once, or in a batch. */
  add(writer: BatchedWriter): void {
    this.#writes++;
    if (!this.#batching) {
      writer.writeNow();
      return;
    }
    this.#waiting.push(writer);
    if (this.#waiting.length >= BATCH && !this.#writing) this.#write();
    if (this.#due) return;
    this.#due = true;
    setImmediate(this.#endTurn);
  }

  #write(): void {
    const waiting = this.#waiting;
    this.#writing = true;
    for (let i = 0; i < waiting.length; i++) waiting[i]!.writeNow();
    this.#writing = false;
    waiting.length = 0;
  }

  /** Runs after all reads of the turn. */
  readonly #endTurn = (): void => {
    this.#due = false;
    this.#write();
    this.#average += (this.#writes - this.#average) * WEIGHT;
    this.#writes = 0;
    if (this.#average < WORTH) this.#batching = false;
  };

  /** Called a few times a second: tries batching again when there are many writes. */
  sweep(): void {
    if (this.#batching) return;
    if (this.#writes >= BUSY) {
      this.#batching = true;
      this.#average = BATCH;
    }
    this.#writes = 0;
  }
}
