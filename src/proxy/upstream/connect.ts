/** Where the connections to a target lead, as node:net wants it. */
import type { LookupFunction } from 'node:net';

/** A target without TLS. */
export interface PlainTarget {
  readonly host: string;
  /** The IP address of the host; undefined: the host is looked up. */
  readonly address: string | undefined;
  readonly port: number;
  /** Of a unix socket; undefined: it is reached by TCP. */
  readonly path: string | undefined;
}

type Place = { path: string } | { host: string; port: number; lookup: LookupFunction; noDelay: true };

/** Options of connect() for a target. */
export const placeOf = ({ address, host, path, port }: PlainTarget, lookup: LookupFunction): Place =>
  path === undefined ? { host: address ?? host, port, lookup, noDelay: true } : { path };
