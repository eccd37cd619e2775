/** The Cache-Status field, RFC 9211. */
import { trimmed } from './fields.js';

/** Why a request went to the origin, RFC 9211 section 2.2. */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial';

export interface CacheStatus {
  /** Answered from the store without the origin. Not together with `fwd`. */
  readonly hit?: boolean;
  readonly fwd?: Forwarded;
  /** What the origin answered, if that is not the status of the reply. */
  readonly fwdStatus?: number;
  readonly stored?: boolean;
  /** Whether it shared a request to the origin with others; false if that was tried and a request of its own was needed. */
  readonly collapsed?: boolean;
  /** Seconds that remain; negative for a stale reply. */
  readonly ttl?: number;
  readonly key?: string;
  /** For people; any text. */
  readonly detail?: string;
}

/** Characters of a key or detail. */
const MOST_TEXT = 256;
/** RFC 9651 section 3.3.1. */
const MOST_INTEGER = 999_999_999_999_999;

/** The member of one cache. `name` is a token of RFC 9651, or is written as a string. */
export function cacheStatusMember(name: string, status: CacheStatus): string {
  let member = /^[A-Za-z*][!#$%&'*+.^_`|~:/\w-]*$/.test(name) ? name : quoted(name);
  if (status.hit === true) member += '; hit';
  else if (status.fwd !== undefined) member += `; fwd=${status.fwd}`;
  if (status.fwdStatus !== undefined) member += `; fwd-status=${integer(status.fwdStatus)}`;
  if (status.ttl !== undefined) member += `; ttl=${integer(status.ttl)}`;
  if (status.stored === true) member += '; stored';
  if (status.collapsed !== undefined) member += status.collapsed ? '; collapsed' : '; collapsed=?0';
  if (status.key !== undefined) member += `; key=${quoted(status.key)}`;
  if (status.detail !== undefined) member += `; detail=${quoted(status.detail)}`;
  return member;
}

/** The field with the member at its end: caches nearer to the client come later. */
export function appendCacheStatus(field: string | undefined, member: string): string {
  const present = trimmed(field ?? '');
  return present === '' ? member : `${present}, ${member}`;
}

const integer = (value: number): number => Math.max(-MOST_INTEGER, Math.min(MOST_INTEGER, Math.trunc(value)));

/** A string of RFC 9651: other characters than ASCII become '?'. */
const quoted = (text: string): string =>
  `"${text
    .slice(0, MOST_TEXT)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')}"`;
