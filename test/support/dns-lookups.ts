/** Lookups that ask only a DNS server of a test, in place of the system's. */
import type { LookupAddress } from 'node:dns';
import { type Lookups, systemLookups } from '../../src/control/targets/names/lookups.js';
import type { DnsServer } from './dns-server.js';

export function lookupsOf(server: DnsServer): Lookups {
  const resolver = server.resolver();
  const addresses = async (name: string): Promise<LookupAddress[]> =>
    (await resolver.resolve4(name)).map((address) => ({ address, family: 4 }));
  return { ...systemLookups(resolver), addresses };
}
