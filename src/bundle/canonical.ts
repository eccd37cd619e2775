/** Canonical JSON: object keys sorted by code units, no spaces, nothing undefined. */

/**
 * Canonical JSON of plain data. Values that JSON cannot express (undefined, functions) are left out of objects and
 * are null in arrays, as JSON.stringify does.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? 'null';
}

/** The value itself if its keys are sorted, else a copy with sorted keys. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return sortedItems(value);
  const source = value as { readonly [key: string]: unknown };
  let copy: [string, unknown][] | undefined;
  let last: string | undefined;
  // Loops over keys without building a list: most objects are sorted already.
  for (const key in source) {
    const item = source[key];
    const kept = sorted(item);
    if (copy === undefined && (kept !== item || (last !== undefined && key < last))) copy = before(source, key);
    copy?.push([key, kept]);
    last = key;
  }
  if (copy === undefined) return value;
  // fromEntries defines own properties, so a key such as __proto__ stays data.
  return Object.fromEntries(copy.sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}

function before(source: { readonly [key: string]: unknown }, end: string): [string, unknown][] {
  const entries = Object.entries(source);
  return entries.slice(
    0,
    entries.findIndex(([key]) => key === end),
  );
}

function sortedItems(items: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const kept = sorted(items[i]);
    if (copy === undefined && kept !== items[i]) copy = items.slice(0, i);
    copy?.push(kept);
  }
  return copy ?? items;
}
