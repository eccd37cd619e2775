/** What client connections use of the data plane and of their listener. */
import type { ListenerEntry } from '../../../bundle/types.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { Downstream } from '../../exchange/downstream.js';
import type { Driver } from '../../exchange/driver.js';
import type { GwExchange } from '../../exchange/exchange.js';
import type { Generation } from '../../exchange/generation.js';
import type { LeftClients } from '../../exchange/left-clients.js';
import type { TrustedProxies } from '../../exchange/peer.js';
import type { ExchangeHost } from '../../exchange/request-description.js';
import type { RequestHead } from '../../http/request-head.js';
import type { BodyBudget } from '../../load/body-buffer.js';
import type { FairScheduler } from '../../load/fair-scheduler.js';
import type { WriteBatcher } from '../../load/write-batcher.js';
import type { ClientConnection, ClientSocket, Protocol } from './client-connection.js';
import type { Http2Switch } from './preface.js';

export interface ConnectionHost extends ExchangeHost {
  /** The live generation; undefined only before the first load. */
  readonly generation: Generation | undefined;
  /** Scratch that each request head is parsed into. */
  readonly head: RequestHead;
  readonly driver: Pick<Driver, 'fail'>;
  readonly batcher: WriteBatcher;
  readonly scheduler: Pick<FairScheduler, 'held' | 'wait'>;
  /** Memory of buffered bodies. */
  readonly bodies: BodyBudget;
  /** `date: ...` with CRLF. */
  readonly dateLine: string;
  /** No new exchange may keep its connection. */
  readonly draining: boolean;
  /** Milliseconds before `min_body_rate` applies to a client. */
  readonly bodyGrace: number;
  /** Monotonic milliseconds, at most one sweep old. */
  cachedNow(): number;
  /** Begins an exchange. Throws only for a bug. */
  begin(exchange: GwExchange, downstream: Downstream): void;
  /** Counts and logs an exchange that ended at `now` (monotonic). */
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void;
  /** Takes exchanges that go on without their clients. */
  readonly left: Pick<LeftClients, 'adopt'>;
  /** Counts and logs input that was not a request. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void;
  /** Logs an unexpected exception. */
  bug(error: unknown, request?: string): void;
}

export interface ConnectionListener {
  readonly entry: ListenerEntry;
  readonly proxies: TrustedProxies;
  /** What it speaks, in order of preference. */
  readonly protocols: readonly Protocol[];
  /** It takes no new exchanges: connections close after their exchange. */
  readonly closing: boolean;
  /** Requests that came while their idle connections were being closed. */
  raced: number;
}

/** What a connection reports to its listener. */
export interface ConnectionOwner extends ConnectionListener {
  /** How `from` becomes an HTTP/2 connection, if its client begins with that; undefined: the listener does not speak it. */
  switchOf(from: ClientConnection, client: ClientSocket): Http2Switch | undefined;
  /** The connection has closed. */
  gone(connection: ClientConnection): void;
}
