/** The connections to a target, as its service and the exchanges use them. There is one implementation for each version of HTTP. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { PlainTarget } from './connect.js';
import type { SlowClients } from './slow-clients.js';
import type { SecureTarget } from './tls.js';
import type { UpstreamUser } from './user.js';

/** The target of a pool. A reload may change its settings and slot. */
export interface PoolTarget extends SecureTarget, PlainTarget {
  readonly url: string;
  readonly secure: boolean;
  readonly settings: ServiceEntry;
  readonly slot: number;
}

export interface TargetPool {
  /** Exchanges that use a connection and wait for their clients. */
  readonly slow: SlowClients;
  /** Takes over the bounds of the target's settings; those of the whole gateway are divided among `sharers`. */
  configure(sharers: number): void;
  /** Gives `user` a connection, or a place on one, now or later; or calls onUnavailable(). */
  acquire(user: UpstreamUser): void;
  /** Whether there is a connection for a request with an incomplete body. */
  readonly takesParts: boolean;
  /** Whether there are connections to spare, for a client that may wait for a reply to a part of its body. */
  readonly hasSpare: boolean;
  /** Checks all deadlines; called a few times a second with the monotonic time. */
  sweep(now: number): void;
  /** Memory is low: closes idle connections. */
  shrink(): void;
  /** Connections close as they become free. */
  retire(): void;
  revive(): void;
  /** No connections, and no exchange waits for one. */
  readonly unused: boolean;
  /** Closes all connections at once. */
  close(): void;
}
