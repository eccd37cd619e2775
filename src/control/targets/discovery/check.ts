/** What a source says is checked: it must not make gw send requests to places that no target of a service can be. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { MOST_ENDPOINTS } from '../names/expand.js';
import type { SuppliedTarget } from '../names/supply.js';

/** A target as a source names it. Nothing of it is trusted. */
export interface FoundTarget {
  readonly url: string;
  readonly weight?: unknown;
  readonly zone?: unknown;
  readonly priority?: unknown;
}

const MOST_WEIGHT = 65_535;
const MOST_PRIORITY = 65_535;
const LONGEST_ZONE = 64;
const LONGEST_URL = 2048;

const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4');
// Link-local: the metadata services of clouds are there.
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addAddress('100.100.100.200', 'ipv4');
never.addSubnet('224.0.0.0', 3, 'ipv4');
never.addAddress('::', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a source may name an address. `local`: the source is on this machine. */
export function permits(address: string, local: boolean): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || never.check(address, family)) return false;
  return local || !loopback.check(address, family);
}

/** The targets that can be used, and how many were left out. */
export function checked(
  found: readonly FoundTarget[],
  local: boolean,
): { readonly targets: readonly SuppliedTarget[]; readonly refused: number } {
  const targets = new Map<string, SuppliedTarget>();
  let refused = 0;
  for (const one of found) {
    const target = targetOf(one, local);
    if (target === undefined || targets.size === MOST_ENDPOINTS) refused++;
    // Sources may name an instance twice, such as two slices of Kubernetes while it moves between them.
    else if (!targets.has(target.url)) targets.set(target.url, target);
  }
  return { targets: [...targets.values()].sort(byUrl), refused };
}

/** In an order that does not depend on that of the source. */
const byUrl = (one: SuppliedTarget, other: SuppliedTarget): number => (one.url < other.url ? -1 : 1);

function targetOf({ url, weight = 1, zone, priority = 0 }: FoundTarget, local: boolean): SuppliedTarget | undefined {
  if (typeof url !== 'string' || url.length > LONGEST_URL || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return undefined;
  if (parsed.username || parsed.password || parsed.search || parsed.hash || parsed.port === '0') return undefined;
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0 ? !isName(host, local) : !permits(host, local)) return undefined;
  if (!isWhole(weight, 1, MOST_WEIGHT) || !isWhole(priority, 0, MOST_PRIORITY)) return undefined;
  if (zone !== undefined && (typeof zone !== 'string' || zone === '' || zone.length > LONGEST_ZONE)) return undefined;
  return {
    url: parsed.pathname === '/' ? parsed.origin : `${parsed.origin}${parsed.pathname}`,
    weight,
    ...(zone === undefined ? {} : { zone }),
    ...(priority === 0 ? {} : { priority }),
  };
}

const isName = (host: string, local: boolean): boolean =>
  /^[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(host) && host.length <= 253 && (local || !/(^|\.)localhost\.?$/.test(host));

const isWhole = (value: unknown, least: number, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
