/** What addresses bind or reach, and whether they are private. */
import { isIPv4, isIPv6 } from 'node:net';
import type { RefString } from '../bundle/types.js';

export interface Endpoint {
  /** Lower case, without brackets; '' for all interfaces. */
  readonly host: string;
  readonly port: number;
}

/** Parses a listener's `host:port`; undefined for a unix socket and for a reference, which is resolved only at load. */
export function endpointOf(address: RefString): Endpoint | undefined {
  if (typeof address !== 'string' || address.startsWith('unix:')) return undefined;
  const colon = address.lastIndexOf(':');
  return { host: bare(address.slice(0, colon)), port: Number(address.slice(colon + 1)) };
}

export interface TargetEndpoint extends Endpoint {
  readonly scheme: 'http' | 'https';
  readonly path: string;
}

/** The parts of a target URL; without a port, that of the scheme. Undefined for a unix socket. */
export function targetEndpoint(url: RefString): TargetEndpoint | undefined {
  if (typeof url !== 'string' || url.startsWith('unix:') || !URL.canParse(url)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(url);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  return {
    scheme,
    host: bare(hostname),
    port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    path: pathname.replace(/\/$/, ''),
  };
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, '').toLowerCase();

export const isAnyAddress = (host: string): boolean => host === '' || host === '0.0.0.0' || /^[0:]*:[0:]*$/.test(host);

/** Loopback by RFC 1122, RFC 4291 and RFC 6761. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return /^[0:]*:0*1$/.test(host) || host.startsWith('::ffff:127.');
  return host === 'localhost' || host.endsWith('.localhost');
}

/** Ranges that are not routed on the internet: RFC 1918, 3927, 6598, 4193, 4291. */
const PRIVATE_V4 = [
  /^10\./,
  /^192\.168\./,
  /^172\.(1[6-9]|2\d|3[01])\./,
  /^169\.254\./,
  /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./,
];
/** Names that resolve only inside a network: one label, or a suffix that is not in public DNS. */
const PRIVATE_NAME = /^[^.]+$|\.(local|internal|intranet|lan|corp|home|home\.arpa|private|test|svc)$/;

/** Whether the host is this machine or in a network that is not routed on the internet. */
export function isPrivate(host: string): boolean {
  if (isAnyAddress(host) || isLoopback(host)) return true;
  if (isIPv4(host)) return PRIVATE_V4.some((range) => range.test(host));
  if (isIPv6(host)) return /^f[cd]/.test(host) || /^fe[89ab]/.test(host);
  return PRIVATE_NAME.test(host);
}

/** Endpoints bound to one port, by number. */
interface Bound {
  readonly first: number;
  readonly byHost: Map<string, number>;
  any: number;
  loopback: number;
}

/** Bound addresses in order; finds the first one that collides with another. Port 0 is a different port each time. */
export class BoundEndpoints {
  readonly #ports = new Map<number, Bound>();
  #count = 0;

  /** Returns the number of the endpoint: 0, 1, ... */
  add({ host, port }: Endpoint): number {
    const number = this.#count++;
    if (port === 0) return number;
    let bound = this.#ports.get(port);
    if (bound === undefined) {
      bound = { first: number, byHost: new Map(), any: NEVER, loopback: NEVER };
      this.#ports.set(port, bound);
    }
    if (!bound.byHost.has(host)) bound.byHost.set(host, number);
    if (isAnyAddress(host)) bound.any = Math.min(bound.any, number);
    if (isLoopback(host)) bound.loopback = Math.min(bound.loopback, number);
    return number;
  }

  /** The number of the first endpoint that cannot be bound together with this one: one covers the other. */
  colliding({ host, port }: Endpoint): number | undefined {
    const bound = this.#ports.get(port);
    if (bound === undefined) return undefined;
    return known(isAnyAddress(host) ? bound.first : Math.min(sameHost(bound, host), bound.any));
  }

  /** The number of the first endpoint that accepts a connection to this one. */
  reachedBy({ host, port }: Endpoint): number | undefined {
    const bound = this.#ports.get(port);
    if (bound === undefined) return undefined;
    // Connecting to 0.0.0.0 reaches this machine's loopback.
    const isLocal = isLoopback(host) || isAnyAddress(host);
    const local = isLocal ? Math.min(bound.any, bound.loopback) : NEVER;
    return known(Math.min(sameHost(bound, host), local));
  }
}

const NEVER = Number.POSITIVE_INFINITY;
const known = (number: number): number | undefined => (number === NEVER ? undefined : number);

/** The first endpoint with this host; `localhost` is every loopback address. */
function sameHost({ byHost, loopback }: Bound, host: string): number {
  const same = Math.min(byHost.get(host) ?? NEVER, (isLoopback(host) ? byHost.get('localhost') : undefined) ?? NEVER);
  return host === 'localhost' ? Math.min(same, loopback) : same;
}
