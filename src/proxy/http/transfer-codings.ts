/** Transfer codings besides the one that gw knows, RFC 9112 section 6.1. */
import type { ErrorSlug } from '../errors/errors.js';
import { isToken, trimSpaces } from './chars.js';

/**
 * Why a Transfer-Encoding that is not `chunked` alone is refused. Another coding before a last `chunked` has a known end,
 * only not one that gw relays; all else has no certain end.
 */
export function refusedCodings(field: string): ErrorSlug {
  const codings = field.toLowerCase().split(',').map(trimSpaces);
  const last = codings.pop();
  const orderly = codings.length > 0 && codings.every((coding) => isToken(coding) && coding !== 'chunked');
  return last === 'chunked' && orderly ? 'request/not-implemented' : 'request/malformed';
}
