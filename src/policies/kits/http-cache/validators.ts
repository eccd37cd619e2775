/** Validators: entity tags and dates of the last modification, RFC 9110 sections 8.8 and 13.1. */
import { dateOfReply } from './age.js';
import { readDate } from './date.js';
import { type ReadField, skipSpace, trimmed } from './fields.js';

export interface EntityTag {
  readonly weak: boolean;
  /** Between the quotes. */
  readonly opaque: string;
}

const QUOTE = 0x22;
/** Tags of a condition beyond it are not read. */
const MOST_TAGS = 256;

/** 1 for etagc: everything visible but the quote, and bytes above ASCII. */
function isTagChar(char: number): boolean {
  return char > 0x20 && char !== QUOTE && char !== 0x7f && char < 0x100;
}

/** The tag that begins at `from`, and the position after it; undefined if none does. */
function tagAt(text: string, from: number): { readonly tag: EntityTag; readonly end: number } | undefined {
  const weak = text.startsWith('W/', from);
  const open = weak ? from + 2 : from;
  if (text.charCodeAt(open) !== QUOTE) return undefined;
  let at = open + 1;
  while (at < text.length && isTagChar(text.charCodeAt(at))) at++;
  if (text.charCodeAt(at) !== QUOTE) return undefined;
  return { tag: { weak, opaque: text.slice(open + 1, at) }, end: at + 1 };
}

/** An ETag field. Undefined for a malformed one, such as one without quotes: it is no validator. */
export function parseEntityTag(field: string): EntityTag | undefined {
  const text = trimmed(field);
  const found = tagAt(text, 0);
  return found?.end === text.length ? found.tag : undefined;
}

/**
 * The tags of If-Match or If-None-Match; '*' for any. Undefined if the field is malformed: it then matches nothing. Tags beyond a
 * bound are not read.
 */
export function parseEntityTags(field: string): readonly EntityTag[] | '*' | undefined {
  if (trimmed(field) === '*') return '*';
  const tags: EntityTag[] = [];
  for (let at = skipSpace(field, 0); at < field.length && tags.length < MOST_TAGS; at = skipSpace(field, at)) {
    if (field[at] === ',') {
      at++;
      continue;
    }
    const found = tagAt(field, at);
    if (found === undefined) return undefined;
    tags.push(found.tag);
    at = skipSpace(field, found.end);
    if (at < field.length && field[at] !== ',') return undefined;
  }
  return tags;
}

/** RFC 9110 section 8.8.3.2: neither is weak, and they are equal. */
export const matchStrongly = (a: EntityTag, b: EntityTag): boolean => !a.weak && !b.weak && a.opaque === b.opaque;

/** The same without regard to weakness. */
export const matchWeakly = (a: EntityTag, b: EntityTag): boolean => a.opaque === b.opaque;

/** The validators of a reply, as far as it has any that can be read. */
export interface Validators {
  /** The ETag field as it is. */
  readonly etag?: string;
  /** The Last-Modified field as it is. */
  readonly lastModified?: string;
}

/** The validators of a reply; undefined if it has none. `now` places years of two digits. */
export function readValidators(read: ReadField, now: number): Validators | undefined {
  const etag = read('etag');
  const lastModified = read('last-modified');
  const valid: { etag?: string; lastModified?: string } = {};
  if (etag !== undefined && parseEntityTag(etag) !== undefined) valid.etag = trimmed(etag);
  if (lastModified !== undefined && readDate(lastModified, now) !== undefined) valid.lastModified = lastModified;
  return valid.etag === undefined && valid.lastModified === undefined ? undefined : valid;
}

/**
 * Whether Last-Modified of a stored reply is a strong validator, RFC 9110 section 8.8.2.2: the reply was created at least a second
 * later, so that the content cannot have changed again within the same second.
 */
export function isStrongDate(read: ReadField, receivedAt: number): boolean {
  const field = read('last-modified');
  const modified = field === undefined ? undefined : readDate(field, receivedAt);
  // Without a Date of the origin there is no telling when it was created.
  if (modified === undefined || read('date') === undefined) return false;
  return dateOfReply(read, receivedAt) - modified >= 1000;
}
