/**
 * An HTTP/2 connection to a target: its socket, its streams, and what the target says about both (SETTINGS, GOAWAY). Requests
 * begin once the target's SETTINGS have come: until then nothing was sent, so a target that does not speak HTTP/2 fails them safely.
 */

import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect, type LookupFunction, type Socket } from 'node:net';
import { errnoCode } from '../../../reason.js';
import { CLOSED_IN_HANDSHAKE, connectionCause, timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { codeName } from '../../http/error-codes.js';
import { FieldCounts } from '../../http2/field-counts.js';
import { Frame } from '../../http2/frame-scanner.js';
import { FrameTap } from '../../http2/frame-tap.js';
import { sharedOnread } from '../../load/shared-read.js';
import { closeAt } from '../age.js';
import { placeOf } from '../connect.js';
import { connectError } from '../reply-connection.js';
import type { PoolTarget } from '../target-pool.js';
import { openTls } from '../tls.js';
import type { UpstreamUser } from '../user.js';
import { openSession } from './client-session.js';
import { ErrorCode, type Failure, sessionFailure } from './failure.js';
import type { requestFields } from './fields.js';
import { FrameGuard, TOO_MUCH_CONTROL } from './guard.js';
import { Liveness } from './liveness.js';
import { UpstreamStream } from './stream.js';
import type { StreamOwner } from './stream-owner.js';

/** Requests after which a connection is replaced: stream numbers end at 2^31, and nothing lives for ever. */
const MOST_REQUESTS = 1_000_000;
const NO_LIMIT = 0xffff_ffff;

/** What a session uses of its pool. */
export interface SessionOwner {
  readonly target: PoolTarget;
  readonly lookup: LookupFunction;
  readonly resolving: boolean;
  /** Requests in flight on one connection, at most. */
  readonly mostStreams: number;
  /** Monotonic milliseconds. Reads the clock. */
  monotonic(): number;
  cachedNow(): number;
  /** A connection has a socket, which gets its descriptor later. */
  opening(socket: Socket): void;
  headCame(stream: UpstreamStream): void;
  whole(stream: UpstreamStream): void;
  /** A place is free again: its stream has ended. */
  release(session: Session, stream: UpstreamStream): void;
  /** It has room for more requests than before. */
  roomier(session: Session): void;
  /** The place of a user is lost before its request began: it needs another one. */
  again(user: UpstreamUser): void;
  closed(session: Session): void;
  bug(error: unknown): void;
}

export class Session implements StreamOwner<UpstreamStream> {
  readonly streams = new Set<UpstreamStream>();
  /** Takes no further requests, and closes when the last one has ended. */
  leaving = false;
  failure: Failure | undefined = undefined;
  readonly #pool: SessionOwner;
  readonly #socket: Socket;
  readonly #guard = new FrameGuard();
  readonly #fields: FieldCounts;
  readonly #liveness: Liveness;
  #session: ClientHttp2Session | undefined = undefined;
  #tap: FrameTap | undefined = undefined;
  /** The target's SETTINGS have come. */
  #ready = false;
  #dead = false;
  #mostByPeer = Number.POSITIVE_INFINITY;
  #requests = 0;
  /** Of connecting, or of being idle; monotonic milliseconds, 0 for none. */
  #deadline: number;
  /** Monotonic time from which it takes no further requests. */
  readonly #closeAt: number;
  /** Streams above it were not processed, as a GOAWAY says. */
  #lastStream = Number.POSITIVE_INFINITY;

  constructor(pool: SessionOwner, deadline: number) {
    this.#pool = pool;
    this.#fields = new FieldCounts(pool.mostStreams);
    this.#deadline = deadline;
    const now = pool.monotonic();
    this.#closeAt = closeAt(pool.target.settings, now);
    this.#liveness = new Liveness(now);
    this.#socket = pool.target.secure ? this.#openTls() : this.#openPlain();
    pool.opening(this.#socket);
    // Before the listeners of node:http2: streams that end because of it need the cause.
    this.#socket.on('error', (error) => this.#onSocketError(error));
    this.#socket.on('close', () => this.#onSocketClose());
  }

  #openPlain(): Socket {
    const onread = sharedOnread((buffer, count) => this.#tap?.receive(buffer, count, true));
    const socket = connect({ ...placeOf(this.#pool.target, this.#pool.lookup), onread });
    socket.once('connect', () => this.#start(socket));
    return socket;
  }

  #openTls(): Socket {
    const socket = openTls(this.#pool.target, this.#pool.lookup, ['h2']);
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol === 'h2') {
        this.#start(socket);
        socket.on('data', (chunk: Buffer) => this.#tap?.receive(chunk, chunk.length, false));
      } else
        this.#fail(
          'upstream/unreachable',
          'the target did not agree to HTTP/2 (ALPN h2), which `protocol` of the service requires',
        );
    });
    return socket;
  }

  #start(socket: Socket): void {
    if (this.#dead) return;
    const { mostStreams, target } = this.#pool;
    const sent = { onFrame: this.#onSent.bind(this) };
    const tap = new FrameTap('client', socket, { onFrame: ignore }, sent, this.#fields);
    this.#tap = tap;
    socket.on('end', () => this.#onEnd());
    const session = openSession(tap, target.secure, mostStreams);
    this.#session = session;
    session.on('remoteSettings', ({ maxConcurrentStreams }) => this.#onSettings(maxConcurrentStreams));
    session.on('ping', () => this.#onControl());
    session.on('goaway', (code, last) => this.#onGoaway(code, last));
    session.on('error', (error) => this.#onSessionError(error));
    session.on('close', () => this.#onSocketClose());
  }

  // ---------------------------------------------------------------- events

  /** node:http2 tells nothing of some mistakes of the target, such as invalid HPACK: it sends GOAWAY and reads no more. */
  #onSent(type: number, _flags: number, _stream: number, _length: number, bytes: Uint8Array, at: number): void {
    const code = type === Frame.Goaway ? bytes[at + 7] : undefined;
    if (code === undefined || code === ErrorCode.NoError) return;
    // Not at once: the session is in the middle of a write.
    process.nextTick(() => this.#onInvalid(`invalid HTTP/2 from the target (${codeName(code)})`));
  }

  #onInvalid(cause: string): void {
    if (this.#ready) this.#fail('upstream/invalid', cause);
    else this.#fail('upstream/unreachable', `the target does not speak HTTP/2: ${cause}`);
  }

  /** The target has sent its FIN. What came before it is reported in this turn of the event loop. */
  #onEnd(): void {
    if (this.#ready) this.failure ??= { error: 'upstream/reset', cause: CLOSED_EARLY };
    setImmediate(() => this.#onSocketClose());
  }

  #onControl(): void {
    if (!this.#guard.control()) this.#flooded(TOO_MUCH_CONTROL);
  }

  #flooded(what: string): void {
    this.#fail('upstream/invalid', `flood: ${what}`, ErrorCode.EnhanceYourCalm);
  }

  #onSettings(most: number | undefined): void {
    this.#onControl();
    if (this.#dead) return;
    this.#mostByPeer = most === undefined || most >= NO_LIMIT ? Number.POSITIVE_INFINITY : most;
    if (!this.#ready) this.#onReady();
    else this.#pool.roomier(this);
  }

  #onReady(): void {
    this.#ready = true;
    this.#deadline = 0;
    this.#pool.monotonic();
    let begun = 0;
    for (const stream of [...this.streams]) {
      const { user } = stream;
      if (user === null) continue;
      if (begun++ < this.#mostByPeer && !this.#dead && !this.leaving) this.#hand(stream, user);
      else this.#sendAway(stream, user);
    }
    if (this.streams.size === 0) this.#becameIdle();
    this.#pool.roomier(this);
  }

  /** The target takes fewer requests than were waiting for the connection. */
  #sendAway(stream: UpstreamStream, user: UpstreamUser): void {
    stream.user = null;
    this.release(stream);
    if (!user.over) this.#pool.again(user);
  }

  #onGoaway(code: number, last: number): void {
    this.leaving = true;
    this.#lastStream = Math.min(this.#lastStream, last);
    if (code !== ErrorCode.NoError)
      this.failure ??= { error: 'upstream/reset', cause: `connection ended by the target with ${codeName(code)}` };
  }

  #onSocketError(error: Error): void {
    // node:http2 ends the socket with its own errors.
    if (errnoCode(error)?.startsWith('ERR_HTTP2') === true) this.#onSessionError(error);
    else if (this.#ready)
      this.failure ??= { error: 'upstream/reset', cause: `${connectionCause(error)} by the target` };
    else this.#fail(connectError(error), this.#connectCause(error));
  }

  #connectCause(error: Error): string {
    const inHandshake = this.#pool.target.secure && !this.#socket.connecting && errnoCode(error) === 'ECONNRESET';
    return inHandshake ? CLOSED_IN_HANDSHAKE : connectionCause(error);
  }

  #onSessionError(error: Error): void {
    if (this.#ready) this.failure ??= sessionFailure(error, '');
    else this.#onInvalid(sessionFailure(error, '').cause);
  }

  #onSocketClose(): void {
    const early = this.#pool.target.secure && this.#session === undefined ? CLOSED_IN_HANDSHAKE : CLOSED_EARLY;
    if (this.#ready) this.#fail('upstream/reset', CLOSED_EARLY);
    else this.#fail('upstream/unreachable', early);
  }

  /** Ends the connection; its users learn why. Idempotent. */
  #fail(error: ErrorSlug, cause: string, code: number = ErrorCode.NoError): void {
    if (this.#dead) return;
    this.failure ??= { error, cause };
    const begun = this.#ready;
    const streams = [...this.streams];
    this.destroy(code);
    if (begun) {
      for (const stream of streams) stream.sessionEnded();
      return;
    }
    // One failure of the target, however many requests waited.
    let blame = true;
    for (const stream of streams) {
      const { user } = stream;
      stream.user = null;
      user?.onUnavailable(this.failure.error, blame, this.failure.cause);
      blame = false;
    }
  }

  /** Closes at once, without a report to its users. */
  destroy(code: number = ErrorCode.NoError): void {
    if (this.#dead) return;
    this.#dead = true;
    const session = this.#session;
    if (session !== undefined && !session.destroyed) {
      if (code === ErrorCode.NoError) session.destroy();
      else session.destroy(new Error(this.failure?.cause ?? codeName(code)), code);
    }
    // node:http2 waits until the target has read its last frames, which it may never do.
    if (session === undefined) this.#socket.destroy();
    else setImmediate(() => this.#socket.destroy());
    this.#pool.closed(this);
  }

  // ---------------------------------------------------------------- places

  /** Whether it takes one more request. */
  get hasRoom(): boolean {
    const most = Math.min(this.#pool.mostStreams, this.#mostByPeer);
    return !this.leaving && !this.#dead && this.streams.size < most && !this.#liveness.doubtful;
  }

  /** Gives `user` a place: now, or when the connection is ready. */
  assign(user: UpstreamUser): UpstreamStream {
    const stream = new UpstreamStream(this, user);
    this.streams.add(stream);
    if (this.#ready) this.#deadline = 0;
    return stream;
  }

  /** Lets the user of a new place begin, if the connection is ready. */
  start(stream: UpstreamStream): void {
    if (this.#ready && stream.user !== null) this.#hand(stream, stream.user);
  }

  #hand(stream: UpstreamStream, user: UpstreamUser): void {
    user.onConnection(stream);
  }

  /** Closes when its requests have ended. */
  leave(): void {
    this.leaving = true;
    if (this.streams.size === 0) this.destroy();
  }

  #becameIdle(): void {
    if (this.leaving) this.destroy();
    else this.#deadline = this.#pool.cachedNow() + this.#pool.target.settings.idleTimeout;
  }

  // ---------------------------------------------------------------- of its streams

  get secure(): boolean {
    return this.#pool.target.secure;
  }

  get responseTimeout(): number {
    return this.#pool.target.settings.responseTimeout;
  }

  get reused(): boolean {
    return this.#requests > 1;
  }

  isUnprocessed(id: number): boolean {
    return id > this.#lastStream;
  }

  isWhole(stream: number, fields: readonly string[]): boolean {
    return this.#fields.next(stream) === fields.length / 2;
  }

  open(fields: ReturnType<typeof requestFields>, endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream {
    if (++this.#requests >= MOST_REQUESTS) this.leaving = true;
    return this.#session!.request(fields, { endStream, waitForTrailers });
  }

  cachedNow(): number {
    return this.#pool.cachedNow();
  }

  readClock(): number {
    return this.#pool.monotonic();
  }

  received(bytes: number): void {
    this.#guard.payload(bytes);
  }

  headCame(stream: UpstreamStream): void {
    this.#pool.headCame(stream);
  }

  whole(stream: UpstreamStream): void {
    this.#pool.whole(stream);
  }

  release(stream: UpstreamStream): void {
    if (!this.streams.delete(stream)) return;
    this.#pool.release(this, stream);
    if (this.#ready && !this.#dead && this.streams.size === 0) this.#becameIdle();
  }

  /** A reply is late: no further requests until a PING is answered. */
  late(): void {
    this.#ping(this.#pool.cachedNow(), true);
  }

  bug(error: unknown): void {
    this.#pool.bug(error);
  }

  // ---------------------------------------------------------------- time

  #ping(now: number, late = false): void {
    const session = this.#session;
    if (!this.#ready || this.#dead || session === undefined || session.destroyed || !this.#liveness.mayPing(now, late))
      return;
    // False: node:http2 has too many unanswered ones, so the connection is in doubt already.
    session.ping((error: Error | null) => {
      if (error === null) this.#liveness.answered(this.#socket.bytesRead);
    });
  }

  sweep(now: number): void {
    const { settings } = this.#pool.target;
    if (!this.#ready) {
      if (this.#deadline > now) return;
      const what = this.#pool.resolving ? 'name lookup timeout' : this.#connectStage;
      this.#fail('upstream/connect-timeout', `${what} (${timeSpan(settings.connectTimeout)})`);
      return;
    }
    for (const stream of this.streams) stream.sweep(now);
    if (now >= this.#closeAt) this.leave();
    if (this.#dead) return;
    const flood = this.#guard.sweep(now, this.#socket.bytesRead);
    if (flood !== undefined) this.#flooded(flood);
    else if (this.#deadline !== 0 && this.#deadline <= now) this.leave();
    else if (this.#liveness.sweep(now, this.#socket.bytesRead, this.streams.size > 0)) this.#ping(now);
    else if (this.#liveness.isDead(now, settings.connectTimeout))
      this.#fail('upstream/reset', `no reply to a PING within ${timeSpan(settings.connectTimeout)}: connection dead`);
  }

  get #connectStage(): string {
    if (this.#session !== undefined) return 'HTTP/2 handshake timeout: no SETTINGS from the target';
    return this.#pool.target.secure && !this.#socket.connecting ? 'TLS handshake timeout' : 'connect timeout';
  }
}

const ignore = (): void => {};
const CLOSED_EARLY = 'connection closed by the target';
