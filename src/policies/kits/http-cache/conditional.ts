/**
 * Conditional requests, RFC 9110 section 13 and RFC 9111 section 4.3: those of clients that a stored reply answers, and those with
 * which the cache validates a stored reply.
 */
import { dateOfReply } from './age.js';
import { readDate } from './date.js';
import type { FieldList, ReadField } from './fields.js';
import {
  type EntityTag,
  matchStrongly,
  matchWeakly,
  parseEntityTag,
  parseEntityTags,
  readValidators,
} from './validators.js';

/** What conditions are compared with. */
export interface Selected {
  /** Conditions count only if the reply without them would be a 2xx. */
  readonly status: number;
  readonly fields: ReadField;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

export type Outcome =
  /** Send the reply as if there was no condition; Range counts. */
  | 'pass'
  | 304
  | 412
  /** A condition that only the origin can evaluate, RFC 9111 section 4.3.2: forward the request as it is. */
  | 'forward';

/** The fields of conditions. */
export const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;

/**
 * Evaluates the conditions of a GET or HEAD that a stored reply can answer. As a cache, If-Match and If-Unmodified-Since are not
 * for it; with `as: 'origin'` all conditions are evaluated in the order of RFC 9110 section 13.2.2.
 */
export function evaluate(request: ReadField, selected: Selected, as: 'cache' | 'origin' = 'cache'): Outcome {
  if (as === 'cache' && (request('if-match') !== undefined || request('if-unmodified-since') !== undefined))
    return 'forward';
  if (selected.status < 200 || selected.status > 299) return 'pass';
  if (as === 'origin' && !holds(request, selected)) return 412;
  return isUnchanged(request, selected) ? 304 : 'pass';
}

/** If-Match, and without it If-Unmodified-Since, RFC 9110 sections 13.1.1 and 13.1.4. */
function holds(request: ReadField, { fields, receivedAt }: Selected): boolean {
  const match = request('if-match');
  if (match !== undefined) return matches(match, fields('etag'), matchStrongly);
  const since = request('if-unmodified-since');
  const limit = since === undefined ? undefined : readDate(since, receivedAt);
  const modified = modifiedAt(fields, receivedAt);
  return limit === undefined || modified === undefined || modified <= limit;
}

/** If-None-Match, and without it If-Modified-Since, RFC 9110 sections 13.1.2 and 13.1.3. */
function isUnchanged(request: ReadField, { fields, receivedAt }: Selected): boolean {
  const noneMatch = request('if-none-match');
  if (noneMatch !== undefined) return matches(noneMatch, fields('etag'), matchWeakly);
  const since = request('if-modified-since');
  const limit = since === undefined ? undefined : readDate(since, receivedAt);
  if (limit === undefined) return false;
  // RFC 9111 section 4.3.2: without Last-Modified, the reply is as old as its Date.
  return (modifiedAt(fields, receivedAt) ?? dateOfReply(fields, receivedAt)) <= limit;
}

function matches(condition: string, etag: string | undefined, equal: (a: EntityTag, b: EntityTag) => boolean): boolean {
  const tags = parseEntityTags(condition);
  if (tags === '*') return true;
  const own = etag === undefined ? undefined : parseEntityTag(etag);
  return own !== undefined && (tags?.some((tag) => equal(tag, own)) ?? false);
}

function modifiedAt(fields: ReadField, now: number): number | undefined {
  const field = fields('last-modified');
  return field === undefined ? undefined : readDate(field, now);
}

/** Metadata of the content that a 304 leaves out, RFC 9110 section 15.4.5. */
const LEFT_OUT = new Set([
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'repr-digest',
  'trailer',
  'transfer-encoding',
]);

/**
 * The fields of a 304 from those of the stored reply: all but the metadata of the content. Last-Modified stays only if there is no
 * ETag.
 */
export function fieldsOf304(stored: FieldList): FieldList {
  const tagged = stored.some(([name]) => name === 'etag');
  return stored.filter(([name]) => !LEFT_OUT.has(name) && !(tagged && name === 'last-modified'));
}

/** Tags of stored variants in one request, beyond which they are left out. */
const MOST_VARIANTS = 16;

/**
 * The conditions of a validation request, RFC 9111 section 4.3.1: they replace those of the client. Undefined if the stored reply
 * has no validator. `others`: ETag fields of other stored variants; a 304 then says which one is meant, and If-Modified-Since is not
 * sent.
 */
export function validationFields(
  stored: ReadField,
  now: number,
  others: readonly string[] = [],
): FieldList | undefined {
  const validators = readValidators(stored, now);
  const valid = others.filter((etag) => parseEntityTag(etag) !== undefined).slice(0, MOST_VARIANTS);
  const tags = validators?.etag === undefined ? valid : [validators.etag, ...valid];
  const fields: [string, string][] = [];
  if (tags.length > 0) fields.push(['if-none-match', [...new Set(tags)].join(', ')]);
  if (validators?.lastModified !== undefined && valid.length === 0)
    fields.push(['if-modified-since', validators.lastModified]);
  return fields.length > 0 ? fields : undefined;
}
