/** What the frames of a connection mean beside their streams: bounds against floods, and mistakes that nghttp2 lets pass. */
import { constants } from 'node:http2';
import type { ErrorSlug } from '../../errors/errors.js';
import { codeName } from '../../http/error-codes.js';
import { FieldCounts } from '../../http2/field-counts.js';
import { Flag, Frame } from '../../http2/frame-scanner.js';
import { ClientStates } from './client-states.js';
import { FloodGuard } from './flood-guard.js';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants;

/** What the frames need of their connection. */
export interface FramesOwner {
  /** Bytes of a request head, as for HTTP/1.1. */
  readonly maxHeaderBytes: number;
  /** Monotonic milliseconds; a value that is 100 ms old is precise enough. */
  cachedNow(): number;
  /** A frame of the client that is not DATA: its first one is SETTINGS. */
  onControl(): void;
  /** So much payload of requests is about to come. */
  onPayload(length: number): void;
  /** The frame that ends the reply on a stream, whose request the client has not ended, is written. */
  onEndSent(stream: number): void;
  /** The session has reset a stream for a mistake of the client. */
  onRefused(stream: number): void;
  /** The connection ends, and takes no more of the client's bytes if it is flooded. */
  end(error: ErrorSlug, cause: string, code: number): void;
}

export class ClientFrames {
  readonly #owner: FramesOwner;
  readonly #guard: FloodGuard;
  readonly #states = new ClientStates();
  readonly fields: FieldCounts;
  /** The session has sent a GOAWAY with an error. */
  goawaySent = false;

  /** `mostStreams` at a time. */
  constructor(owner: FramesOwner, mostStreams: number) {
    this.#owner = owner;
    this.fields = new FieldCounts(mostStreams);
    this.#guard = new FloodGuard(() => owner.cachedNow());
  }

  readonly received = {
    onFrame: (type: number, flags: number, stream: number, length: number, bytes: Uint8Array, at: number): void => {
      const owner = this.#owner;
      const code = this.#states.received(type, flags, stream, bytes, at);
      const cause = 'frame that its stream does not allow';
      if (code !== undefined) owner.end('request/malformed', `${cause} (${codeName(code)})`, code);
      if (type === Frame.Data) owner.onPayload(length);
      else owner.onControl();
      if (type === Frame.RstStream) this.fields.drop(stream);
      this.#calm(this.#guard.received(type, flags, length, owner.maxHeaderBytes));
    },
  };

  readonly sent = {
    onFrame: (type: number, flags: number, stream: number, length: number, bytes: Uint8Array, at: number): void => {
      if (type <= Frame.Headers && (flags & Flag.EndStream) !== 0 && this.sends(stream)) this.#owner.onEndSent(stream);
      if (type === Frame.Data) this.#guard.sentData(length);
      else if (type === Frame.RstStream) this.#onReset(stream, bytes[at + 3]);
      else if (type === Frame.Ping && (flags & Flag.Ack) === 0) this.#states.pinged();
      else if (type === Frame.Goaway) this.#onGoaway(bytes[at + 7] ?? NGHTTP2_NO_ERROR);
    },
  };

  /** For a mistake of the client: Node would wait for it to close the connection. */
  #onGoaway(code: number): void {
    if (code === NGHTTP2_NO_ERROR) return;
    this.goawaySent = true;
    this.#owner.end('request/malformed', `connection error (${codeName(code)})`, code);
  }

  /** The session resets a stream. Without an error code, gw only wants no more of a body. */
  #onReset(stream: number, code: number | undefined): void {
    this.fields.drop(stream);
    if (code === NGHTTP2_NO_ERROR) return;
    if (code === NGHTTP2_PROTOCOL_ERROR) this.#owner.onRefused(stream);
    this.#calm(this.#guard.resetByUs());
  }

  /** The client sends too much that costs more than it is worth. */
  #calm(what: string | undefined): void {
    if (what !== undefined) this.#owner.end('downstream/flood', `too many ${what}`, NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** Whether the client has begun the stream and not ended it. */
  sends(stream: number): boolean {
    return this.#states.isOpen(stream);
  }

  /** The GOAWAY with this code, RFC 9113 section 6.8. */
  goaway(code: number): Buffer {
    const frame = Buffer.alloc(17);
    frame[2] = 8;
    frame[3] = Frame.Goaway;
    frame.writeUInt32BE(this.#states.last, 9);
    frame.writeUInt32BE(code, 13);
    return frame;
  }

  /** A request was answered to its end. */
  answered(): void {
    this.#guard.answered();
  }

  /** Whether a header block has begun at least `timeout` milliseconds before `now` (monotonic) and is not complete. */
  blockIsLate(now: number, timeout: number): boolean {
    return this.#guard.blockIsLate(now, timeout);
  }

  /** Whether an error of the session is not a mistake of the client: Node takes an answer without a PING for one. */
  excuses(code: number): boolean {
    return code === NGHTTP2_PROTOCOL_ERROR && this.#states.takeStrayAnswer();
  }
}
