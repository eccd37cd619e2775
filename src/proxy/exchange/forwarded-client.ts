/** What a trusted proxy tells of the way of a request: X-Forwarded-* and Forwarded (RFC 7239), read from the right. */
import { type ForwardedElement, parseForwarded } from '../http/forwarded.js';
import { Authority, readAuthority } from '../http/host.js';
import { Seen } from '../http/seen.js';
import { clientAt, type Peer } from './peer.js';

export interface Way {
  /** Address of the client. */
  readonly client: string;
  readonly scheme: 'http' | 'https';
  /** What X-Forwarded-Host says to the target; undefined where the way says nothing of it. */
  readonly host: string | undefined;
}

/** The words of a scheme; some proxies write those of WebSocket (RFC 6455). */
const SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['ws', 'http'],
  ['wss', 'https'],
]);

/**
 * Reads the way of a request that comes from a trusted proxy. `seen` are bits of the request head, `field` gives a field
 * as it was received. Of each fact its X-Forwarded-* field counts where it came, else Forwarded, unless X-Forwarded-For
 * came: a proxy that writes that one passes Forwarded on as its client sent it.
 */
export function wayOf(peer: Peer, seen: number, field: (name: string) => string | undefined): Way {
  const { proxies, address } = peer;
  const elements = seen & Seen.ForwardedFor ? [] : elementsOf(seen & Seen.Forwarded ? field('forwarded') : undefined);
  const nodes =
    seen & Seen.ForwardedFor
      ? (field('x-forwarded-for') ?? '').split(',')
      : elements.map((element) => element.for ?? '');
  // Entries that trusted proxies wrote, in every list: as many as nodes from the client's on.
  const hop = proxies.hopOf(nodes);
  const believed = Math.max(1, nodes.length - hop);
  const schemes =
    seen & Seen.ForwardedProto ? itemsOf(field('x-forwarded-proto') ?? '') : elements.map(({ proto }) => proto);
  return {
    client: clientAt(nodes, hop, address),
    scheme: schemeOf(schemes, believed, peer.scheme),
    host: seen & Seen.ForwardedHost ? field('x-forwarded-host') : hostOf(elements, believed),
  };
}

/** Of a list, without the empty items that RFC 9110 section 5.6.1 has ignored. */
const itemsOf = (list: string): readonly string[] =>
  list.includes(',') ? list.split(',').filter((item) => item.trim() !== '') : [list];

const elementsOf = (field: string | undefined): readonly ForwardedElement[] =>
  field === undefined ? [] : (parseForwarded(field) ?? []);

/** The scheme at the first of the `believed` last hops that tells one; what is invalid ends the search at the hop behind it. */
function schemeOf(told: readonly (string | undefined)[], believed: number, own: Way['scheme']): Way['scheme'] {
  let scheme = own;
  for (let i = told.length - 1; i >= Math.max(0, told.length - believed); i--) {
    const item = told[i];
    if (item === undefined) continue;
    const known = SCHEMES.get(item.trim().toLowerCase());
    if (known === undefined) return scheme;
    scheme = known;
  }
  return scheme;
}

/** The host that the first hop was asked for, with its port, by the same rule. */
function hostOf(elements: readonly ForwardedElement[], believed: number): string | undefined {
  let host: string | undefined;
  for (let i = elements.length - 1; i >= Math.max(0, elements.length - believed); i--) {
    const told = elements[i]!.host;
    if (told === undefined) continue;
    const authority = new Authority();
    // A name that begins with an underscore hides the real one, as RFC 7239 section 6.3 has it for nodes.
    if (told.startsWith('_') || told === 'unknown' || !readAuthority(authority, told, 0, told.length)) return host;
    host = authority.authority;
  }
  return host;
}
