/**
 * The body of one reply on its way into a stream. node:http2 splits it into frames within the windows of the client; what it has
 * no room for waits here, so that the connection to the target becomes free.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { BLOCK, blocks } from '../../load/blocks.js';
import { type BodyBudget, BodyBuffer } from '../../load/body-buffer.js';
import { WRITE_BUFFER } from '../http1/connection-state.js';

/** Bytes of a reply that are buffered beyond the stream's own buffer. */
const MOST_HELD = 1024 * 1024;
/** Up to this many bytes, a copy is not worth a block of its own. */
const SMALL = 4 * 1024;

/** Writes after a reset of the stream are lost; its `close` ends the exchange. */
const ignore = (): void => {};

export class StreamWriter {
  /** Bytes of the reply: fields and body. */
  sent = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #budget: BodyBudget;
  #held: BodyBuffer | undefined = undefined;
  /** Bytes of the body that are still to come; -1 if unknown. */
  #owed = -1;
  /** More of it came than was announced. */
  #surplus = false;
  /** All of it is here. */
  #ended = false;

  constructor(stream: ServerHttp2Stream, budget: BodyBudget) {
    this.#stream = stream;
    this.#budget = budget;
  }

  /** A body of `length` bytes follows; -1: of unknown length. */
  begin(length: number): void {
    this.#owed = length;
  }

  /** Bytes that are not sent yet. */
  get unsent(): number {
    return this.#stream.destroyed ? 0 : this.#stream.writableLength + (this.#held?.length ?? 0);
  }

  /** Bytes that the client's windows have let through. */
  get taken(): number {
    return this.sent - this.unsent;
  }

  /** The body so far is as long as announced. */
  get complete(): boolean {
    return this.#owed <= 0 && !this.#surplus;
  }

  /**
   * Payload buffer[start, given); copied before this returns. Returns false if the client must read first. The `last` part ends
   * the stream if the body is complete.
   */
  body(buffer: Buffer, start: number, given: number, last: boolean): boolean {
    let end = given;
    if (this.#owed >= 0) {
      // A policy's body is longer than it said: the rest must not follow the announced length.
      end = Math.min(given, start + this.#owed);
      this.#owed -= end - start;
      this.#surplus ||= end < given;
    }
    this.sent += end - start;
    if (this.#held !== undefined || this.#full) {
      this.#held ??= new BodyBuffer(this.#budget);
      this.#held.add(buffer, start, end);
    } else if (last && end > start && end - start <= SMALL && this.complete) {
      this.#stream.end(Buffer.from(buffer.subarray(start, end)), ignore);
      return true;
    } else if (end > start) this.#copy(buffer, start, end);
    if (last && this.complete) this.#ended = true;
    this.#release();
    return this.#held === undefined ? !this.#full || this.#mayHold() : this.#mayHold();
  }

  /** A body that is here as a whole, and the end of the stream. */
  whole(body: Uint8Array): void {
    this.sent += body.length;
    this.#stream.end(body);
  }

  /** Ends the stream after what is here, though the body is not complete. */
  finish(): void {
    this.#ended = true;
    this.#release();
  }

  get #full(): boolean {
    return this.#stream.writableLength >= WRITE_BUFFER;
  }

  #mayHold(): boolean {
    const room = this.#held === undefined ? Math.min(MOST_HELD, this.#budget.share) : this.#held.room(MOST_HELD);
    return this.#owed >= 0 ? this.#owed <= room : room > 0;
  }

  #copy(buffer: Buffer, start: number, end: number): void {
    const count = end - start;
    if (count <= SMALL || count > BLOCK) {
      this.#stream.write(Buffer.from(buffer.subarray(start, end)), ignore);
      return;
    }
    const block = blocks.take(count);
    buffer.copy(block, 0, start, end);
    // Node calls this also for a stream that is destroyed.
    this.#stream.write(block.subarray(0, count), () => blocks.give(block));
  }

  /** The client has read. Returns false if it must read more before there is room. */
  onDrain(): boolean {
    this.#release();
    return this.#held === undefined || this.#mayHold();
  }

  /** Moves buffered bytes to the stream, as much as fits, and ends it after the last ones. */
  #release(): void {
    const held = this.#held;
    while (held !== undefined && !this.#full) {
      const block = held.shift();
      if (block === undefined) break;
      this.#stream.write(block.bytes, () => this.#budget.give(block));
    }
    if (held !== undefined && held.length > 0) return;
    this.#held = undefined;
    if (this.#ended && !this.#stream.writableEnded) this.#stream.end();
  }

  /** Drops what is buffered. */
  drop(): void {
    this.#held?.clear();
    this.#held = undefined;
  }
}
