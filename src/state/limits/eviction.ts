/**
 * Which key makes room when a group of slots is full of live ones. The rules, in this order:
 *
 * 1. The limit that holds most slots of the group gives one, the new key's own limit where it is among those: many keys of
 *    one limit make room for each other, and for the few of another, never the other way round.
 * 2. Of its keys, the one that is least full. An exhausted key is the last to go, since to forget it lets a caller in.
 * 3. An exhausted key of another limit stays while that limit holds no more than half of the group: then the new key takes
 *    the place of another one of its own limit, or of the least full of all.
 */
import { type LimitViews, SLOT_FLOATS, Slot, WAYS } from './layout.js';

/** What rounding may add up to while a slot drains, in requests. */
export const SLACK = 1e-6;

/** Slots of a group that a limit may fill with exhausted keys which no other limit's key replaces. */
const SHARE = WAYS / 2;

/** What is still used at `nowMs` of what was used at `at`. */
export function drain(used: number, at: number, capacity: number, periodMs: number, nowMs: number): number {
  const elapsed = nowMs - at;
  if (elapsed <= 0) return used;
  return Math.max(0, used - (elapsed * capacity) / periodMs);
}

/** A slot of the group that is empty, or whose key is drained: to replace it loses nothing. -1 where there is none. */
export function spareSlot({ tags, numbers }: LimitViews, first: number, nowMs: number): number {
  let drained = -1;
  for (let slot = first; slot < first + WAYS; slot++) {
    if (tags[slot * 2] === 0 && tags[slot * 2 + 1] === 0) return slot;
    if (drained < 0 && fullnessOf(numbers, slot, nowMs) === 0) drained = slot;
  }
  return drained;
}

/** The slot of a full group that a new key of this limit takes. */
export function victimOf(views: LimitViews, first: number, low: number, high: number, nowMs: number): number {
  const { owners, numbers } = views;
  let giver = -1;
  let most = 0;
  for (let slot = first; slot < first + WAYS; slot++) {
    const own = owners[slot * 2] === low && owners[slot * 2 + 1] === high;
    const held = heldBy(owners, first, owners[slot * 2]!, owners[slot * 2 + 1]!);
    if (held < most || (held === most && !own)) continue;
    most = held;
    giver = slot;
  }
  const fromGiver = leastFull(views, first, giver, nowMs);
  const given = owners[giver * 2] === low && owners[giver * 2 + 1] === high;
  if (given || most > SHARE || !isExhausted(numbers, fromGiver, nowMs)) return fromGiver;
  for (let slot = first; slot < first + WAYS; slot++) {
    if (owners[slot * 2] === low && owners[slot * 2 + 1] === high) return leastFull(views, first, slot, nowMs);
  }
  return leastFull(views, first, -1, nowMs);
}

/** Slots of the group that a limit holds. */
function heldBy(owners: LimitViews['owners'], first: number, low: number, high: number): number {
  let held = 0;
  for (let slot = first; slot < first + WAYS; slot++) {
    if (owners[slot * 2] === low && owners[slot * 2 + 1] === high) held++;
  }
  return held;
}

/** The least full key of the group among those of the limit that holds `of`; of all where that is -1. */
function leastFull({ owners, numbers }: LimitViews, first: number, of: number, nowMs: number): number {
  let chosen = first;
  let least = Number.POSITIVE_INFINITY;
  for (let slot = first; slot < first + WAYS; slot++) {
    if (of >= 0 && (owners[slot * 2] !== owners[of * 2] || owners[slot * 2 + 1] !== owners[of * 2 + 1])) continue;
    const full = fullnessOf(numbers, slot, nowMs);
    if (full >= least) continue;
    least = full;
    chosen = slot;
  }
  return chosen;
}

/** The used part of a key's capacity, 0 to 1. */
function fullnessOf(numbers: LimitViews['numbers'], slot: number, nowMs: number): number {
  const capacity = numbers[slot * SLOT_FLOATS + Slot.Capacity]!;
  return capacity > 0 ? usedOf(numbers, slot, nowMs) / capacity : 0;
}

function isExhausted(numbers: LimitViews['numbers'], slot: number, nowMs: number): boolean {
  const capacity = numbers[slot * SLOT_FLOATS + Slot.Capacity]!;
  return usedOf(numbers, slot, nowMs) + 1 > capacity + SLACK;
}

function usedOf(numbers: LimitViews['numbers'], slot: number, nowMs: number): number {
  const base = slot * SLOT_FLOATS;
  const [used, at] = [numbers[base + Slot.Used]!, numbers[base + Slot.At]!];
  return drain(used, at, numbers[base + Slot.Capacity]!, numbers[base + Slot.PeriodMs]!, nowMs);
}
