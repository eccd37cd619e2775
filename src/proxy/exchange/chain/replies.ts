/** Checks of what policies return, and what a body hook changes in a reply. */
import type { HeaderFields, Reply, ReplyBody } from '../../../policies/contract.js';
import { STREAM } from '../body/exchange-bodies.js';
import { isBodySource } from '../body/reply-pipe.js';
import type { ChainedExchange } from './step.js';

/** Checks at run time what the types promise. */
export function isReply(given: unknown): given is Reply {
  if (typeof given !== 'object' || given === null || !('headers' in given)) return false;
  const { headers } = given;
  return typeof headers === 'object' && headers !== null && areFields(headers);
}

/** A Map or a Headers of the platform has not all of the methods, and does not check values as gw does. */
function areFields({ get, set, append, add, remove, entries }: Partial<HeaderFields>): boolean {
  // Not a loop over names: this runs for each reply hook of each exchange.
  return (
    typeof get === 'function' &&
    typeof set === 'function' &&
    typeof append === 'function' &&
    typeof add === 'function' &&
    typeof remove === 'function' &&
    typeof entries === 'function'
  );
}

/**
 * Why a reply cannot be sent; undefined if it can. `source`: of the exchange's body. `switches`: the target's reply is a 101.
 */
export function faultOf(reply: unknown, source: ReplyBody | undefined, switches: boolean): string | undefined {
  if (!isReply(reply)) return 'the policy answered with a value that is not a reply';
  const { status, body } = reply;
  // The target determines the kind of stream: a tunnel only with a 101, a body with any other status.
  if (body !== null && body === source)
    return (status === 101) === switches && isStatus(status) ? undefined : UNSENDABLE;
  if (status === 101 || !isStatus(status)) return UNSENDABLE;
  if (body === null || body instanceof Uint8Array) return undefined;
  return typeof body === 'object' && isBodySource(body) ? undefined : UNSENDABLE;
}

const isStatus = (status: number): boolean =>
  status === 101 || (Number.isInteger(status) && status >= 200 && status <= 599);

export const UNSENDABLE = 'the policy answered with a reply that cannot be sent';

/**
 * Discards the body of a reply if it is a stream. Never throws, whatever a policy has returned: it may be called when the
 * exchange has ended, and its connection serves another one.
 */
export function discard(exchange: Pick<ChainedExchange, 'releaseFailed'>, reply: unknown): void {
  try {
    if (typeof reply !== 'object' || reply === null || !('body' in reply)) return;
    const { body } = reply;
    if (typeof body === 'object' && body !== null && 'discard' in body && typeof body.discard === 'function')
      body.discard();
  } catch (error) {
    exchange.releaseFailed(STREAM, error);
  }
}

/**
 * Notes the error with which a policy answers in place of a reply, for the access log; an error that the exchange has already counts
 * more.
 */
export function noteError(exchange: Pick<ChainedExchange, 'error' | 'cause'>, { code, cause }: Reply): void {
  if (code === undefined || exchange.error !== null) return;
  exchange.error = code;
  exchange.cause = cause ?? null;
}

/** Whether a reply with this status has a body, if its request is not a HEAD. RFC 9110 section 6.4.1. */
export const hasContent = (status: number): boolean =>
  status >= 200 && status !== 204 && status !== 205 && status !== 304;

/** Fields with a digest of the body: RFC 9530, RFC 3230, RFC 1864. */
const DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5'];

/**
 * Corrects the fields that are wrong once the body differs: digests, a strong validator, and the offer of ranges are removed;
 * Content-Length, which the later steps see, becomes `length` in bytes (undefined: unknown). A weak ETag stays: the policy that
 * set it says that the content is equivalent (RFC 9110 section 8.8.1).
 */
export function bodyChanged(headers: HeaderFields, length?: number): void {
  for (const name of DIGESTS) headers.remove(name);
  setLength(headers, length);
  headers.remove('accept-ranges');
  const etag = headers.get('etag');
  if (etag !== undefined && !etag.startsWith('W/')) headers.remove('etag');
}

/** The same for a request body that a policy has changed. */
export function requestBodyChanged(headers: HeaderFields, length?: number): void {
  for (const name of DIGESTS) headers.remove(name);
  headers.remove('transfer-encoding');
  setLength(headers, length);
}

function setLength(headers: HeaderFields, length: number | undefined): void {
  if (length === undefined) headers.remove('content-length');
  else headers.set('content-length', String(length));
}

/** Whether the fields name a content coding. */
export function isEncoded(headers: HeaderFields): boolean {
  const coding = headers.get('content-encoding');
  return coding !== undefined && coding.trim() !== '' && coding.trim().toLowerCase() !== 'identity';
}
