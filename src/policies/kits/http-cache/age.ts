/** The age of a reply, RFC 9111 section 4.2.3. */
import { readDate } from './date.js';
import { LONGEST_S } from './directives.js';
import { type ReadField, trimmed } from './fields.js';

/** The times of a request and its reply, in milliseconds since 1970. */
export interface ReplyTimes {
  /** The request was sent. */
  readonly requestedAt: number;
  /** The head of the reply was received. */
  readonly receivedAt: number;
}

/** Milliseconds of an Age field, RFC 9111 section 5.1: of several values the first counts; one that is no number is ignored. */
export function readAge(field: string | undefined): number | undefined {
  if (field === undefined) return undefined;
  const comma = field.indexOf(',');
  const first = trimmed(field, 0, comma < 0 ? field.length : comma);
  return /^\d+$/.test(first) ? Math.min(Number(first), LONGEST_S) * 1000 : undefined;
}

/** When the reply was created by its Date; if that is absent or invalid, when it was received. RFC 9110 section 6.6.1. */
export function dateOfReply(read: ReadField, receivedAt: number): number {
  const field = read('date');
  return (field === undefined ? undefined : readDate(field, receivedAt)) ?? receivedAt;
}

/**
 * How old a reply was when it was received: what Age and the time of the request say, or what Date says if that is more. A Date in
 * the future says nothing, and a clock that was set back adds nothing.
 */
export function initialAge(read: ReadField, { requestedAt, receivedAt }: ReplyTimes): number {
  const apparent = Math.max(0, receivedAt - dateOfReply(read, receivedAt));
  const corrected = (readAge(read('age')) ?? 0) + Math.max(0, receivedAt - requestedAt);
  return Math.max(apparent, corrected);
}
