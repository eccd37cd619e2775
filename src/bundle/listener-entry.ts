/** A listener in the program. */
import type { ListenerTls } from './tls-entry.js';
import type { RefString } from './values.js';

export interface ListenerEntry {
  readonly name: string;
  /** `host:port`, `[v6]:port`, or `unix:/path`. */
  readonly address: RefString;
  /** Permissions of a unix socket. Absent: 0660. */
  readonly socketMode?: number;
  readonly tls?: ListenerTls;
  /** Connections begin with a PROXY header of a trusted proxy. */
  readonly proxyProtocol?: true;
  /** It only redirects to https, at this port. Absent: it serves routes. */
  readonly redirect?: number;
  /** In order of preference; absent: HTTP/2 and HTTP/1.1. */
  readonly protocols?: readonly ('h2' | 'http/1.1')[];
  /** HTTP/2 also on releases of Node that leak memory with it. */
  readonly forceHttp2?: boolean;
  /** Maximum size of request head and body, bytes. */
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly maxHeaders: number;
  /** Maximum length of a request target, bytes. */
  readonly maxTargetBytes: number;
  /** Milliseconds. */
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  readonly idleTimeout: number;
  /** Over all workers. */
  readonly maxConnections: number;
  /** Absent: the default of the data plane, which does not apply to addresses of this machine. */
  readonly maxConnectionsPerAddress?: number;
  readonly maxRequestsPerConnection: number;
  /** Of one HTTP/2 connection. Absent: the default of the data plane. */
  readonly maxStreams?: number;
  /** Bytes per second; 0: no minimum. */
  readonly minBodyRate: number;
  /** Treatment of header names with underscores. */
  readonly underscores: 'refuse-aliases' | 'refuse' | 'drop' | 'keep';
  /** Addresses (CIDR) whose X-Forwarded-* are trusted and extended; those of others are replaced. */
  readonly trustedProxies: readonly string[];
}
