/** The interface between an exchange and the upstream connection that serves it. */
import type { HeaderFields } from '../../contract/index.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { ResponseHead } from '../http/response-head.js';

/** The connection that brings an exchange its reply. */
export interface ReplyChannel {
  /** The reply is paused, since the client's side does not take it. */
  readonly held: boolean;
  /** Stops reading. The time until resume() does not count against the target. */
  pause(): void;
  /** Continues with the body of this user's reply, held bytes first. */
  resume(user: UpstreamUser): void;
  /** `user` does not want its reply any more. */
  abandon(user: UpstreamUser): void;
}

/** How the head says where the body of a request ends. */
export type RequestFraming = 'none' | 'length' | 'chunked';

/** A connection that serves one exchange at a time. */
export interface OwnConnection extends ReplyChannel {
  /** It can take more of the request's body. */
  readonly writable: boolean;
  /**
   * Begins a request: `text` is its head with the empty line, which announces `framing`. The head is written with the first bytes
   * of the body; without a body, in the next batch of writes. The response timeout begins.
   */
  begin(user: UpstreamUser, text: string, framing: RequestFraming): void;
  /** Trailer fields, before the last write(). Dropped if the framing has no place for them. */
  trailers(fields: HeaderFields): void;
  /** Payload of the request's body, which may be empty only if it is `last`. Valid until this returns. */
  write(bytes: Buffer, last: boolean): void;
  /** Writes the head now if it still waits for the first bytes of a body. */
  flush(): void;
  /** Restarts the response timeout: some of the request's body was sent. */
  awaitReply(): void;
  /** Returns the unused connection to its pool. */
  giveBack(): void;
  abandon(): void;
}

/** A connection that several exchanges share, RFC 9112 section 9.3.2. */
export interface SharedConnection extends ReplyChannel {
  /** Queues the request of `user`: a head with the empty line. */
  begin(user: UpstreamUser, text: string): void;
}

/** An exchange that waits for an upstream connection or uses one. */
export interface UpstreamUser {
  /** The exchange has ended: it needs no connection any more. */
  readonly over: boolean;
  readonly method: string;
  /** It may share a connection and be sent again: no body, an idempotent method, not moved too often. */
  readonly shares: boolean;
  /** The client's address, IPv6 addresses as their /64. */
  readonly clientKey: string;
  /** The client's address, for a PROXY header. Absent or '': it is not known, or there is no client. */
  readonly clientAddress?: string | undefined;
  /** Some of its request body is still missing: the client decides how long it needs the connection. */
  readonly streams: boolean;
  /** It needs a new connection, since a reused one died under its request. */
  readonly fresh: boolean;
  /** Monotonic milliseconds at which its present attempt began. */
  readonly since: number;
  /**
   * Milliseconds that it waits for the next bytes of its reply; 0: without end. Absent: `response_timeout` of the service. Read
   * for each wait, and only for replies that do not come in one read.
   */
  readonly replyTimeout?: number | undefined;
  /** The connection is its own until the reply ends or fails. */
  onConnection(connection: OwnConnection): void;
  /** A place on a shared connection, for users that share. */
  onPlace(connection: SharedConnection): void;
  /** There is no connection: the queue is full, the wait too long, or connecting failed. `blame`: the target's fault. */
  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void;
  /** An informational reply other than 101. */
  onInterim(head: ResponseHead): void;
  /** The head is valid until this returns. */
  onHead(head: ResponseHead): void;
  /** Trailer fields of the reply, as `name:value` lines, before the last onBody(). */
  onTrailers(lines: string): void;
  /**
   * Payload of the reply's body, valid until this returns; `last` at the end of the body (the payload may be empty). Returns
   * false if it takes no more for now.
   */
  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /**
   * The connection ended before the reply did. `untouched`: it was closed before any byte of the reply. `reused`: it had
   * served another request, so that the target may have closed it before it received this one.
   */
  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void;
  /**
   * The target has not processed the request, as it has said (RFC 9113 sections 6.8 and 8.7), or nothing of it was sent: it may be
   * sent again whatever its method is. `body`: what was written of it; undefined: too much to keep.
   */
  onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void;
  /** The shared connection ended before the reply's turn: ask again. Not a failure of the target. */
  onMoved(): void;
  /** The target has ended the stream of HTTP/2 with this error code; onFailure() follows. */
  onReset?(code: number): void;
  /** The connection takes more of the request's body. */
  onWritable(): void;
}

/** Monotonic time by which the next bytes of a user's reply must come; 0: no such time. */
export function replyDeadline(now: number, user: UpstreamUser | null, responseTimeout: number): number {
  const ms = user?.replyTimeout ?? responseTimeout;
  return ms === 0 ? 0 : now + ms;
}
