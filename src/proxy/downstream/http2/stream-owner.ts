import type { ConnectionHost, ConnectionListener } from '../connection/host.js';
import type { ReplyFields } from './reply-fields.js';

/** What a stream uses of its connection. */
export interface StreamOwner {
  readonly host: ConnectionHost;
  readonly listener: ConnectionListener;
  readonly fields: ReplyFields;
  /** The socket is not read for now: the client is not late. */
  readonly held: boolean;
  /** Payload of the client has left the buffer of its stream. */
  onConsumed(): void;
  /** Why the connection is closed or failed; undefined while it is open. */
  readonly failure: string | undefined;
  /** Whether `fields`, name and value by turns, are all of the next header block of a stream. */
  isWhole(stream: number, fields: readonly string[]): boolean;
  /** Whether the client has begun the stream and not ended it. */
  sends(stream: number): boolean;
  /** The exchange of a stream has ended. */
  onAnswered(cut: boolean): void;
  /** The stream is over. */
  onStreamClosed(id: number): void;
}
