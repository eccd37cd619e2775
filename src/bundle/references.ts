/** Finds references in a bundle, and replaces them when a generation is loaded. */
import { type Reference, splitReferences } from '../reference-syntax.js';

/**
 * A deep copy of `value` in which every `{ $ref: text }` is replaced by the text with resolved references. A text may
 * contain several references and literal parts. `resolve` applies defaults; its errors pass through.
 */
export function resolveReferences<T>(value: T, resolve: (reference: Reference) => string): T;
export function resolveReferences(value: unknown, resolve: (reference: Reference) => string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => resolveReferences(item, resolve));
  const text = referenceText(value);
  if (text !== undefined) {
    const parts = splitReferences(text);
    return parts.map((part) => (typeof part === 'string' ? part : resolve(part))).join('');
  }
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(copy, key, resolveReferences(item, resolve));
  return copy;
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
