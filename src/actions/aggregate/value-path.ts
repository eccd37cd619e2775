/**
 * Paths into the results of calls: `calls.product.body.id`, `item.product`. A name in a list is that name in each of its items, and
 * a number is the index of one. Both parts use this file.
 */
import { isLongNumber, type JsonValue } from '../../policies/kits/json-text/index.js';

/** A value of a call, or of the item of a fan-out. */
export type ValueEntry = {
  /** Index of the call; -1 for none. */
  readonly call: number;
  /** What of its reply; `value` for the item, `request` for the body of the request. */
  readonly of: 'body' | 'status' | 'header' | 'value' | 'request';
  /** Members below it; the name of the field for `header`. */
  readonly path: readonly string[];
};

/** A path as written. */
export interface WrittenPath {
  /** Undefined: the item, or the request. */
  readonly call: string | undefined;
  /** `reply`: more than one of them. */
  readonly of: ValueEntry['of'] | 'reply';
  readonly path: readonly string[];
}

const PARTS = ['body', 'status', 'header'] as const;

/** Reads `calls.NAME.body.x`, `calls.NAME.status`, `calls.NAME.header.NAME`, `item.x`, `body.x`. Undefined for anything else. */
export function parsePath(text: string): WrittenPath | undefined {
  const [root, ...rest] = text.split('.');
  if (rest.some((part) => part === '')) return undefined;
  if (root === 'item') return { call: undefined, of: 'value', path: rest };
  if (root === 'body') return { call: undefined, of: 'request', path: rest };
  const [call, part, ...path] = rest;
  if (root !== 'calls' || call === undefined) return undefined;
  const of = PARTS.find((known) => known === part);
  if (of === undefined || (of === 'status' && path.length > 0) || (of === 'header' && path.length === 0))
    return undefined;
  return { call, of, path: of === 'header' ? [path.join('.').toLowerCase()] : path };
}

/** The value of a path below `root`; undefined if there is none. Bounded by the size of the value. */
export function valueAt(root: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let value = root;
  for (const name of path) {
    value = memberOf(value, name);
    if (value === undefined) return undefined;
  }
  return value;
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (Array.isArray(value)) return isIndex(name) ? value[Number(name)] : ofEach(value as readonly JsonValue[], name);
  if (typeof value !== 'object' || value === null || isLongNumber(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as { readonly [name: string]: JsonValue })[name];
}

/** The members of all items in one list; lists in it are joined. */
function ofEach(items: readonly JsonValue[], name: string): JsonValue | undefined {
  const found: JsonValue[] = [];
  for (const item of items) {
    const value = memberOf(item, name);
    if (Array.isArray(value)) for (const one of value) found.push(one as JsonValue);
    else if (value !== undefined) found.push(value);
  }
  return found.length === 0 ? undefined : found;
}

const isIndex = (name: string): boolean => /^\d{1,9}$/.test(name);
