/**
 * Conflicts and shadows between routes. Nearly linear in the number of routes: routes are compared only within groups
 * in which precedence can be equal.
 */
import type { Model } from '../../spec/model.js';
import { type Conflict, conflictsIn } from './conflicts.js';
import { groupsOf } from './entries.js';
import { type Shadow, shadowsIn } from './shadows.js';

export type { Conflict, Shadow };

export interface Overlaps {
  readonly conflicts: readonly Conflict[];
  readonly shadows: readonly Shadow[];
}

const known = new WeakMap<Model, Overlaps>();

export function overlapsOf(model: Model): Overlaps {
  let overlaps = known.get(model);
  if (!overlaps) {
    const groups = groupsOf(model);
    overlaps = { conflicts: conflictsIn(groups.values()), shadows: shadowsIn(groups) };
    known.set(model, overlaps);
  }
  return overlaps;
}
