/** A request of an offline run, as a client would send it. */
import { tlsPolicyFor } from '../../bundle/tls.js';
import type { ListenerEntry } from '../../bundle/types.js';
import { wireText } from '../../bundle/wire-text.js';
import { ClientTrust } from '../../x509/index.js';
import { type ClientRules, PresentedCertificate } from '../exchange/client-certificate.js';
import type { PeerTls, TlsPolicyLookup } from '../exchange/peer.js';
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
  /**
   * DER of the client's certificate, then of what comes with it, and the rules of the listener, for which the caller has read the
   * files of the spec. Default: the client has none. `unchecked`: whether the listener requires one does not matter.
   */
  readonly client?: { readonly certificates: readonly Buffer[]; readonly rules: ClientRules } | 'unchecked';
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

/** The host that a request is for, in lower case and without port: the server name of its connection. */
export function serverNameOf({ url, headers = {} }: Pick<OfflineRequest, 'url' | 'headers'>): string {
  const fields = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  const field = fields.find(([name]) => name.toLowerCase() === 'host')?.[1];
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] || field || 'localhost';
  return authority.replace(/:\d*$/, '').toLowerCase();
}

/** The TLS of the client's connection, whose server name is the host of the request, and the policy for it. */
export function tlsOf(
  listener: ListenerEntry | undefined,
  request: OfflineRequest,
  now: () => number,
): { readonly tls: PeerTls | undefined; readonly policies: TlsPolicyLookup | undefined } {
  if (listener?.tls === undefined) return { tls: undefined, policies: undefined };
  const { client } = request;
  const serverName = serverNameOf(request);
  const asks = tlsPolicyFor(listener.tls, serverName).client;
  const known = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', serverName, protocol: 'http/1.1' };
  if (asks === undefined || client === 'unchecked')
    return { tls: { ...known, clientCertificate: undefined }, policies: undefined };
  const required = asks.certificate === 'required';
  const clients = client?.rules ?? { required, trust: new ClientTrust([]), authorities: '', lists: undefined };
  const presented = new PresentedCertificate(client?.certificates ?? [], () => clients, now);
  const policy = { clients, forwards: asks.forward === true };
  return {
    tls: { ...known, clientCertificate: presented.facts, presented },
    policies: { several: false, of: () => policy },
  };
}
