/**
 * A client's HTTP/2 connection, RFC 9113: a session of node:http2 (nghttp2) behind a tap that counts its frames. Each stream is an
 * exchange. It ends as section 6.8 says: a first GOAWAY announces it, the second one names the last stream that is served.
 *
 *     open --announce--> leaving --PING answered--> closing --last stream closed--> linger --> closed
 */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { grpcErrorReply, problem } from '../../../policies/run-kit.js';
import { BUG_CAUSE, connectionCause, timeSpan } from '../../errors/cause.js';
import { ERRORS, type ErrorSlug } from '../../errors/errors.js';
import { GwExchange } from '../../exchange/exchange.js';
import { type Peer, type PeerTls, peerOf } from '../../exchange/peer.js';
import { codeName } from '../../http/error-codes.js';
import { KnownFields } from '../../http/known-heads.js';
import { Frame } from '../../http2/frame-scanner.js';
import { FrameTap } from '../../http2/frame-tap.js';
import type { ClientConnection, ClientSocket, CutCount, SocketEvents } from '../connection/client-connection.js';
import type { ConnectionHost, ConnectionOwner } from '../connection/host.js';
import { LINGER_BYTES, LINGER_MS } from '../http1/connection-state.js';
import { ClientFrames, type FramesOwner } from './client-frames.js';
import { ClientStream } from './client-stream.js';
import { Refusals } from './refusals.js';
import { ReplyFields } from './reply-fields.js';
import { INVALID_FIELD, isGrpc, readRequest } from './request.js';
import { type NewStream, RequestQueue } from './request-queue.js';
import { type ErrorOwner, watchErrors } from './session-errors.js';
import { mostStreams, sessionOptions } from './settings.js';
import type { StreamOwner } from './stream-owner.js';
import { type Holders, UnreadPayload } from './unread.js';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants;

/** Window of the connection in bytes: payload passes through it at once, so it bounds only what is on its way. */
const CONNECTION_WINDOW = 1024 * 1024;
/** Milliseconds for the answer to the PING between the two GOAWAY frames. */
const ANNOUNCED_MS = 1000;

