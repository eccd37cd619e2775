/** A request of an offline run, as a client would send it. */
import type { ListenerEntry } from '../../bundle/types.js';
import { wireText } from '../../bundle/wire-text.js';
import type { OfflineMocks } from './mocks.js';

export interface OfflineRequest {
  readonly method: string;
  /** The request target as it is sent: `/path?query`, or absolute (RFC 9112 section 3.2). */
  readonly url: string;
  readonly headers?: Iterable<readonly [name: string, value: string]> | { readonly [name: string]: string };
  /**
   * The body. Without a field that frames it, `Content-Length` is added, unless `addHost` is false. If the fields announce a
   * body that is not here, the outcome is unknown where a policy reads it.
   */
  readonly body?: Uint8Array | string;
  /** HTTP version; default: 1.1. */
  readonly version?: '1.0' | '1.1';
  /**
   * False: exactly these fields are sent. Otherwise an HTTP/1.1 request without a Host field gets one, from the
   * absolute URL or `localhost`, as every client sends one.
   */
  readonly addHost?: boolean;
  /** Address of the peer; default: 127.0.0.1. */
  readonly remoteAddress?: string;
  /** Name of the listener that receives it. Default: the first one; for an https URL the first one with TLS. */
  readonly listener?: string;
  /** What services answer in this run, before those of the plane. */
  readonly mocks?: OfflineMocks;
}

export const listenerOf = (
  listeners: readonly ListenerEntry[],
  { listener, url }: OfflineRequest,
): ListenerEntry | undefined =>
  listeners.find(({ name }) => name === listener) ??
  (/^https:/i.test(url) ? listeners.find(({ tls }) => tls !== undefined) : undefined) ??
  listeners[0];

/** The request head as sent over the wire. An invalid head stays invalid, for the parser to refuse. */
export function headText(request: OfflineRequest, length: number | undefined): string {
  const { method, url, headers = {}, version = '1.1', addHost } = request;
  const fields = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  const given = version === '1.0' || addHost === false || fields.some(([name]) => name.toLowerCase() === 'host');
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] || 'localhost';
  const host = given ? '' : `host: ${authority}\r\n`;
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const framed = fields.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const framing = framed || addHost === false || length === undefined ? '' : `content-length: ${length}\r\n`;
  return wireText(`${method} ${url} HTTP/${version}\r\n${host}${lines}${framing}\r\n`);
}

/** The bytes of the body; undefined if none is given. */
export const bodyOf = ({ body }: OfflineRequest): Buffer | undefined =>
  body === undefined ? undefined : Buffer.from(body);
