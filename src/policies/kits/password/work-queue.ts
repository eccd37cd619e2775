/** Slow work with bounds: on how much runs at once, on how much waits, and on how much of it one origin may have waiting. */

export interface WorkBounds {
  readonly running: number;
  readonly waiting: number;
  /** Waiting or running, for one origin. */
  readonly perOrigin: number;
}

export class WorkQueue {
  readonly #bounds: WorkBounds;
  readonly #waiting: (() => void)[] = [];
  /** Waiting and running, by origin. */
  readonly #byOrigin = new Map<string, number>();
  #running = 0;

  constructor(bounds: WorkBounds) {
    this.#bounds = bounds;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `work` in its turn. Undefined if too much is waiting. */
  run<T>(origin: string, work: () => Promise<T>): Promise<T> | undefined {
    const { running, waiting, perOrigin } = this.#bounds;
    const mine = this.#byOrigin.get(origin) ?? 0;
    if (mine >= perOrigin || (this.#running >= running && this.#waiting.length >= waiting)) return undefined;
    this.#byOrigin.set(origin, mine + 1);
    return this.#inTurn(origin, work);
  }

  async #inTurn<T>(origin: string, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#bounds.running) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const left = this.#byOrigin.get(origin)! - 1;
      if (left === 0) this.#byOrigin.delete(origin);
      else this.#byOrigin.set(origin, left);
      // The place goes to the next in line.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