/** GOAWAY with the highest stream and NO_ERROR: a shutdown is coming. */
const ANNOUNCEMENT = Buffer.from([0, 0, 8, Frame.Goaway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

type Phase = 'open' | 'leaving' | 'closing' | 'linger' | 'closed';

export class Http2Connection implements ClientConnection, SocketEvents, StreamOwner, FramesOwner, Holders, ErrorOwner {
  readonly place: number;
  readonly host: ConnectionHost;
  readonly listener: ConnectionOwner;
  readonly fields = new ReplyFields();
  /** Why it is closed or failed. */
  failure: string | undefined = undefined;
  endCode: number | undefined = undefined;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #tap: FrameTap;
  readonly #session: ServerHttp2Session;
  readonly #frames: ClientFrames;
  readonly #unread: UnreadPayload;
  readonly #known = new KnownFields();
  /** By their ids. */
  readonly #streams = new Map<number, ClientStream>();
  readonly #refusals = new Refusals();
  /** The client's settings have come. */
  #greeted = false;
  readonly #queue: RequestQueue;
  #requests = 0;
  #phase: Phase = 'open';
  /** Monotonic milliseconds at which the present wait ends: for the first request, the next one, or the end; 0 for none. */
  #deadline: number;
  /** Exchanges in progress. */
  #exchanges = 0;
  #discarded = 0;
  /** The client sent its FIN. */
  #ended = false;

  /** `attach`: begins to report what happens on the client's socket. */
  constructor(
    host: ConnectionHost,
    listener: ConnectionOwner,
    place: number,
    tls: PeerTls | undefined,
    attach: (events: SocketEvents) => ClientSocket,
  ) {
    this.place = place;
    this.host = host;
    this.listener = listener;
    const { socket, address } = attach(this);
    this.#socket = socket;
    this.#peer = peerOf(address, tls ? 'https' : 'http', listener.proxies, listener, tls, '2.0');
    this.#queue = new RequestQueue(host.scheduler, (one) => this.#request(one));
    this.#unread = new UnreadPayload(this, host.bodies);
    this.#deadline = host.monotonic() + listener.entry.headerTimeout;
    this.#frames = new ClientFrames(this, mostStreams(listener.entry));
    this.#tap = new FrameTap('server', socket, this.#frames.received, this.#frames.sent, this.#frames.fields, this);
    const session = performServerHandshake(this.#tap, sessionOptions(listener.entry));
    this.#session = session;
    session.on('stream', (stream: ServerHttp2Stream, _fields: object, flags: number, raw: readonly string[]) =>
      this.#queue.add({ stream, flags, fields: raw }),
    );
    // A mistake of the client, or a failed write. Its close follows.
    session.on('error', (error) => this.onError(error));
    watchErrors(session, this);
    session.setLocalWindowSize(CONNECTION_WINDOW);
  }

  // The socket.

  onBytes(buffer: Buffer, count: number, lent: boolean): void {
    if (this.#phase === 'linger' || this.#phase === 'closed') {
      this.#discarded += count;
      if (this.#discarded > LINGER_BYTES) this.#socket.destroy();
      return;
    }
    this.#queue.onRead();
    try {
      this.#tap.receive(buffer, count, lent);
      this.#unread.check();
    } catch (error) {
      this.host.bug(error);
      this.#socket.destroy();
    }
  }

  onEnd(): void {
    // Unlike with HTTP/1.1, it cannot read a reply any more, since it cannot extend its windows: its exchanges are aborted.
    this.#ended = true;
    if (this.#phase === 'linger' || this.#phase === 'closed') return;
    this.failure ??= 'connection closed';
    this.#session.destroy();
  }

  onDrain(): void {}

  onError(error: Error): void {
    this.failure ??= connectionCause(error);
  }

  onClose(): void {
    this.failure ??= 'connection closed';
    this.#phase = 'closed';
    this.#tap.destroy();
    this.#session.destroy();
    this.#unread.release();
    this.#queue.clear();
    this.listener.gone(this);
  }

  onMistake(error: Error, code: number): boolean {
    if (this.#frames.excuses(code)) return false;
    this.endCode ??= code;
    this.#note('request/malformed', `${error.message} (${codeName(code)})`);
    return true;
  }

  /** Counts and logs why the connection fails. Returns false if that is known. */
  #note(error: ErrorSlug, cause: string): boolean {
    if (this.failure !== undefined) return false;
    this.failure = cause;
    this.host.refused(error, cause, this.#peer.address, this.host.newId());
    return true;
  }

  /** Not at once: the session may be in the middle of a read or a write. */
  end(error: ErrorSlug, cause: string, code: number): void {
    if (code === NGHTTP2_ENHANCE_YOUR_CALM) this.#tap.dropInput();
    if (!this.#note(error, cause)) return;
    this.endCode = code;
    process.nextTick(() => this.#session.destroy(new Error(cause), code));
  }

  // Frames.

  get maxHeaderBytes(): number {
    return this.listener.entry.maxHeaderBytes;
  }

  cachedNow(): number {
    return this.host.cachedNow();
  }

  onControl(): void {
    if (this.#greeted) return;
    this.#greeted = true;
    this.#awaitRequest();
  }

  onPayload(length: number): void {
    this.#unread.arrived(length);
  }

  onEndSent(stream: number): void {
    (this.#streams.get(stream) ?? this.#refusals).endSent(stream);
  }

  onRefused(stream: number): void {
    const { host } = this;
    if (!this.#streams.has(stream))
      host.refused('request/malformed', 'invalid HTTP/2 request', this.#peer.address, host.newId());
  }

  // Streams.

  #request({ stream, flags, fields }: NewStream): void {
    const { host, listener } = this;
    // The client has reset it in the meantime: there is nothing to begin.
    if (stream.destroyed || stream.closed) return;
    try {
      const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
      if (++this.#requests >= listener.entry.maxRequestsPerConnection) this.#announce();
      const fault = this.isWhole(stream.id, fields)
        ? readRequest(host.head, fields, ended, listener.entry, this.#known)
        : INVALID_FIELD;
      if (fault !== undefined) {
        this.#refuse(stream, fault.error, fault.cause, isGrpc(fields));
        return;
      }
      const exchange = new GwExchange(host.head, this.#peer, host.generation!, host, host.monotonic());
      const one = new ClientStream(this, stream, exchange, ended);
      this.#streams.set(one.id, one);
      this.#exchanges++;
      if (this.#phase === 'open') this.#deadline = 0;
      this.#begin(exchange, one);
    } catch (error) {
      host.bug(error);
      this.#refuse(stream, 'gateway/failed', BUG_CAUSE);
    }
  }

  #begin(exchange: GwExchange, stream: ClientStream): void {
    try {
      this.host.begin(exchange, stream);
    } catch (error) {
      stream.broke(error);
    }
  }

  /** There is no exchange: replies with the reason. */
  #refuse(stream: ServerHttp2Stream, error: ErrorSlug, cause: string, ofGrpc = false): void {
    const { host } = this;
    const id = host.newId();
    const refusal = problem({ id }, { code: error, ...ERRORS[error] });
    const reply = ofGrpc ? grpcErrorReply(refusal) : refusal;
    this.#refusals.refuse(stream, this.fields.ofRefusal(reply, id, host.dateLine), reply.body, host.cachedNow());
    host.refused(error, cause, this.#peer.address, id);
    if (this.#exchanges === 0) this.#awaitRequest();
  }

  isWhole(stream: number | undefined, fields: readonly string[]): boolean {
    return stream !== undefined && this.#frames.fields.next(stream) === fields.length / 2;
  }

  sends(stream: number): boolean {
    return this.#frames.sends(stream);
  }

  onAnswered(cut: boolean): void {
    this.#exchanges--;
    if (!cut) this.#frames.answered();
    if (this.#exchanges === 0) this.#awaitRequest();
  }

  onStreamClosed(id: number): void {
    this.#streams.delete(id);
    this.onConsumed();
  }

  #awaitRequest(): void {
    if (this.#phase === 'open') this.#deadline = this.host.cachedNow() + this.listener.entry.idleTimeout;
  }

  // Memory.

  get held(): boolean {
    return this.#unread.held;
  }

  get unread(): number {
    let unread = 0;
    for (const stream of this.#streams.values()) unread += stream.unread;
    return unread;
  }

  hold(held: boolean): void {
    this.#tap.hold(held);
  }

  onConsumed(): void {
    this.#unread.taken();
  }

  // The end.

  /** The first GOAWAY: streams that the client opens before it reads this are served. */
  #announce(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'leaving';
    // A session that has failed, or lost its client, ends by itself and sends no PING.
    if (!this.#tap.betweenFrames || this.#session.destroyed) {
      this.#finish();
      return;
    }
    this.#tap.inject(ANNOUNCEMENT);
    this.#deadline = this.host.monotonic() + ANNOUNCED_MS;
    this.#session.ping(() => this.#finish());
  }

  /** The second GOAWAY: the session closes after its streams. */
  #finish(): void {
    if (this.#phase !== 'open' && this.#phase !== 'leaving') return;
    this.#phase = 'closing';
    this.#deadline = 0;
    // Streams of clients that read nothing are ended by their pace.
    this.#session.close();
  }

  /** The session has sent its last frame. */
  onTapEnded(): void {
    // Node loses its GOAWAY if it is in the middle of a write.
    if (this.endCode !== undefined && !this.#frames.goawaySent && this.#tap.betweenFrames)
      this.#tap.inject(this.#frames.goaway(this.endCode));
    if (this.#phase === 'linger' || this.#phase === 'closed') return;
    this.#phase = 'closing';
    this.#deadline = this.host.monotonic() + LINGER_MS;
  }

  /** The session has let go of the socket: reads for a while, so that a reset does not destroy the last frames. */
  onTapClosed(): void {
    if (this.#phase === 'linger' || this.#phase === 'closed') return;
    this.#phase = 'linger';
    this.#deadline = this.host.monotonic() + LINGER_MS;
    if (!this.#socket.writableEnded) this.#socket.end();
    this.#socket.resume();
    if (this.#ended) this.#socket.destroySoon();
  }

  sweep(now: number): void {
    for (const stream of this.#streams.values()) stream.sweep(now);
    this.#refusals.sweep(now, this.listener.entry.bodyTimeout);
    if (this.#deadline !== 0 && now >= this.#deadline) this.#onDeadline();
    else if (this.#frames.blockIsLate(now, this.listener.entry.headerTimeout)) this.#endLate();
    this.#unread.taken();
  }

  #onDeadline(): void {
    this.#deadline = 0;
    switch (this.#phase) {
      case 'open':
        if (this.#greeted) this.#announce();
        else if (this.#socket.bytesRead === 0) this.#socket.destroy();
        else this.#endLate();
        return;
      case 'leaving':
        this.#finish();
        return;
      default:
        this.#socket.destroy();
    }
  }

  #endLate(): void {
    const { headerTimeout } = this.listener.entry;
    const cause = `request head timeout (${timeSpan(headerTimeout)}, header_timeout)`;
    this.end('request/timeout', cause, NGHTTP2_ENHANCE_YOUR_CALM);
  }

  // The listener.

  get idle(): boolean {
    return this.#phase === 'open' && this.#streams.size === 0 && this.#queue.length === 0;
  }

  get idleUntil(): number {
    return this.#deadline;
  }

  *exchanges(): Generator<GwExchange> {
    for (const { exchange } of this.#streams.values()) if (exchange !== undefined) yield exchange;
  }

  retire(until: number): void {
    for (const stream of this.#streams.values()) stream.retire();
    // A client that has only just connected may send a request.
    if (this.#greeted) this.#announce();
    else this.#deadline = Math.min(this.#deadline, until);
  }

  close(): void {
    this.#finish();
  }

  cutNow(count: CutCount): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.exchange !== undefined) count.cut++;
      if (stream.exchange !== undefined && stream.isTunnel) count.tunnels++;
      stream.drained();
    }
    // The session sends what it has in the check phase of this turn.
    setImmediate(() => setImmediate(() => this.#socket.destroy()));
  }
}
