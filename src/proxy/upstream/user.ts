/** What an upstream connection, or the wait for one, tells the exchange that it serves. */
import type { ErrorSlug } from '../errors.js';
import type { ResponseHead } from '../http/response-head.js';
import type { UpstreamConnection } from './connection.js';

export interface UpstreamUser {
  /** It is over: a connection that becomes free for it is not wanted any more. */
  readonly over: boolean;
  /** Yours until the reply ends or fails. */
  onConnection(connection: UpstreamConnection): void;
  /** There will be none: the queue is full, the wait too long, or connecting failed. */
  onUnavailable(error: ErrorSlug): void;
  /** 1xx but 101. */
  onInterim(head: ResponseHead): void;
  /** The head is valid until this returns. */
  onHead(head: ResponseHead): void;
  /**
   * Payload of the reply's body, valid until this returns; `last` when the body ends with it (perhaps empty).
   * False: no more for now, please.
   */
  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /** The connection died or was killed before the reply's end. */
  onFailure(error: ErrorSlug): void;
  /** It takes more of the request's body. */
  onWritable(): void;
}
