/** Forwarding information from trusted proxies: X-Forwarded-* and Forwarded (RFC 7239), read from the right. */
import { type ForwardedElement, parseForwarded } from '../http/forwarded.js';
import { Authority, readAuthority } from '../http/host.js';
import { Seen } from '../http/seen.js';
import { clientAt, type Peer } from './peer.js';

export interface Forwarding {
  /** Address of the client. */
  readonly client: string;
  readonly scheme: 'http' | 'https';
  /** The host for X-Forwarded-Host; undefined if the fields contain none. */
  readonly host: string | undefined;
}

/** Names of schemes; some proxies write those of WebSocket (RFC 6455). */
const SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['ws', 'http'],
  ['wss', 'https'],
]);

/**
 * Reads the forwarding fields of a request from a trusted proxy. `seen` are bits of the request head, `field` returns a
 * field as received. An X-Forwarded-* field takes precedence over Forwarded. Forwarded is ignored if X-Forwarded-For is
 * present: a proxy that writes X-Forwarded-For forwards Forwarded as its client sent it.
 */
export function forwardingOf(peer: Peer, seen: number, field: (name: string) => string | undefined): Forwarding {
  const { proxies, address } = peer;
  const elements = seen & Seen.ForwardedFor ? [] : elementsOf(seen & Seen.Forwarded ? field('forwarded') : undefined);
  const nodes =
    seen & Seen.ForwardedFor
      ? (field('x-forwarded-for') ?? '').split(',')
      : elements.map((element) => element.for ?? '');
  // The number of trusted entries in every list equals the number of nodes from the client's on.
  const hop = proxies.hopOf(nodes);
  const trusted = Math.max(1, nodes.length - hop);
  const schemes =
    seen & Seen.ForwardedProto ? itemsOf(field('x-forwarded-proto') ?? '') : elements.map(({ proto }) => proto);
  return {
    client: clientAt(nodes, hop, address),
    scheme: schemeOf(schemes, trusted, peer.scheme),
    host: seen & Seen.ForwardedHost ? field('x-forwarded-host') : hostOf(elements, trusted),
  };
}

/** The items of a list; empty items are ignored (RFC 9110 section 5.6.1). */
const itemsOf = (list: string): readonly string[] =>
  list.includes(',') ? list.split(',').filter((item) => item.trim() !== '') : [list];

const elementsOf = (field: string | undefined): readonly ForwardedElement[] =>
  field === undefined ? [] : (parseForwarded(field) ?? []);

/**
 * The scheme of the first of the last `trusted` hops that has one; an invalid value ends the search at the next hop.
 */
function schemeOf(
  values: readonly (string | undefined)[],
  trusted: number,
  own: Forwarding['scheme'],
): Forwarding['scheme'] {
  let scheme = own;
  for (let i = values.length - 1; i >= Math.max(0, values.length - trusted); i--) {
    const item = values[i];
    if (item === undefined) continue;
    const known = SCHEMES.get(item.trim().toLowerCase());
    if (known === undefined) return scheme;
    scheme = known;
  }
  return scheme;
}

/** The host and port that the first hop received, by the same rule. */
function hostOf(elements: readonly ForwardedElement[], trusted: number): string | undefined {
  let host: string | undefined;
  for (let i = elements.length - 1; i >= Math.max(0, elements.length - trusted); i--) {
    const name = elements[i]!.host;
    if (name === undefined) continue;
    const authority = new Authority();
    // A name that begins with an underscore is obfuscated (RFC 7239 section 6.3).
    if (name.startsWith('_') || name === 'unknown' || !readAuthority(authority, name, 0, name.length)) return host;
    host = authority.authority;
  }
  return host;
}

const MAX_GIVEN_ID = 128;

/** The `x-request-id` of a trusted proxy; undefined if it is not one that gw can pass on. */
export const acceptedId = (id: string | undefined): string | undefined =>
  id !== undefined && id.length <= MAX_GIVEN_ID && /^[\x21-\x7e]+$/.test(id) ? id : undefined;
