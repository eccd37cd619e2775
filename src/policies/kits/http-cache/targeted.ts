/**
 * Targeted fields such as CDN-Cache-Control, RFC 9213: dictionaries of structured fields. One that is empty or malformed is ignored.
 */
import { type BareItem, isInnerList, readDictionary, Token } from '../structured-fields.js';
import { type Directives, type DirectiveValue, readDirectives } from './directives.js';
import type { ReadField } from './fields.js';

/** Directives beyond it: the field is ignored. */
const MOST_DIRECTIVES = 64;

/** Directives with a number of seconds, which is an integer in this format. */
const SECONDS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);

/**
 * Reads a targeted field, RFC 9213 section 2.1. Undefined if it is empty or malformed: as if it were absent. A value of a type that
 * its directive does not have, such as max-age="10" or a list, counts as one that cannot be read.
 */
export function readTargeted(field: string): Directives | undefined {
  const members = readDictionary(field, 'last');
  if (members === undefined || members.size === 0 || members.size > MOST_DIRECTIVES) return undefined;
  const values = new Map<string, DirectiveValue | undefined>();
  for (const [name, member] of members) {
    // A flag that is false says that the directive does not apply.
    if (!isInnerList(member) && member[0] === false) continue;
    values.set(name, isInnerList(member) ? undefined : directiveValue(name, member[0]));
  }
  return { values, malformed: false };
}

function directiveValue(name: string, value: BareItem): DirectiveValue | undefined {
  if (SECONDS.has(name)) return Number.isInteger(value) ? String(value) : undefined;
  if (value === true || typeof value === 'string') return value;
  return value instanceof Token ? value.toString() : undefined;
}

export interface ReplyDirectives {
  readonly directives: Directives;
  /** The field that they are from. With one other than Cache-Control, Expires does not count either. */
  readonly from: string;
}

/**
 * The directives of a reply that count: those of the first field of `targets` (names in lower case) that is neither empty nor
 * malformed, otherwise those of Cache-Control, RFC 9213 section 2.2.
 */
export function replyDirectives(read: ReadField, targets: readonly string[]): ReplyDirectives {
  for (const target of targets) {
    const field = read(target);
    const directives = field === undefined ? undefined : readTargeted(field);
    if (directives !== undefined) return { directives, from: target };
  }
  return { directives: readDirectives(read('cache-control')), from: 'cache-control' };
}
