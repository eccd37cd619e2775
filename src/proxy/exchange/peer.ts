/** Who is at the other end of a downstream connection, and what of its X-Forwarded-* may be believed. */
import { BlockList, isIP } from 'node:net';
import type { PolicyInstance } from '../../policies/contract.js';
import { nodeAddress, plainAddress } from '../http/forwarded.js';
import type { SentFields } from '../http/known-heads.js';

/** Bits of an IPv6 address before the IPv4 address that it maps, RFC 4291 section 2.5.5.2. */
const MAPPED_BITS = 96;

/** The peers of a listener that are proxies we trust. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #empty: boolean;

  /** Addresses or CIDR blocks. Throws for one that is neither. */
  constructor(blocks: readonly string[]) {
    this.#empty = blocks.length === 0;
    for (const block of blocks) {
      const slash = block.indexOf('/');
      const written = slash < 0 ? block : block.slice(0, slash);
      const address = plainAddress(written);
      const family = familyOf(address);
      if (!family) throw new Error(`Not an address or CIDR block: ${block}`);
      if (slash < 0) this.#list.addAddress(address, family);
      else this.#addSubnet(written, address, Number(block.slice(slash + 1)));
    }
  }

  /** A block of IPv4 addresses as IPv6 maps them, `::ffff:10.0.0.0/104`, is one of IPv4: peers are compared as such. */
  #addSubnet(written: string, address: string, bits: number): void {
    const mapped = written.includes(':') && !address.includes(':');
    if (!mapped) this.#list.addSubnet(address, bits, familyOf(address)!);
    else if (bits >= MAPPED_BITS) this.#list.addSubnet(address, bits - MAPPED_BITS, 'ipv4');
    else this.#list.addSubnet(written, bits, 'ipv6');
  }

  has(address: string): boolean {
    if (this.#empty) return false;
    const family = familyOf(address);
    return family !== undefined && this.#list.check(address, family);
  }

  /**
   * The client as far as trusted proxies tell: the last of the nodes (nearest last) that is not a trusted proxy itself, the
   * first of all when every one is. Where a node is no address, the one behind it is all that is known; `peer` at worst.
   */
  clientOf(nodes: readonly string[], peer: string): string {
    return clientAt(nodes, this.hopOf(nodes), peer);
  }

  /**
   * Index of the first node that a trusted proxy wrote: the last of the nodes (nearest last) that is no trusted proxy
   * itself or no address, 0 when every one is a trusted proxy. What lies before it may be the client's own invention.
   */
  hopOf(nodes: readonly string[]): number {
    for (let i = nodes.length - 1; i >= 0; i--) {
      const address = nodeAddress(nodes[i]!.trim());
      if (address === undefined || !this.has(address)) return i;
    }
    return 0;
  }
}

/** The address of the node at which TrustedProxies.hopOf() ended, or of the one behind it where that is not an address. */
export const clientAt = (nodes: readonly string[], hop: number, peer: string): string =>
  nodeAddress(nodes[hop]?.trim() ?? '') ?? nodeAddress(nodes[hop + 1]?.trim() ?? '') ?? peer;

const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined => {
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
};

/** What an exchange needs of a listener. */
export interface NamedListener {
  readonly entry: { readonly name: string; readonly maxBodyBytes: number };
}

export interface Peer {
  readonly address: string;
  /** Of the connection itself. */
  readonly scheme: 'http' | 'https';
  readonly trusted: boolean;
  /** The listener that the connection came in by. A reload may give it another name. */
  readonly listener: NamedListener;
  readonly proxies: TrustedProxies;
  /** Fields that gw adds to every request of this connection, as lines. */
  readonly ownLines: string;
  /** What its last request went on with; from the second one on. */
  sentFields: SentFields | undefined;
  /** What a policy remembers from one request of the connection to the next. */
  memory: { readonly owner: PolicyInstance; readonly value: object } | undefined;
}

/** Made once a connection: what does not change from request to request. */
export function peerOf(
  remoteAddress: string | undefined,
  scheme: 'http' | 'https',
  proxies: TrustedProxies,
  listener: NamedListener,
): Peer {
  const address = plainAddress(remoteAddress ?? '');
  const ownLines = `x-forwarded-for: ${address || 'unknown'}\r\nx-forwarded-proto: ${scheme}\r\nvia: 1.1 gw\r\n`;
  return {
    address,
    scheme,
    trusted: proxies.has(address),
    listener,
    proxies,
    ownLines,
    sentFields: undefined,
    memory: undefined,
  };
}
