/** Which replies may be compressed, apart from what the client accepts. */
import type { Exchange, Reply } from '../contract.js';
import { matchesMediaRange, mediaType } from '../kits/negotiate.js';
import type { CompressSettings } from './schema.js';

/** Fields that hold for the bytes of a body, and not for another coding of it (RFC 9530, RFC 1864). */
const OF_THE_BYTES = ['content-digest', 'repr-digest', 'digest', 'content-md5'];

/** `small`: it is compressed only for a client that accepts nothing else. */
export type Eligibility = { readonly why: string; readonly small?: boolean } | undefined;

/** Why a reply is not compressed whatever the client accepts; undefined if it may be. */
export function exclusion(
  { types, minSize }: Pick<CompressSettings, 'types' | 'minSize'>,
  exchange: Exchange,
  reply: Reply,
): Eligibility {
  const { status, headers } = reply;
  if (status < 200 || status === 204 || status === 205 || status === 304) return { why: `a ${status} has no body` };
  if (status === 206 || headers.get('content-range') !== undefined) return { why: 'the reply is a range of bytes' };
  if (exchange.method === 'CONNECT') return { why: 'the reply begins a tunnel' };
  if (reply.body === null && exchange.method !== 'HEAD') return { why: 'the reply has no body' };
  const coding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (coding !== '' && coding !== 'identity') return { why: `the body is ${fieldText(coding)} already` };
  if (hasDirective(headers.get('cache-control'), 'no-transform')) return { why: 'the reply says no-transform' };
  if (hasDirective(exchange.received('cache-control'), 'no-transform')) {
    return { why: 'the request says no-transform' };
  }
  const type = mediaType(headers.get('content-type'));
  if (!types.some((range) => matchesMediaRange(type, range))) {
    return { why: type === '' ? 'the reply has no media type' : `the media type ${fieldText(type)} is not listed` };
  }
  const length = lengthOf(reply);
  if (length === 0) return { why: 'the body is empty' };
  if (length !== undefined && length < minSize) return { why: `the body has ${length} bytes`, small: true };
  return undefined;
}

/** Bytes of the body; undefined if it is not known. */
function lengthOf({ body, headers }: Reply): number | undefined {
  if (body instanceof Uint8Array) return body.length;
  const declared = headers.get('content-length');
  return declared !== undefined && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined;
}

const fieldText = (text: string): string => text.slice(0, 60);

/** Whether a Cache-Control has the directive, RFC 9111 section 5.2. */
function hasDirective(field: string | undefined, directive: string): boolean {
  if (field === undefined || !field.toLowerCase().includes(directive)) return false;
  return field.split(',').some((part) => part.trim().toLowerCase() === directive);
}

/** Changes the fields of a reply whose body gets a coding. */
export function describeCoding({ headers }: Reply, coding: string): void {
  headers.set('content-encoding', coding);
  headers.remove('content-length');
  // Ranges of the target's bytes are none of the coded ones.
  headers.remove('accept-ranges');
  for (const name of OF_THE_BYTES) headers.remove(name);
  const etag = headers.get('etag');
  if (etag !== undefined) headers.set('etag', weak(etag));
}

export const weak = (etag: string): string => (etag.startsWith('W/') ? etag : `W/${etag}`);

/** Whether an If-None-Match lists an entity tag as weak: the client has what an earlier compressed reply was made of. */
export function listsWeak(field: string | undefined, etag: string | undefined): boolean {
  if (field === undefined || etag === undefined || !/^(W\/)?"[^"]*"$/.test(etag)) return false;
  const tags = field.match(/(W\/)?"[^"]*"/g);
  return tags?.includes(weak(etag)) === true;
}
