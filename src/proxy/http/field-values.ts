/** Values of the fields that the codec itself must understand. */
import { equalsLower, isToken, trimSpaces } from './chars.js';
import { Seen } from './seen.js';

/**
 * Whether a value of Expect contains `100-continue`; undefined if it contains anything else. Empty list members do not count,
 * and a list without members expects nothing: RFC 9110 sections 5.6.1 and 10.1.1.
 */
export function expectsContinue(value: string): boolean | undefined {
  let expected = false;
  for (const item of value.split(',')) {
    const name = trimSpaces(item).toLowerCase();
    if (name === '100-continue') expected = true;
    else if (name !== '') return undefined;
  }
  return expected;
}

/**
 * Why a Transfer-Encoding other than `chunked` is refused, RFC 9112 section 6.1. Another coding before a final `chunked` has
 * a known end, but gw does not relay it; any other list has no certain end.
 */
export function refusedCodings(field: string): 'request/not-implemented' | 'request/malformed' {
  const codings = field.toLowerCase().split(',').map(trimSpaces);
  const last = codings.pop();
  const orderly = codings.length > 0 && codings.every((coding) => isToken(coding) && coding !== 'chunked');
  return last === 'chunked' && orderly ? 'request/not-implemented' : 'request/malformed';
}

/** Longest list of names in Connection. Each name costs a pass over the fields, and few are ever needed. */
export const MAX_LISTED = 256;

/** The names in a value of Connection, in lower case; '' for an empty list member. */
export const connectionOptions = (value: string): string[] =>
  value.split(',').map((item) => trimSpaces(item).toLowerCase());

/** Seen.Trailers if a value of TE says that the sender reads trailer fields, RFC 9110 section 10.1.4; otherwise 0. */
export const teBits = (value: string): number =>
  value.split(',').some((item) => trimSpaces(item).toLowerCase() === 'trailers') ? Seen.Trailers : 0;

/** Seen.Grpc if the Content-Type text[start, end) is that of gRPC (not gRPC-Web); otherwise 0. */
export function grpcBit(text: string, start: number, end: number): number {
  const after = start + GRPC.length;
  if (after > end || !equalsLower(text, start, after, GRPC)) return 0;
  return after === end || GRPC_CONTINUES.has(text.charCodeAt(after)) ? Seen.Grpc : 0;
}

const GRPC = 'application/grpc';
/** `+proto`, `;charset`, ` ;charset`. */
const GRPC_CONTINUES = new Set([0x2b, 0x3b, 0x20, 0x09]);
