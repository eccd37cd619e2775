/**
 * Maps names to slots. A name has its slot while some group has it, and for a while longer, so that an undone edit finds its
 * counts again.
 */
export type SlotKind = 'route' | 'target' | 'listener' | 'service';

interface Held {
  readonly slot: number;
  /** Groups that have the name. */
  groups: number;
  /** Time at which the last group dropped it; milliseconds. */
  goneAt: number;
}

/** Milliseconds. */
const KEEP_GONE = 15 * 60_000;
/** Milliseconds in which a worker may still begin to use a slot whose name is gone, since it does not know that yet. */
const LEAST_GONE = 60_000;
/** Minimum number of removed names to keep. */
const KEEP_NAMES = 1024;

export class SlotNames {
  readonly #held = new Map<string, Held>();
  readonly #groups = new Map<string, readonly string[]>();
  /** Names without a group, the one that is gone for longest first. */
  readonly #gone = new Set<string>();
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

  /** Replaces the names of a group. Their slots, in order; a new name gets a free one. */
  assign(group: string, names: readonly string[], nowMs: number): number[] {
    const before = this.#groups.get(group) ?? [];
    if (names.length === 0) this.#groups.delete(group);
    else this.#groups.set(group, names);
    const slots = names.map((name) => this.#hold(name));
    for (const name of before) this.#drop(name, nowMs);
    return slots;
  }

  #hold(name: string): number {
    const held = this.#held.get(name);
    if (held) {
      held.groups++;
      this.#gone.delete(name);
      return held.slot;
    }
    const slot = this.#free.pop() ?? this.#nameOf.length;
    this.#nameOf[slot] = name;
    this.#held.set(name, { slot, groups: 1, goneAt: 0 });
    return slot;
  }

  #drop(name: string, nowMs: number): void {
    const held = this.#held.get(name);
    if (held === undefined || --held.groups > 0) return;
    held.goneAt = nowMs;
    this.#gone.add(name);
  }

  /**
   * Frees the slots of names that are gone for long, or for longest if there are too many. `idle`: no worker uses the slot any
   * more. Returns the slots, to be cleared before their next use.
   */
  release(nowMs: number, idle: (slot: number) => boolean): number[] {
    let surplus = this.#gone.size - Math.max(KEEP_NAMES, this.#held.size - this.#gone.size);
    const freed: number[] = [];
    for (const name of this.#gone) {
      const { slot, goneAt } = this.#held.get(name)!;
      const age = nowMs - goneAt;
      if (age < LEAST_GONE || (age < KEEP_GONE && surplus <= 0)) break;
      if (!idle(slot)) continue;
      surplus--;
      this.#held.delete(name);
      this.#gone.delete(name);
      this.#nameOf[slot] = undefined;
      freed.push(slot);
    }
    this.#free = [...this.#free, ...freed];
    return freed;
  }

  /** Every name of a kind with its slot, including removed names that are kept. */
  *entries(kind: SlotKind): IterableIterator<readonly [name: string, slot: number]> {
    const prefix = `${kind}:`;
    for (const [name, { slot }] of this.#held) if (name.startsWith(prefix)) yield [name.slice(prefix.length), slot];
  }
}
