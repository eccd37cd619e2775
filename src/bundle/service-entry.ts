/** A service in the program: its targets, and how requests are sent to them. */
import type { BalanceEntry } from './service/balance.js';
import type { BreakerEntry } from './service/breaker.js';
import type { DiscoverEntry } from './service/discover.js';
import type { EjectEntry } from './service/eject.js';
import type { HealthEntry } from './service/health.js';
import type { Http2Entry } from './service/http2.js';
import type { RetryEntry } from './service/retry.js';
import type { RunEntry } from './service/run.js';
import type { StickyEntry } from './service/sticky.js';
import type { ServiceTls } from './tls-entry.js';
import type { RefString } from './values.js';

export interface TargetEntry {
  /** `http://host:port` or `https://host:port`, with an optional base path. */
  readonly url: RefString;
  /** 0: only for requests that no other target can get. */
  readonly weight: number;
  /** Absent: none. */
  readonly zone?: string;
  /** 0, absent: served first. */
  readonly priority?: number;
}

/** Milliseconds after which a connection to a target is replaced, unless the spec says otherwise. */
export const CONNECTION_AGE = 600_000;

export interface ServiceEntry {
  readonly name: string;
  /** Not declared in the spec: a policy or an action calls its URL, which is its name. */
  readonly implicit?: true;
  /** Names of the policies that sign the calls to it, in the order they run; absent: none. */
  readonly policies?: readonly string[];
  /** Absent: smooth weighted round robin. */
  readonly balance?: BalanceEntry;
  /** Absent: clients do not keep their targets. */
  readonly sticky?: StickyEntry;
  /** Milliseconds in which the share of a target grows after it has come (back). Absent: at once. */
  readonly slowStart?: number;
  /** Zone of the gateway. Absent or empty: all zones are alike. */
  readonly zone?: RefString;
  /** Where control finds the targets; absent: `targets` has them. */
  readonly discover?: DiscoverEntry;
  /** Empty for a managed service, whose processes control supplies, and if they are discovered. */
  readonly targets: readonly TargetEntry[];
  readonly run?: RunEntry;
  /** Absent: no client certificate, and the public authorities. */
  readonly tls?: ServiceTls;
  /** Version of the PROXY header that connections begin with. Absent: none. */
  readonly proxyProtocol?: 'v1' | 'v2';
  /** Absent: HTTP/1.1. */
  readonly http2?: Http2Entry;
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly responseTimeout: number;
  readonly idleTimeout: number;
  /** Longest time between two lookups of the targets' names; absent: as DNS says. */
  readonly refresh?: number;
  /** Age from which a connection takes no further request; 0: no limit. Absent: CONNECTION_AGE. */
  readonly maxConnectionAge?: number;
  /** Maximum time without data on an upgraded connection; 0: no limit. */
  readonly tunnelIdleTimeout: number;
  /** Requests in flight that one target is meant to have. Absent: nothing is said. */
  readonly requestsPerTarget?: number;
  /** Milliseconds that requests wait while there is no target. Absent: they fail at once. */
  readonly waitForTargets?: number;
  /** Attempts after the first one, only for requests that are safe to repeat (RFC 9110 section 9.2.2). */
  readonly retries: number;
  /** Absent: the defaults. */
  readonly retry?: RetryEntry;
  /** Absent: no active checks. */
  readonly health?: HealthEntry;
  /** Absent: none. */
  readonly breaker?: BreakerEntry;
  /** Maximum requests in flight, over all workers; absent: no limit. */
  readonly maxRequests?: number;
  /** What becomes of a request whose client leaves; absent: it ends with its connection, but not with a FIN after the request. */
  readonly onClientClose?: 'finish' | 'cancel';
  /** Maximum connections to one target; further exchanges wait in a queue of `maxQueue`. */
  readonly maxConnections: number;
  readonly maxQueue: number;
  /** Percentage of `maxConnections` that one client address may use. */
  readonly maxSharePerAddress: number;
  /** Requests in flight on one connection to a target; 1: no pipelining. */
  readonly pipelining: number;
  /** Passive ejection: a target is ejected for `ejectFor` ms after this many consecutive failures. 0: never. */
  readonly ejectAfter: number;
  readonly ejectFor: number;
  /** Absent: the defaults. */
  readonly eject?: EjectEntry;
  /** Host for the target: `preserve` sends that of the client, `target` that of its URL, anything else is the Host itself. */
  readonly host: string;
}
