/** Maps names to slots. Removed names keep their slot for a while, so that an undone edit finds its counts again. */
export type SlotKind = 'route' | 'target' | 'listener';

interface Held {
  readonly slot: number;
  /** Time of the last assignment with this name; milliseconds. */
  usedAt: number;
}

/** Milliseconds. */
const KEEP_GONE = 15 * 60_000;
/** Minimum number of removed names to keep. */
const KEEP_NAMES = 1024;

export class SlotNames {
  readonly #held = new Map<string, Held>();
  readonly #nameOf: (string | undefined)[] = [];
  #free: number[] = [];

  /** Slots ever in use: 0 to size - 1. */
  get size(): number {
    return this.#nameOf.length;
  }

  get(name: string): number | undefined {
    return this.#held.get(name)?.slot;
  }

  nameOf(slot: number): string | undefined {
    return this.#nameOf[slot];
  }

  /** The name's slot; a new name gets a free one. */
  hold(name: string, nowMs: number): number {
    const held = this.#held.get(name);
    if (held) {
      held.usedAt = nowMs;
      return held.slot;
    }
    const slot = this.#free.pop() ?? this.#nameOf.length;
    this.#nameOf[slot] = name;
    this.#held.set(name, { slot, usedAt: nowMs });
    return slot;
  }

  /**
   * Frees the slots of names that were removed long ago, or of the oldest if there are too many. `idle`: no worker uses the
   * slot any more. Returns the slots, to be cleared before their next use.
   */
  release(nowMs: number, idle: (slot: number) => boolean): number[] {
    const gone = [...this.#held].filter(([, held]) => held.usedAt !== nowMs);
    const keep = Math.max(KEEP_NAMES, this.#held.size - gone.length);
    gone.sort(([, a], [, b]) => b.usedAt - a.usedAt);
    const freed: number[] = [];
    gone.forEach(([name, held], index) => {
      if ((index < keep && nowMs - held.usedAt < KEEP_GONE) || !idle(held.slot)) return;
      this.#held.delete(name);
      this.#nameOf[held.slot] = undefined;
      freed.push(held.slot);
    });
    this.#free = [...this.#free, ...freed];
    return freed;
  }

  /** Every name of a kind with its slot, including removed names that are kept. */
  *entries(kind: SlotKind): IterableIterator<readonly [name: string, slot: number]> {
    const prefix = `${kind}:`;
    for (const [name, { slot }] of this.#held) if (name.startsWith(prefix)) yield [name.slice(prefix.length), slot];
  }
}
