/** What answers a route, at the end of its chain. */
import type { Json } from '../bundle/types.js';
import type { Exchange, ExchangeEnd, Reply } from './exchange.js';
import type { PolicyHost } from './host.js';
import type { Awaitable } from './policy.js';

export interface ActionInstance {
  /**
   * Answers the request: with a reply, or with what host.forward() returned. A throw or rejection gives 500. If the exchange
   * ends while the result is pending, the late result is dropped.
   */
  start(exchange: Exchange): Awaitable<Reply | Forwarded>;
  /** Once for each exchange that started it. Synchronous; an exception is logged. */
  finished?(exchange: Exchange, end: ExchangeEnd): void;
  /** For the admin snapshot. */
  stats?(): Json;
  /** The last generation that uses it has ended. */
  close?(): void;
}

/** The mark that host.forward() returns: the reply comes from a target. */
export interface Forwarded {
  readonly forwarded: true;
}

/** The memory of a worker for bodies, which everything that buffers shares. */
export interface BodyMemory {
  /** Counts bytes that are about to be kept; false: there is no room, and nothing is counted. */
  take(bytes: number): boolean;
  /** Bytes that were taken are free again. */
  give(bytes: number): void;
}

export interface StoredCallFacts {
  readonly label: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Of the body. */
  readonly bytes: number;
  readonly startedAt: number;
}

export interface ActionHost extends PolicyHost {
  /**
   * Whether no policy sees the replies of the route. Then start() may return the same reply for every request: a
   * ConstantReply of the run kit, whose head is serialized once.
   */
  readonly constantReplies: boolean;
  /**
   * Sends the request with its body to a target of the route's service when start() returns the result; the target's reply
   * becomes that of the exchange. Without a service the reply is 503.
   */
  forward(exchange: Exchange): Forwarded;
  /**
   * The fields that a target would get with the request: as the policies of the route have left them, with the forwarding fields of
   * gw; without Host, Via, x-request-id, framing and hop-by-hop fields. For calls on behalf of the caller.
   */
  passedFields(exchange: Exchange): Iterable<readonly [name: string, value: string]>;
  /**
   * Collects the body of the request, at most `max` bytes, in the memory for such bodies; empty if it has none. A reply if it is too
   * large, has a content coding, or no memory is left. Not for an action that calls forward(). Never settles if the exchange ends first.
   */
  collectBody(exchange: Exchange, max: number): Promise<Uint8Array | Reply>;
  /**
   * Adds a call to the records of the exchange that the action has answered itself, from a reply that it has stored. It has ended now.
   * `path`: with or without a query, which is left out. `startedAt`: monotonic milliseconds.
   */
  recordStored(exchange: Exchange, call: StoredCallFacts): void;
  /** For replies of calls that an action keeps until its own reply is sent. */
  readonly memory: BodyMemory;
}

/** Creates an action at load. Throws to refuse the load. */
export type CreateAction<Settings extends Json = Json> = (settings: Settings, host: ActionHost) => ActionInstance;
