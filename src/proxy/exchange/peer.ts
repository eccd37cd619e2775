/** The peer of a downstream connection, and the trust in its X-Forwarded-* fields. */
import { BlockList, isIP } from 'node:net';
import type { ConnectionFacts, TlsFacts } from '../../contract/index.js';
import { nodeAddress, plainAddress } from '../http/forwarded.js';
import type { SentFields } from '../http/known-heads.js';
import type { ClientRules, PresentedCertificate } from './client-certificate.js';

/** Bits of an IPv6 address before the IPv4 address that it maps, RFC 4291 section 2.5.5.2. */
const MAPPED_BITS = 96;

/** The trusted proxies of a listener. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly empty: boolean;
  #unix = false;

  /** `blocks`: addresses or CIDR blocks. Throws for anything else. */
  constructor(blocks: readonly string[]) {
    this.empty = blocks.length === 0;
    for (const block of blocks) {
      if (block === 'unix') {
        this.#unix = true;
        continue;
      }
      const slash = block.indexOf('/');
      const written = slash < 0 ? block : block.slice(0, slash);
      const address = plainAddress(written);
      const family = familyOf(address);
      if (!family) throw new Error(`Not an address or CIDR block: ${block}`);
      if (slash < 0) this.#list.addAddress(address, family);
      else this.#addSubnet(written, address, Number(block.slice(slash + 1)));
    }
  }

  /** An IPv4-mapped block such as `::ffff:10.0.0.0/104` is added as IPv4, because peers are compared in that form. */
  #addSubnet(written: string, address: string, bits: number): void {
    const mapped = written.includes(':') && !address.includes(':');
    if (!mapped) this.#list.addSubnet(address, bits, familyOf(address)!);
    else if (bits >= MAPPED_BITS) this.#list.addSubnet(address, bits - MAPPED_BITS, 'ipv4');
    else this.#list.addSubnet(written, bits, 'ipv6');
  }

  has(address: string): boolean {
    if (this.empty) return false;
    // Only the clients of unix sockets have no address.
    if (address === '') return this.#unix;
    const family = familyOf(address);
    return family !== undefined && this.#list.check(address, family);
  }

  /**
   * The client according to trusted proxies: the last of the nodes (nearest last) that is not a trusted proxy, or the
   * first node if all of them are. If that node is not an address, the next one counts, and `peer` after the last.
   */
  clientOf(nodes: readonly string[], peer: string): string {
    return clientAt(nodes, this.hopOf(nodes), peer);
  }

  /**
   * Index of the first node that a trusted proxy wrote: the last of the nodes (nearest last) that is not a trusted
   * proxy or not an address; 0 if all are trusted proxies. The client may have forged the nodes before it.
   */
  hopOf(nodes: readonly string[]): number {
    for (let i = nodes.length - 1; i >= 0; i--) {
      const address = nodeAddress(nodes[i]!.trim());
      if (address === undefined || !this.has(address)) return i;
    }
    return 0;
  }
}

/** The address of the node that TrustedProxies.hopOf() found, or of the next one if that is not an address. */
export const clientAt = (nodes: readonly string[], hop: number, peer: string): string =>
  nodeAddress(nodes[hop]?.trim() ?? '') ?? nodeAddress(nodes[hop + 1]?.trim() ?? '') ?? peer;

const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined => {
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
};

/** What a listener without TLS answers before any route. */
export interface ListenerFront {
  /** Port of the https URL of redirects; undefined: it has routes. */
  readonly redirect: number | undefined;
  /** Answers to the challenge HTTP-01 by token, RFC 8555 section 8.3. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** The part of a listener that an exchange uses. */
export interface NamedListener {
  readonly entry: { readonly name: string; readonly maxBodyBytes: number };
  /** Undefined: all its connections are subject to the same policy, and none is asked for a certificate. */
  readonly policies?: TlsPolicyLookup | undefined;
  /** What it answers itself; undefined: every request goes to a route. */
  readonly front?: ListenerFront | undefined;
}

/** What a listener asks of a connection, by its present settings. */
export interface PresentTlsPolicy {
  /** Which client certificates it accepts; undefined: it asks for none. */
  readonly clients: ClientRules | undefined;
  /** Targets get the client's certificate, RFC 9440. */
  readonly forwards: boolean;
}

export interface TlsPolicyLookup {
  /** Whether names have different policies. */
  readonly several: boolean;
  /** The policy for a host name in lower case; of the same policy always the same object. Undefined `name`: the client sent none. */
  of(name: string | undefined): PresentTlsPolicy;
}

/** The TLS of a connection, as the engine sees it. */
export interface PeerTls extends TlsFacts {
  /** Undefined: the client was not asked for a certificate. */
  readonly presented?: PresentedCertificate | undefined;
}

export interface Peer extends ConnectionFacts {
  readonly tls: PeerTls | undefined;
  /** Scheme of the connection itself. */
  readonly scheme: 'http' | 'https';
  /** Its requests come over HTTP/2. */
  readonly http2: boolean;
  /** The listener that accepted the connection. A reload may change its name. */
  readonly listener: NamedListener;
  readonly proxies: TrustedProxies;
  /** The line of Via for its requests, with the end of the line. */
  readonly via: string;
  /** Fields that gw adds to every request of this connection, as lines. */
  readonly ownLines: string;
  /** The fields sent with its last request; from the second request on. */
  sentFields: SentFields | undefined;
  /** What policies remember between requests of the connection. */
  readonly memory: ConnectionMemory;
}

/**
 * One value for each policy. The first policy needs no map. Values of policies that a reload has replaced go with their
 * instances.
 */
export class ConnectionMemory {
  #owner: object | undefined = undefined;
  #value: object | undefined = undefined;
  #others: WeakMap<object, object> | undefined = undefined;

  set(owner: object, value: object): void {
    if (this.#owner === undefined || this.#owner === owner) {
      this.#owner = owner;
      this.#value = value;
    } else {
      this.#others ??= new WeakMap();
      this.#others.set(owner, value);
    }
  }

  get(owner: object): object | undefined {
    return this.#owner === owner ? this.#value : this.#others?.get(owner);
  }
}

/** Creates the peer of a connection: the data that all its requests share. */
export function peerOf(
  remoteAddress: string | undefined,
  scheme: 'http' | 'https',
  proxies: TrustedProxies,
  listener: NamedListener,
  tls?: PeerTls,
  version: '1.1' | '2.0' = '1.1',
): Peer {
  const address = plainAddress(remoteAddress ?? '');
  const via = `via: ${version} gw\r\n`;
  const ownLines = `x-forwarded-for: ${address || 'unknown'}\r\nx-forwarded-proto: ${scheme}\r\n${via}`;
  return {
    address,
    scheme,
    http2: version === '2.0',
    trusted: proxies.has(address),
    listener,
    proxies,
    via,
    ownLines,
    sentFields: undefined,
    memory: new ConnectionMemory(),
    tls,
  };
}
