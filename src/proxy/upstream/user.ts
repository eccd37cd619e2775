/** What an upstream connection, or the wait for one, tells the exchange that it serves. */
import type { ErrorSlug } from '../errors/errors.js';
import type { ResponseHead } from '../http/response-head.js';
import type { UpstreamConnection } from './connection.js';
import type { Pipeline } from './pipeline.js';

export interface UpstreamUser {
  /** It is over: a connection that becomes free for it is not wanted any more. */
  readonly over: boolean;
  readonly method: string;
  /** It may wait behind others on a connection, and be sent again: no body, an idempotent method, not moved too often. */
  readonly shares: boolean;
  /** The client's address, IPv6 ones as their /64. */
  readonly clientKey: string;
  /** The client has not sent all of its body: how long it needs a connection hangs on the client. */
  readonly streams: boolean;
  /** One that had served before died under its request: it needs one that has not. */
  readonly fresh: boolean;
  /** Monotonic milliseconds at which its present attempt began. */
  readonly since: number;
  /** Yours until the reply ends or fails. */
  onConnection(connection: UpstreamConnection): void;
  /** A place in the line of those whose replies come by one connection, for users that share. */
  onPlace(pipeline: Pipeline): void;
  /** There will be none: the queue is full, the wait too long, or connecting failed. `blame`: the target for it. */
  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void;
  /** 1xx but 101. */
  onInterim(head: ResponseHead): void;
  /** The head is valid until this returns. */
  onHead(head: ResponseHead): void;
  /**
   * Payload of the reply's body, valid until this returns; `last` when the body ends with it (perhaps empty).
   * False: no more for now, please.
   */
  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /**
   * The connection died or was killed before the reply's end. `untouched`: it was merely closed, and not a byte of the
   * reply had come. `reused`: it had served before, so that the target may have closed it before it saw the request.
   */
  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void;
  /** The line that it stood in goes no further, and its turn had not come: nobody's failure, ask again. */
  onMoved(): void;
  /** It takes more of the request's body. */
  onWritable(): void;
}
