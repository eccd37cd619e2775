/** Targets become endpoints: one for each address of their names. */
import { BlockList, isIPv6 } from 'node:net';
import type { Endpoint } from '../../../proxy/types.js';
import { hostOf, type Names } from './names.js';
import type { SuppliedTarget, Supply } from './supply.js';

/** Endpoints of one service. Of more, the first ones are used. */
export const MOST_ENDPOINTS = 2000;
/** A larger factor would make weights that say nothing to a reader. */
const MOST_FACTOR = 10_000;

export type Unslotted = Omit<Endpoint, 'slot'>;

export interface Expanded {
  readonly endpoints: readonly Unslotted[];
  /** Why there are none; undefined if there are some, or nothing is known. */
  readonly cause: string | undefined;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** `names`: absent: no name is looked up here. */
export function expand({ targets, cause, permits }: Supply, names: Names | undefined): Expanded {
  const causes: string[] = [];
  const places = targets.map((target) => ({ target, addresses: addressesOf(target, names, causes, permits) }));
  const factor = places.reduce((product, { addresses }) => leastCommon(product, addresses.length), 1);
  const endpoints: Unslotted[] = [];
  for (const { target, addresses } of places) {
    // A target has its share of the traffic, however many addresses it has.
    const weight = targets.length === 1 ? target.weight : (target.weight * factor) / Math.max(1, addresses.length);
    for (const address of addresses) {
      if (endpoints.length === MOST_ENDPOINTS) break;
      endpoints.push({ ...target, weight, ...(address === undefined ? {} : { address }) });
    }
  }
  return { endpoints, cause: endpoints.length === 0 ? (cause ?? causes[0]) : undefined };
}

/** An undefined address: the worker looks it up when it connects. */
function addressesOf(
  { url }: SuppliedTarget,
  names: Names | undefined,
  causes: string[],
  permits: Supply['permits'],
): readonly (string | undefined)[] {
  const host = hostOf(url);
  const name = host === undefined ? undefined : names?.get(host);
  if (name === undefined) return [undefined];
  const { addresses, cause } = name;
  if (cause !== undefined) causes.push(cause);
  if (addresses === undefined) return cause === undefined && permits === undefined ? [undefined] : [];
  if (permits !== undefined) return addresses.filter(permits);
  return isThisMachine(addresses) ? [undefined] : addresses;
}

/** Loopback addresses of both families: one program, that listens on one of them or on both. */
const isThisMachine = (addresses: readonly string[]): boolean =>
  addresses.some(isIPv6) &&
  !addresses.every(isIPv6) &&
  addresses.every((address) => loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));

/** The least common multiple, or the larger number if it is too large. */
function leastCommon(one: number, other: number): number {
  if (other <= 1) return one;
  let [a, b] = [one, other];
  while (b > 0) [a, b] = [b, a % b];
  const multiple = (one / a) * other;
  return multiple <= MOST_FACTOR ? multiple : Math.max(one, other);
}
