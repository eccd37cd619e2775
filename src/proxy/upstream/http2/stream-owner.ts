import type { ClientHttp2Stream } from 'node:http2';
import type { Failure } from './failure.js';
import type { RawFields, requestFields } from './fields.js';

/** What a stream uses of its connection. `Stream`: the class of the stream. */
export interface StreamOwner<Stream> {
  readonly secure: boolean;
  /** Milliseconds. */
  readonly responseTimeout: number;
  /** The connection has served another request before. */
  readonly reused: boolean;
  /** Why the connection has ended; undefined while it is open. */
  readonly failure: Failure | undefined;
  /** Whether the target has not processed the stream with this number, as it has said. */
  isUnprocessed(id: number): boolean;
  /** Whether `fields`, name and value by turns, are all of the next header block of a stream. */
  isWhole(stream: number, fields: RawFields): boolean;
  /** Throws if the connection takes no request any more. */
  open(fields: ReturnType<typeof requestFields>, endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream;
  /** Monotonic milliseconds, at most one sweep old. */
  cachedNow(): number;
  /** Reads the clock. */
  readClock(): number;
  /** Bytes of heads and bodies have come. */
  received(bytes: number): void;
  /** A head has come: flushHead() follows, after what else has come in this turn. */
  headCame(stream: Stream): void;
  /** The request's body is complete. */
  whole(stream: Stream): void;
  /** The place is free again. */
  release(stream: Stream): void;
  /** A reply is late: the connection may be dead. */
  late(): void;
  bug(error: unknown): void;
}
