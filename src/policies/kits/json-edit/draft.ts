/** Changes to JSON by copy on write: what a path does not touch is shared with the original. */
import { isLongNumber, type JsonValue } from '../json-text/index.js';

export type Table = { [key: string]: JsonValue };

export const isTable = (value: JsonValue | undefined): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLongNumber(value);

export const isList = (value: JsonValue | undefined): value is JsonValue[] => Array.isArray(value);

/** Stands for a removed item until all paths are applied, so that numbers of items mean those of the original. */
export const HOLE = Symbol('hole') as unknown as JsonValue;

/** One application of an edit. */
export class Draft {
  readonly #owned = new Set<object>();
  readonly #holed = new Set<JsonValue[]>();

  /** The table or list itself if this draft made it, else a copy. */
  own<T extends Table | JsonValue[]>(value: T): T {
    if (this.#owned.has(value)) return value;
    const copy = (isList(value) ? [...(value as JsonValue[])] : { ...value }) as T;
    this.#owned.add(copy);
    return copy;
  }

  /** `list`: an own one. */
  remove(list: JsonValue[], at: number): void {
    list[at] = HOLE;
    this.#holed.add(list);
  }

  /** Takes the holes out. */
  finish(): void {
    for (const list of this.#holed) {
      let to = 0;
      for (const item of list) if (item !== HOLE) list[to++] = item;
      list.length = to;
    }
  }
}

/** Index of an item; -1 if there is none. A negative number counts from the end. */
export function indexOf(list: readonly JsonValue[], number: number): number {
  const at = number < 0 ? list.length + number : number;
  return at >= 0 && at < list.length ? at : -1;
}
