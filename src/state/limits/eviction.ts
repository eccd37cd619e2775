/**
 * Chooses the key to evict when a group is full of live keys. The rules, in order:
 *
 * 1. Evict from the limit with most slots in the group, from the new key's own limit if it is one of those: a limit with many
 *    keys evicts its own, and never those of a limit with few.
 * 2. Of its keys, evict the least full one. An exhausted key is the last, because evicting it lets a caller in.
 * 3. Keep an exhausted key of another limit while that limit has at most half of the group: then evict another key of the new
 *    key's own limit, or the least full of all.
 */
import { type LimitViews, SLOT_FLOATS, Slot, WAYS } from './layout.js';

/** Maximum rounding error while a slot drains, in requests. */
export const SLACK = 1e-6;

/** Slots of a group with exhausted keys of one limit that keys of other limits cannot evict. */
const SHARE = WAYS / 2;

/** The part of `used` at `at` that is still used at `nowMs`. */
export function drain(used: number, at: number, capacity: number, periodMs: number, nowMs: number): number {
  const elapsed = nowMs - at;
  if (elapsed <= 0) return used;
  return Math.max(0, used - (elapsed * capacity) / periodMs);
}

/** An empty or drained slot of the group, which can be replaced without loss; -1 if there is none. */
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

/** The least full key of the group among those of the limit of slot `of`; of all if it is -1. */
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
