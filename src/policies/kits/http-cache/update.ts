/** The fields of stored replies: which are stored, and what a 304 or a reply to HEAD changes, RFC 9111 sections 3.1, 3.2 and 4.3. */
import { readDate, writeDate } from './date.js';
import { type FieldList, listOf, type ReadField, readFrom } from './fields.js';
import { matchStrongly, matchWeakly, parseEntityTag } from './validators.js';

/** Fields of one connection or of a proxy, RFC 9111 section 3.1. Age is part of the assessment. */
const NOT_STORED = new Set([
  'age',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Names in Connection beyond it are not read: the field is then malformed, and the reply must not be forwarded at all. */
const MOST_OPTIONS = 64;

/**
 * The fields of a reply as they are stored: without those of the connection, those that Connection names, and `withheld` (from its
 * assessment). Without a valid Date it gets one of `receivedAt`, in milliseconds since 1970, RFC 9110 section 6.6.1.
 */
export function fieldsToStore(fields: FieldList, withheld: readonly string[], receivedAt: number): FieldList {
  const without = new Set(withheld);
  for (const [name, value] of fields)
    if (name === 'connection')
      for (const option of listOf(value, MOST_OPTIONS) ?? []) without.add(option.toLowerCase());
  const stored = fields.filter(([name]) => !NOT_STORED.has(name) && !without.has(name));
  const date = readFrom(stored)('date');
  if (date !== undefined && readDate(date, receivedAt) !== undefined) return stored;
  return [...stored.filter(([name]) => name !== 'date'), ['date', writeDate(receivedAt)]];
}

/** What describes the stored bytes, which a 304 does not change, RFC 9111 section 3.2. */
const NOT_UPDATED = new Set(['content-digest', 'content-encoding', 'content-length', 'content-md5', 'content-range']);

/**
 * The stored fields after a 304 or a reply to HEAD. A field that the new reply has replaces all stored ones of that name; others
 * stay. `withheld` is from the assessment of the updated reply: what it names is removed as well. The new reply was received at
 * `receivedAt`, in milliseconds since 1970.
 */
export function updatedFields(
  stored: FieldList,
  fresh: FieldList,
  withheld: readonly string[],
  receivedAt: number,
): FieldList {
  const added = fieldsToStore(fresh, withheld, receivedAt).filter(([name]) => !NOT_UPDATED.has(name));
  const replaced = new Set(added.map(([name]) => name));
  const without = new Set(withheld);
  return [...stored.filter(([name]) => !replaced.has(name) && !without.has(name)), ...added];
}

/** The fields of a 304 that are not stored but for the client whose request it answers: those that no-cache or private names. */
export function passedFields(fresh: FieldList, withheld: readonly string[]): FieldList {
  if (withheld.length === 0) return [];
  return fresh.filter(([name]) => withheld.includes(name) && !NOT_STORED.has(name) && !NOT_UPDATED.has(name));
}

/**
 * What the cache reads of a reply after an update: the stored fields, and those of the new reply in place of them. Age and Date are
 * only those of the new reply. To assess the reply anew.
 */
export function updatedView(stored: FieldList, fresh: ReadField): ReadField {
  const old = readFrom(stored);
  return (name) => fresh(name) ?? (name === 'date' || NOT_STORED.has(name) ? undefined : old(name));
}

/**
 * Whether a 304 is about the stored reply, RFC 9111 section 4.3.4. A strong ETag must be the same, a weak one the same without regard
 * to weakness, otherwise Last-Modified the same. A 304 without validators is about the reply whose validators were sent. If
 * it is not, the stored reply must not be updated or used: ask again without conditions.
 */
export function isAbout(stored: ReadField, fresh: ReadField): boolean {
  const field = fresh('etag');
  const tag = field === undefined ? undefined : parseEntityTag(field);
  if (tag !== undefined) {
    const own = parseEntityTag(stored('etag') ?? '');
    return own !== undefined && (tag.weak ? matchWeakly : matchStrongly)(tag, own);
  }
  const modified = fresh('last-modified');
  return modified === undefined || stored('last-modified') === undefined || modified === stored('last-modified');
}

/**
 * What a reply to HEAD does to the stored reply to GET, RFC 9111 section 4.3.5: a 200 with the same validators and length updates
 * it, one with others makes it stale. Other statuses do nothing. `length`: bytes of the stored body, which need not have a field.
 */
export function headEffect(
  status: number,
  stored: ReadField,
  length: number,
  fresh: ReadField,
): 'update' | 'invalidate' | 'none' {
  if (status !== 200) return 'none';
  const announced = fresh('content-length');
  const differs =
    (announced !== undefined && announced !== String(length)) ||
    ['etag', 'last-modified', 'content-encoding'].some(
      (name) => fresh(name) !== undefined && fresh(name) !== stored(name),
    );
  return differs ? 'invalidate' : 'update';
}
