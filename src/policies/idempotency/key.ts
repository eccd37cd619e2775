/** What a request with a key is known by: the key, who sent it, and what it asks for. */
import * as crypto from 'node:crypto';
import type { EarlierCaller, Exchange } from '../contract.js';
import { readItem } from '../kits/structured-fields.js';
import { consumerKey, networkOf, trimmedField } from '../run-kit.js';

/** Characters of a key. */
const MAX_KEY = 255;
/** Bytes of a body that is hashed together with the head. */
const ONE_CALL = 8192;
/** A key without quotes. No comma: several fields, or a list, are no key. */
const BARE = /^[A-Za-z0-9._~+/=:-]+$/;
/** A String of RFC 9651 as nearly all clients send it: without an escaped character and parameters. */
const PLAIN = /^"[\x20-\x21\x23-\x5b\x5d-\x7e]+"$/;

/**
 * The key of a field: a String of RFC 9651, or the same characters without quotes, as many clients send it. Undefined if it is
 * malformed.
 */
export function readKey(field: string): string | undefined {
  const text = trimmedField(field);
  if (!text.startsWith('"')) return text.length <= MAX_KEY && BARE.test(text) ? text : undefined;
  if (text.length <= MAX_KEY + 2 && PLAIN.test(text)) return text.slice(1, -1);
  // A character may be escaped, and parameters, which mean nothing, may follow.
  if (text.length > MAX_KEY * 4) return undefined;
  const value = readItem(text)?.[0];
  return typeof value === 'string' && value !== '' && value.length <= MAX_KEY ? value : undefined;
}

export interface Caller {
  readonly name: string;
  /** Known by a credential; others only by the address. */
  readonly known: boolean;
}

/**
 * The consumer, or else the subject of a token; if several authenticators have found callers, all of them; or else the address of the
 * client. Undefined: the client has reset its connection before gw accepted it, so that it has no address.
 */
export function callerOf(exchange: Exchange): Caller | undefined {
  const { earlierCallers, remoteAddress } = exchange;
  let name = nameOf(exchange);
  if (earlierCallers !== undefined) {
    const names = [exchange, ...earlierCallers].map(nameOf).filter((one) => one !== undefined);
    if (names.length > 1) name = `all:${JSON.stringify(names)}`;
    else [name] = names;
  }
  if (name !== undefined) return { name, known: true };
  return remoteAddress === '' ? undefined : { name: `ip:${networkOf(remoteAddress)}`, known: false };
}

function nameOf({ consumer, claims }: EarlierCaller): string | undefined {
  if (consumer !== undefined) return consumerKey(consumer);
  const subject = claims?.['sub'];
  return typeof subject === 'string' ? `sub:${JSON.stringify([claims?.['iss'] ?? '', subject])}` : undefined;
}

/** SHA-256 of what a request asks for, in hexadecimal digits. */
export function fingerprintOf(exchange: Exchange, body: Uint8Array): string {
  const { method, host, path, query, headers } = exchange;
  const head = [method, host, path, query, headers.get('content-type') ?? '', headers.get('content-encoding') ?? ''];
  const text = `${JSON.stringify(head)}\n`;
  // Of a small body, one call for a copy costs less than an object that takes parts.
  if (body.length > ONE_CALL) return crypto.createHash('sha256').update(text).update(body).digest('hex');
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + body.length);
  bytes.set(body, bytes.write(text));
  return crypto.hash('sha256', bytes, 'hex');
}
