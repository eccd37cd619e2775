/** Addresses as rules judge them: what they bind or reach, and whether that is inside a private network. */
import { isIPv4, isIPv6 } from 'node:net';
import type { RefString } from '../bundle/types.js';

export interface Endpoint {
  /** Lower case, without brackets; '' for all interfaces. */
  readonly host: string;
  readonly port: number;
}

/** A listener's `host:port`; undefined when it holds a reference, and so is unknown until load. */
export function endpointOf(address: RefString): Endpoint | undefined {
  if (typeof address !== 'string') return undefined;
  const colon = address.lastIndexOf(':');
  return { host: bare(address.slice(0, colon)), port: Number(address.slice(colon + 1)) };
}

export interface TargetEndpoint extends Endpoint {
  readonly scheme: 'http' | 'https';
  readonly path: string;
}

/** A target's URL in parts, with the scheme's port where none is written. */
export function targetEndpoint(url: RefString): TargetEndpoint | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
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
/** Names that resolve inside a network only: one label, or a suffix that the public DNS does not hold. */
const PRIVATE_NAME = /^[^.]+$|\.(local|internal|intranet|lan|corp|home|home\.arpa|private|test|svc)$/;

/** True when the host is on this machine or in a network that is not routed on the internet. */
export function isPrivate(host: string): boolean {
  if (isAnyAddress(host) || isLoopback(host)) return true;
  if (isIPv4(host)) return PRIVATE_V4.some((range) => range.test(host));
  if (isIPv6(host)) return /^f[cd]/.test(host) || /^fe[89ab]/.test(host);
  return PRIVATE_NAME.test(host);
}

/** True when binding both at once fails: one of them covers the other. Port 0 is another port each time. */
export function collide(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return sameHost(a.host, b.host) || isAnyAddress(a.host) || isAnyAddress(b.host);
}

/** True when a connection to `target` ends at `listener`. */
export function reaches(target: Endpoint, listener: Endpoint): boolean {
  if (target.port !== listener.port || listener.port === 0) return false;
  if (sameHost(target.host, listener.host)) return true;
  const local = isLoopback(target.host) || isAnyAddress(target.host);
  // Connecting to 0.0.0.0 reaches this machine's loopback.
  return local && (isAnyAddress(listener.host) || isLoopback(listener.host));
}

function sameHost(a: string, b: string): boolean {
  if (a === b) return true;
  return (isLoopback(a) && b === 'localhost') || (a === 'localhost' && isLoopback(b));
}
