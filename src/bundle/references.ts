/** References in a bundle: found, and replaced where a generation is loaded. */
import { type Reference, splitReferences } from '../reference-syntax.js';

/**
 * A deep copy of `value` in which every `{ $ref: text }` is the text with its references replaced. A text may hold
 * several references and literal parts. Defaults are for `resolve` to apply: it knows what is missing. What it throws
 * passes through: the caller knows what it means.
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

/** Every reference in `value`, in order, once each: what a generation needs from its surroundings. */
export function listReferences(value: unknown): Reference[] {
  const found = new Map<string, Reference>();
  resolveReferences(value, (reference) => {
    found.set(reference.text, reference);
    return '';
  });
  return [...found.values()];
}

/** A text whose references have been resolved. Throws TypeError if it is still a reference. */
export function resolvedText(value: string | { readonly $ref: string }): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`unresolved reference in the program: ${value.$ref}`);
}

function referenceText(value: object): string | undefined {
  if (!('$ref' in value) || typeof value.$ref !== 'string') return undefined;
  return Object.keys(value).length === 1 ? value.$ref : undefined;
}

/** Assignment, also for a key such as `__proto__`, which must stay data. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  } else {
    target[key] = value;
  }
}
