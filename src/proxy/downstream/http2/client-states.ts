/**
 * Which streams the client may still send on, RFC 9113 section 5.1. nghttp2 forgets a stream when it closes, and ignores what
 * comes for it later. A stream that the client itself has ended is different: further frames are a mistake of the client.
 */
import { constants } from 'node:http2';
import { Flag, Frame } from '../../http2/frame-scanner.js';

const { NGHTTP2_PROTOCOL_ERROR, NGHTTP2_STREAM_CLOSED } = constants;

/** Numbers that a client may leave out before they count as used. */
const MOST_GAPS = 32;

/** The stream that a PRIORITY frame depends on, RFC 7540 section 6.3; -1 if it is not there yet. */
const dependency = (bytes: Uint8Array, at: number): number =>
  at + 4 > bytes.length
    ? -1
    : ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export class ClientStates {
  /** The highest stream of the client. */
  last = 0;
  /** Streams that it has begun and not ended. Bounded by the number of its requests. */
  readonly #open = new Set<number>();
  /** Streams that it has left out: first and last of each gap. */
  readonly #gaps: (readonly [number, number])[] = [];

  /** PING frames of gw without an answer. */
  #pings = 0;
  /** Answers without a PING. */
  #strayAnswers = 0;

  /**
   * A frame of the client, whose payload begins at bytes[at] as far as it is there. Returns the code of a connection error, or
   * undefined.
   */
  received(type: number, flags: number, stream: number, bytes: Uint8Array, at: number): number | undefined {
    if (type === Frame.Ping && flags & Flag.Ack) this.#answered();
    // Newer releases of nghttp2 ignore this frame whatever it says.
    if (type === Frame.Priority && (stream === 0 || dependency(bytes, at) === stream)) return NGHTTP2_PROTOCOL_ERROR;
    if (type !== Frame.Headers && type !== Frame.Data && type !== Frame.RstStream) return undefined;
    // nghttp2 refuses numbers that no client may use, and frames on streams that are not begun.
    if ((stream & 1) === 0) return undefined;
    if (type === Frame.RstStream) {
      this.#open.delete(stream);
      return undefined;
    }
    if (stream > this.last) {
      if (type === Frame.Headers) this.#begin(stream);
    } else if (!this.#open.has(stream)) return this.#isUnused(stream) ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_STREAM_CLOSED;
    if (flags & Flag.EndStream) this.#open.delete(stream);
    return undefined;
  }

  /** Whether the client has begun the stream and not ended it. */
  isOpen(stream: number): boolean {
    return this.#open.has(stream);
  }

  /** gw has sent a PING. */
  pinged(): void {
    this.#pings++;
  }

  #answered(): void {
    if (this.#pings > 0) this.#pings--;
    else this.#strayAnswers++;
  }

  /** Whether the client has answered a PING that gw did not send; each such answer is reported once. */
  takeStrayAnswer(): boolean {
    if (this.#strayAnswers === 0) return false;
    this.#strayAnswers--;
    return true;
  }

  #begin(stream: number): void {
    if (stream > this.last + 2 && this.#gaps.length < MOST_GAPS) this.#gaps.push([this.last + 1, stream - 1]);
    this.last = stream;
    this.#open.add(stream);
  }

  #isUnused(stream: number): boolean {
    return this.#gaps.some(([from, to]) => stream >= from && stream <= to);
  }
}
