/** Replies to what is not a request. They have no exchange: the streams are kept only until their clients have read them. */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';

interface Refused {
  readonly stream: ServerHttp2Stream;
  /** Monotonic milliseconds. */
  readonly since: number;
}

const NOT_READ = new Error('the client has not read its reply');

export class Refusals {
  /** By their ids. Bounded by the number of streams that a client may open. */
  readonly #open = new Map<number, Refused>();

  /** Sends the whole reply. `now` in monotonic milliseconds. */
  refuse(stream: ServerHttp2Stream, fields: OutgoingHttpHeaders, body: Uint8Array | null, now: number): void {
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    const { id } = stream;
    if (id === undefined) return;
    this.#open.set(id, { stream, since: now });
    stream.on('close', () => this.#open.delete(id));
    stream.respond(fields);
    if (!stream.writableEnded) stream.end(body ?? undefined);
    // What the client still sends must not be kept.
    stream.resume();
  }

  /** The reply on a stream is written: the rest of the request is not wanted (RFC 9113 section 8.1). */
  endSent(id: number): void {
    const refused = this.#open.get(id);
    if (refused !== undefined) setImmediate(() => refused.stream.destroy());
  }

  /** Resets streams whose clients have not read for `timeout` milliseconds. */
  sweep(now: number, timeout: number): void {
    for (const { stream, since } of this.#open.values()) if (now - since >= timeout) stream.destroy(NOT_READ);
  }
}
