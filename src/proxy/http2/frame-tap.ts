/**
 * The bytes between the socket of a connection and its session of node:http2. The tap sees each frame header of both directions, and can
 * send a frame of its own between two frames of the session. docs/adr/0030-http2.md has the reasons.
 *
 *     socket --onBytes()--> scanner --> data --> session
 *     socket <--write------ scanner <---------- session
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { FieldCounts } from './field-counts.js';
import { FrameScanner, type FrameWatcher } from './frame-scanner.js';

/** Bytes of the client's connection preface, RFC 9113 section 3.4: its first frame follows them. */
const PREFACE = 24;

/** Who hears of the session's end. */
export interface TapOwner {
  /** It has sent its last frame. */
  onTapEnded(): void;
  /** It does not use the socket any more. */
  onTapClosed(): void;
}

type Written = (error?: Error | null) => void;

/**
 * What a session of node:http2 uses of a stream is overridden: the queues of node:stream would copy and delay. Reads are
 * reported by `data`; the session pauses while its writes are pending. `end` is never reported: Node would shut down the stream for
 * writing, and its assertion against writes during that ends the process. After the peer's FIN, the owner ends the session.
 */
export class FrameTap extends Duplex {
  readonly #socket: Socket;
  readonly #owner: TapOwner | undefined;
  readonly #received: FrameScanner;
  readonly #sent: FrameScanner;
  #stopped = false;
  /** What has come while the session was paused: one read. */
  #waiting: Buffer | undefined = undefined;
  /** The socket is not read since then, until the session has taken that and is not paused again. */
  #suspended = false;
  #held = false;
  #dropped = false;
  /** The session has sent its first frame. */
  #began = false;

  /**
   * `side`: of the session. The watchers hear of frames from the peer, and of frames that the session sends. `fields` counts those of
   * the peer.
   */
  constructor(
    side: 'client' | 'server',
    socket: Socket,
    received: FrameWatcher,
    sent: FrameWatcher,
    fields: FieldCounts,
    owner?: TapOwner,
  ) {
    super({ allowHalfOpen: true, autoDestroy: false });
    this.#socket = socket;
    this.#owner = owner;
    this.#received = new FrameScanner(received, side === 'server' ? PREFACE : 0, fields);
    this.#sent = new FrameScanner(sent, side === 'client' ? PREFACE : 0);
  }

  /** The peer's bytes so far end within a frame, or within its preface. */
  get withinFrame(): boolean {
    return this.#received.within;
  }

  /** Takes buffer[0, count) from the peer; if it is only `lent`, it is valid until this returns. */
  receive(buffer: Buffer, count: number, lent: boolean): void {
    const chunk = count === buffer.length ? buffer : buffer.subarray(0, count);
    this.#received.scan(chunk, 0, count);
    if (this.destroyed || this.#dropped) return;
    if (!this.#stopped && this.#waiting === undefined) {
      this.emit('data', chunk);
      return;
    }
    // Most pauses end before the next read, so the socket is stopped only now.
    this.#socket.pause();
    this.#suspended = true;
    this.#waiting =
      this.#waiting === undefined ? (lent ? Buffer.from(chunk) : chunk) : Buffer.concat([this.#waiting, chunk]);
  }

  /**
   * The connection ends: the session gets no more of the peer's bytes, also not those of the present read. Beyond the bounds of
   * nghttp2, which a long read can exceed, it would send a GOAWAY with another code.
   */
  dropInput(): void {
    this.#dropped = true;
    this.#waiting = undefined;
  }

  /** No byte of the peer is passed on until resume() of the session. */
  override pause(): this {
    this.#stopped = true;
    return this;
  }

  override resume(): this {
    this.#stopped = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.emit('data', waiting);
    // The session may have been paused again by what it got.
    if (!this.#suspended || this.#stopped || this.#waiting !== undefined) return this;
    this.#suspended = false;
    if (!this.#held) this.#socket.resume();
    return this;
  }

  /** The session may not take more for now: the socket is not read. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    if (held) this.#socket.pause();
    else if (!this.#suspended) this.#socket.resume();
  }

  override cork(): void {
    this.#socket.cork();
  }

  override uncork(): void {
    this.#socket.uncork();
  }

  override write(chunk: Uint8Array, encoding?: BufferEncoding | Written, callback?: Written): boolean {
    const written = typeof encoding === 'function' ? encoding : callback;
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      written?.(new Error('the connection has closed'));
      return false;
    }
    this.#began = true;
    this.#sent.scan(chunk, 0, chunk.length);
    return this.#socket.write(chunk, written);
  }

  /** Whether the session has begun, and all of its frames are written as a whole. */
  get betweenFrames(): boolean {
    return this.#began && !this.#sent.within;
  }

  /** Sends a frame that the session does not know of. Only while betweenFrames. */
  inject(frame: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(frame);
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    const done = [chunk, encoding, callback].find((one): one is () => void => typeof one === 'function');
    this.#owner?.onTapEnded();
    if (this.#socket.destroyed || this.#socket.writableEnded) done?.();
    else this.#socket.end(done);
    return this;
  }

  override _read(): void {}

  override _destroy(error: Error | null, callback: Written): void {
    this.#waiting = undefined;
    this.#owner?.onTapClosed();
    callback(error);
  }
}
