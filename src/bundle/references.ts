/** Finds references in a bundle, and replaces them when a generation is loaded. */
import { type Reference, splitReferences } from '../reference-syntax.js';

/**
 * `value` with every `{ $ref: text }` replaced by the text with resolved references: parts without one are the same
 * objects. A text may contain several references and literal parts. `resolve` applies defaults; its errors pass through.
 */
export function resolveReferences<T>(value: T, resolve: (reference: Reference) => string): T;
export function resolveReferences(value: unknown, resolve: (reference: Reference) => string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return resolveList(value, resolve);
  const text = referenceText(value);
  if (text !== undefined) {
    const parts = splitReferences(text);
    return parts.map((part) => (typeof part === 'string' ? part : resolve(part))).join('');
  }
  const table = value as { readonly [key: string]: unknown };
  let copy: Record<string, unknown> | undefined;
  // Loops over keys without building a list: most objects have no references.
  for (const key in table) {
    const resolved = resolveReferences(table[key], resolve);
    if (resolved === table[key]) continue;
    copy ??= { ...table };
    setOwn(copy, key, resolved);
  }
  return copy ?? value;
}

function resolveList(list: readonly unknown[], resolve: (reference: Reference) => string): unknown {
  let copy: unknown[] | undefined;
  for (let at = 0; at < list.length; at++) {
    const resolved = resolveReferences(list[at], resolve);
    if (resolved === list[at]) continue;
    copy ??= [...list];
    copy[at] = resolved;
  }
  return copy ?? list;
}

/** Every reference in `value`, in order, each once. */
export function listReferences(value: unknown): Reference[] {
  const found = new Map<string, Reference>();
  resolveReferences(value, (reference) => {
    found.set(reference.text, reference);
    return '';
  });
  return [...found.values()];
}

/** A text with resolved references. Throws TypeError if it is still a reference. */
export function resolvedText(value: string | { readonly $ref: string }): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`unresolved reference in the program: ${value.$ref}`);
}

function referenceText(value: object): string | undefined {
  if (!('$ref' in value) || typeof value.$ref !== 'string') return undefined;
  return Object.keys(value).length === 1 ? value.$ref : undefined;
}

/** Sets a property; a key such as `__proto__` stays data. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  } else {
    target[key] = value;
  }
}
