/** `${env:NAME}` and `${file:path}` in a bundle: found, and replaced where a generation is loaded. */

export type ReferenceKind = 'env' | 'file';

const REFERENCE = /\$\{(env|file):([^}]*)\}/g;

/**
 * A deep copy of `value` in which every `{ $ref: text }` is the text with its references replaced. A text may hold
 * several references and literal parts. What `resolve` throws passes through: the caller knows what it means.
 */
export function resolveReferences<T>(value: T, resolve: (kind: ReferenceKind, name: string) => string): T;
export function resolveReferences(value: unknown, resolve: (kind: ReferenceKind, name: string) => string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => resolveReferences(item, resolve));
  const text = referenceText(value);
  if (text !== undefined) {
    return text.replace(REFERENCE, (_whole, kind: ReferenceKind, name: string) => resolve(kind, name));
  }
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(copy, key, resolveReferences(item, resolve));
  return copy;
}

/** Every reference in `value`, in order, once each: what a generation needs from its surroundings. */
export function listReferences(value: unknown): { kind: ReferenceKind; name: string }[] {
  const found = new Map<string, { kind: ReferenceKind; name: string }>();
  resolveReferences(value, (kind, name) => {
    found.set(`${kind}:${name}`, { kind, name });
    return '';
  });
  return [...found.values()];
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
