/** Lookups of names, as the system's programs do them, and what DNS says beyond that. */
import { createSocket } from 'node:dgram';
import { promises as dns, type LookupAddress, type SrvRecord } from 'node:dns';
import { isIPv6 } from 'node:net';
import { errnoCode } from '../../../reason.js';

/** Of a query to a DNS server: milliseconds until it is repeated, and how often it is sent. */
const QUERY = { timeout: 2000, tries: 2 } as const;

/** An address in DNS, with the seconds for which it may be kept. */
export interface TimedAddress {
  readonly address: string;
  readonly ttl: number;
}

export interface Lookups {
  /** The addresses of a name from the hosts file, DNS with search domains, or any other source that the system uses. Rejects. */
  addresses(name: string): Promise<readonly LookupAddress[]>;
  /** The addresses of exactly this name in DNS, of both families. Rejects if that is not known of one of them. */
  timed(name: string): Promise<readonly TimedAddress[]>;
  /** The SRV records of a name. Rejects. */
  services(name: string): Promise<readonly SrvRecord[]>;
  /** Whether the system knows a route to an address. */
  reachable(address: string): Promise<boolean>;
}

/** No such record of this name: the answer is an empty set. */
const NONE = new Set(['ENODATA']);

/** With the resolver of the system. `resolver`: what asks DNS servers. */
export function systemLookups(resolver: dns.Resolver = new dns.Resolver(QUERY)): Lookups {
  const timed = async (answer: Promise<readonly TimedAddress[]>): Promise<readonly TimedAddress[]> => {
    try {
      return await answer;
    } catch (error) {
      if (NONE.has(errnoCode(error) ?? '')) return [];
      throw error;
    }
  };
  return {
    addresses: (name) => dns.lookup(name, { all: true }),
    timed: async (name) => {
      const both = [timed(resolver.resolve4(name, { ttl: true })), timed(resolver.resolve6(name, { ttl: true }))];
      return (await Promise.all(both)).flat();
    },
    services: (name) => resolver.resolveSrv(name),
    reachable,
  };
}

/** As getaddrinfo finds it out (RFC 6724 section 6, rule 1): by a datagram socket, without sending anything. */
function reachable(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const settle = (has: boolean): void => {
      socket.close();
      resolve(has);
    };
    socket.once('error', () => settle(false));
    socket.once('connect', () => settle(true));
    // Any port: none is contacted.
    socket.connect(9, address);
  });
}
