/** Forwarding fields: Forwarded (RFC 7239), and node addresses in it and in X-Forwarded-For. */
import { isIP, SocketAddress } from 'node:net';

/** One hop, as its proxy describes it. Names and the scheme in lower case, nodes without quotes. */
export interface ForwardedElement {
  readonly for?: string;
  readonly by?: string;
  readonly host?: string;
  readonly proto?: string;
}

/** token "=" ( token / quoted-string ): no spaces around the `=`, RFC 7239 section 4. */
const PAIR = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)")/y;
const KNOWN = new Set(['for', 'by', 'host', 'proto']);

/**
 * The elements of a Forwarded field, first hop first. Undefined for an invalid list: then none of it counts, since the ends
 * of elements are uncertain. A repeated parameter makes the field invalid (section 4).
 */
export function parseForwarded(field: string): readonly ForwardedElement[] | undefined {
  const elements: { [name: string]: string }[] = [];
  let element: { [name: string]: string } = {};
  let pairs = 0;
  for (let at = afterSpaces(field, 0); ; ) {
    PAIR.lastIndex = at;
    const found = PAIR.exec(field);
    if (found) {
      const name = found[1]!.toLowerCase();
      if (KNOWN.has(name)) {
        if (Object.hasOwn(element, name)) return undefined;
        const value = found[2] ?? found[3]!.replace(/\\(.)/g, '$1');
        element[name] = name === 'proto' ? value.toLowerCase() : value;
      }
      pairs++;
      at = PAIR.lastIndex;
    }
    at = afterSpaces(field, at);
    const next = field[at];
    if (next !== undefined && next !== ',' && next !== ';') return undefined;
    at = afterSpaces(field, at + 1);
    if (next === ';') continue;
    if (pairs > 0) elements.push(element);
    if (next === undefined) return elements;
    element = {};
    pairs = 0;
  }
}

function afterSpaces(text: string, start: number): number {
  let at = start;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

/**
 * The address of a node of X-Forwarded-For or Forwarded: an address with an optional port, IPv6 optionally in brackets.
 * Undefined for `unknown`, obfuscated identifiers (`_hidden`) and anything else: decisions must not depend on those.
 */
export function nodeAddress(node: string): string | undefined {
  const found = /^\[([^\]]*)\](?::\w+)?$/.exec(node) ?? /^(\d+\.\d+\.\d+\.\d+):\w+$/.exec(node);
  const address = plainAddress(found?.[1] ?? node);
  return isIP(address) ? address : undefined;
}

/**
 * The canonical form of an address, so that it can be a key: RFC 5952 for IPv6 (short, lower case, without a zone), and IPv4
 * for an IPv4-mapped address (`::ffff:10.0.0.1` and `::FFFF:a00:1` are 10.0.0.1). Returns other text unchanged.
 */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  if (isIP(bare) !== 6) return address;
  const short = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  return short.startsWith('::ffff:') && isIP(short.slice(7)) === 4 ? short.slice(7) : short;
}

/** An address as a node of Forwarded, section 6: IPv6 in brackets and quotes, '' as `unknown`. */
export const forwardedNode = (address: string): string =>
  address === '' ? 'unknown' : address.includes(':') ? `"[${address}]"` : address;
