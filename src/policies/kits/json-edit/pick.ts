/** `pick`: what the paths lead to, in its containers. */
import { type JsonValue, putMember } from '../json-text/index.js';
import { HOLE, indexOf, isList, isTable, type Table } from './draft.js';
import { ALL_ITEMS, ALL_MEMBERS, type PathStep } from './path.js';

type Container = Table | JsonValue[];

export function pick(value: JsonValue, paths: readonly (readonly PathStep[])[]): JsonValue {
  if (!isTable(value) && !isList(value)) return null;
  const picking = new Picking();
  const result = picking.container(value);
  for (const steps of paths) picking.add(result, value, steps, 0);
  picking.finish();
  return result;
}

/** Several paths add to the same containers. */
class Picking {
  /** Containers of the result. They belong to a place, because the value may contain one object in several places. */
  readonly #made = new Set<JsonValue>();

  /** One for this container of the value. Items that are not picked are holes at first. */
  container(original: Container): Container {
    const made: Container = isList(original) ? new Array<JsonValue>(original.length).fill(HOLE) : {};
    this.#made.add(made);
    return made;
  }

  add(to: Container, from: Container, steps: readonly PathStep[], at: number): void {
    const step = steps[at]!;
    if (isList(from)) {
      if (isList(to)) this.#addItems(to, from, steps, at);
    } else if (!isList(to)) {
      const one = typeof step === 'string' && Object.hasOwn(from, step) ? [step] : [];
      for (const key of step === ALL_MEMBERS ? Object.keys(from) : one) {
        const found = this.#child(Object.hasOwn(to, key) ? to[key] : undefined, from[key]!, steps, at);
        if (found !== undefined) putMember(to, key, found);
      }
    }
  }

  #addItems(to: JsonValue[], from: JsonValue[], steps: readonly PathStep[], at: number): void {
    const step = steps[at]!;
    const one = typeof step === 'number' ? indexOf(from, step) : -1;
    const [start, end] = step === ALL_ITEMS ? [0, from.length] : one < 0 ? [0, 0] : [one, one + 1];
    for (let index = start; index < end; index++) {
      const found = this.#child(to[index] === HOLE ? undefined : to[index], from[index]!, steps, at);
      if (found !== undefined) to[index] = found;
    }
  }

  /** What stands for the child after this path; `before` is what stands for it already. */
  #child(
    before: JsonValue | undefined,
    from: JsonValue,
    steps: readonly PathStep[],
    at: number,
  ): JsonValue | undefined {
    if (at === steps.length - 1 || before === from) return from;
    if (!isTable(from) && !isList(from)) return before;
    const known = before !== undefined && this.#made.has(before) && (isTable(before) || isList(before));
    const container = known ? before : this.container(from);
    this.add(container, from, steps, at + 1);
    return container;
  }

  finish(): void {
    for (const list of this.#made) {
      if (!isList(list)) continue;
      let to = 0;
      for (const item of list) if (item !== HOLE) list[to++] = item;
      list.length = to;
    }
  }
}
