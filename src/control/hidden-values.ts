/** Values that an explanation must not contain: it is often pasted somewhere, and in the log of a pipeline. */

/** Shorter values are no secrets, and would be found in unrelated words. */
const SHORTEST = 6;

export class HiddenValues {
  /** By value: what is shown in its place. */
  readonly #shown: ReadonlyMap<string, string>;

  constructor(shown: Iterable<readonly [value: string, shown: string]>) {
    const long = [...shown].filter(([value]) => value.length >= SHORTEST);
    // One value may contain another.
    this.#shown = new Map(long.sort(([a], [b]) => b.length - a.length));
  }

  /** Also without some more values. */
  with(values: readonly (string | undefined)[]): HiddenValues {
    const more = values.flatMap((value) => (value === undefined ? [] : [[value, '(not shown)'] as const]));
    return more.length === 0 ? this : new HiddenValues([...this.#shown, ...more]);
  }

  /** A copy of plain data in which no text contains one of the values. */
  hide<T>(data: T): T {
    if (this.#shown.size === 0) return data;
    if (typeof data === 'string') return this.#text(data) as T;
    if (Array.isArray(data)) return data.map((item: unknown) => this.hide(item)) as T;
    if (typeof data !== 'object' || data === null) return data;
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, this.hide(value)])) as T;
  }

  #text(text: string): string {
    let hidden = text;
    for (const [value, shown] of this.#shown) hidden = hidden.replaceAll(value, () => shown);
    return hidden;
  }
}
