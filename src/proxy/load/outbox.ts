/**
 * Small writes, made in a row. One behind another costs the system less than one between two reads: the code that makes it
 * is still in the processor's caches, and whoever waits at the other end is woken once for several. So while much is going
 * on what the reads of a turn of the event loop bring is written a few at a time, and the rest at the turn's end.
 */

/** As many as are gathered: more gain nothing, and would have the first wait for the last. */
const MOST = 16;
/** Writes a turn, on the average, below which gathering them costs more than it saves. */
const WORTH = 3;
/** The weight of one turn in that average. */
const WEIGHT = 1 / 16;
/** Writes from one sweep to the next from which on it is worth finding out. */
const BUSY = 200;

/** Has something to write. */
export interface Late {
  /** Writes it, if it is not written yet and there is still somebody to write it to. Does not throw. */
  writeNow(): void;
}

export class Outbox {
  readonly #waiting: Late[] = [];
  #due = false;
  #writing = false;
  #gathers = true;
  /** Of this turn, while they are gathered; else since the last sweep. */
  #writes = 0;
  #average = MOST;

  /** `late` writes within this turn of the event loop: now, or with others. What it must not do is to wait for that. */
  add(late: Late): void {
    this.#writes++;
    if (!this.#gathers) {
      late.writeNow();
      return;
    }
    this.#waiting.push(late);
    if (this.#waiting.length >= MOST && !this.#writing) this.#write();
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

  /** Behind all reads of the turn. */
  readonly #endTurn = (): void => {
    this.#due = false;
    this.#write();
    this.#average += (this.#writes - this.#average) * WEIGHT;
    this.#writes = 0;
    if (this.#average < WORTH) this.#gathers = false;
  };

  /** Called a few times a second: whether there is so much to write that it may be worth gathering. */
  sweep(): void {
    if (this.#gathers) return;
    if (this.#writes >= BUSY) {
      this.#gathers = true;
      this.#average = MOST;
    }
    this.#writes = 0;
  }
}
