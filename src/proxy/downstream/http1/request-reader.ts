/** The reading half of a client connection: parses heads, and passes request bodies on to their sinks. */
import type { Socket } from 'node:net';
import { timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { BodySink } from '../../exchange/downstream.js';
import type { RequestDescription } from '../../exchange/request-description.js';
import { KnownFields } from '../../http/known-heads.js';
import { Seen } from '../../http/seen.js';
import { requestTrailers } from '../../http/trailers.js';
import type { ScheduledTask } from '../../load/fair-scheduler.js';
import type { ConnectionHost, ConnectionListener } from '../connection/host.js';
import { type ConnectionState, IDLE_GRACE, LINGER_BYTES } from './connection-state.js';
import { DRAIN_BYTES, Intake } from './intake.js';
import { Pace, type Verdict } from './pace.js';

/** Pipelined requests of one connection that are answered before other connections get a turn. */
const MOST_AT_ONCE = 16;

/** What the reader reports to its connection. */
export interface RequestHandler {
  /** Bound of the present request's body in bytes. */
  readonly maxBody: number;
  /** A head was parsed into the host's scratch. */
  onRequest(now: number): void;
  /** The request's body is invalid or too large: the start of the next request is unknown. */
  onBodyFault(error: ErrorSlug, cause: string): void;
  /** The input is not a valid request: replies with the reason, and closes. */
  refuseConnection(error: ErrorSlug, cause: string): void;
  /** Bytes from the client after the protocol switch, valid for the handler to keep. */
  onTunnelBytes(bytes: Buffer): void;
  /** The client sent its FIN, and all input before it is handled as far as possible. */
  onInputEnd(): void;
  /** An unexpected exception: ends the exchange, if there is one, and the connection. */
  broke(error: unknown): void;
  close(): void;
}

export class RequestReader implements ScheduledTask {
  readonly intake = new Intake();
  /** Takes the request's body; undefined while nothing does. */
  sink: BodySink | undefined = undefined;
  /** Part of a head has come. */
  headBegun = false;
  readonly #host: ConnectionHost;
  readonly #listener: ConnectionListener;
  readonly #socket: Socket;
  readonly #state: ConnectionState;
  readonly #handler: RequestHandler;
  #paused = false;
  #pumping = false;
  /** Requests that this run of pump() began. */
  #begun = 0;
  /** It waits for its turn in the scheduler. */
  #yielded = false;
  /** Its turn comes soon, and one more read fits: to pause and resume the socket would cost more. */
  #brief = false;
  /** Set by the first request: a connection with a single request keeps nothing of it. */
  #known: KnownFields | undefined = undefined;
  /** Set while gw waits for a body. */
  #pace: Pace | undefined = undefined;
  /** Bytes dropped while closing, or of the rest of a request's body. */
  #discarded = 0;

  constructor(
    host: ConnectionHost,
    listener: ConnectionListener,
    socket: Socket,
    state: ConnectionState,
    handler: RequestHandler,
  ) {
    this.#host = host;
    this.#listener = listener;
    this.#socket = socket;
    this.#state = state;
    this.#handler = handler;
  }

  /** Takes buffer[0, count); if it is only `lent`, its owner reads into it again once this returns. */
  receive(buffer: Buffer, count: number, lent: boolean): void {
    const state = this.#state;
    if (state.phase === 'tunnel') {
      const bytes = buffer.subarray(0, count);
      this.#handler.onTunnelBytes(lent ? Buffer.from(bytes) : bytes);
    } else if (state.phase === 'linger') {
      if (state.retired) this.#listener.raced++;
      state.retired = false;
      this.#discarded += count;
      if (this.#discarded > LINGER_BYTES) this.#socket.destroy();
    } else {
      this.intake.push(buffer, count, lent);
      this.pump();
      this.intake.keep();
    }
  }

  pause(pause: boolean): void {
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  /**
   * Handles the input as far as possible. Never recurses: the end of an exchange inside only changes the phase. All requests
   * begin here, so an unexpected exception ends the connection that it occurred on, and no other.
   */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#begun = 0;
    try {
      while (!this.intake.empty && this.#step());
    } catch (error) {
      this.#pumping = false;
      this.#handler.broke(error);
      return;
    }
    this.#pumping = false;
    const { phase, ended } = this.#state;
    if (phase === 'tunnel' || phase === 'closed') return;
    if (ended && !this.#yielded) this.#handler.onInputEnd();
    const stops = (this.#yielded && !this.#brief) || this.#socket.writableNeedDrain;
    const mayRead = this.#state.phase === 'linger' || (this.#state.phase === 'head' && !stops);
    this.pause(!this.intake.empty && !mayRead);
  }

  takeTurn(): void {
    this.#yielded = false;
    this.pump();
  }

  /** False if nothing more can be done until further input, or another event. */
  #step(): boolean {
    switch (this.#state.phase) {
      case 'head':
        // A client that does not read its replies gets no further ones.
        return !this.#socket.writableNeedDrain && this.#mayBegin() && this.#readHead();
      case 'drain':
        this.#drainBody();
        return true;
      case 'exchange':
        if (this.intake.body.done || this.sink?.takesBody !== true) return false;
        this.#forwardBody(this.sink);
        return true;
      default:
        return false;
    }
  }

  /** Input is here that waits for the connection's turn. */
  get waits(): boolean {
    return this.#yielded && !this.intake.empty;
  }

  /** Whether a request may begin now. If not, takes a turn in the scheduler. */
  #mayBegin(): boolean {
    const { scheduler } = this.#host;
    if (this.#begun < MOST_AT_ONCE && !scheduler.held) return true;
    this.#brief = scheduler.held && !this.#yielded;
    if (!this.#yielded) scheduler.wait(this);
    this.#yielded = true;
    return false;
  }

  /** One head: false if it needs more bytes, or was refused. */
  #readHead(): boolean {
    const { entry } = this.#listener;
    if (this.headBegun && !this.intake.headMayEnd(entry.maxHeaderBytes)) return false;
    const { head } = this.#host;
    const length = head.parse(this.intake.text(entry.maxHeaderBytes), entry, this.#known);
    if (length < 0) {
      this.#handler.refuseConnection(head.error, head.cause);
      return false;
    }
    const now = this.#host.monotonic();
    if (length === 0) {
      // An empty line does not begin a request (RFC 9112 section 2.2): it needs no reply.
      if (this.intake.blank) return false;
      // The timeout of a head begins with its first byte, however slowly the others follow.
      if (!this.headBegun) this.#state.deadline = now + entry.headerTimeout;
      this.headBegun = true;
      return false;
    }
    this.headBegun = false;
    this.#discarded = 0;
    this.#pace = undefined;
    this.#known ??= new KnownFields();
    this.intake.skip(length);
    this.#begun++;
    this.#handler.onRequest(now);
    return true;
  }

  /** The body of the request whose head was parsed. */
  beginBody({ seen, contentLength }: Pick<RequestDescription, 'seen' | 'contentLength'>): void {
    const kind = seen & Seen.TransferEncoding ? 'chunked' : contentLength > 0 ? 'length' : 'none';
    this.intake.body.begin(kind, contentLength);
  }

  /** Passes the request's body to `sink`: bytes that are here at once, the others as they come. */
  feed(sink: BodySink): void {
    this.sink = sink;
    if (!this.#pumping) this.pump();
    else if (!this.intake.empty && !this.intake.body.done) this.#forwardBody(sink);
  }

  #forwardBody(sink: BodySink): void {
    const payload = this.intake.payload();
    const { body } = this.intake;
    if (body.failed) {
      this.#handler.onBodyFault('request/malformed', `invalid request body: ${body.fault}`);
      return;
    }
    const { maxBody } = this.#handler;
    if (body.total > maxBody) {
      this.#handler.onBodyFault('request/body-too-large', `request body larger than ${maxBody} bytes (max_body)`);
      return;
    }
    if (body.done && body.trailers !== '') sink.trailers(requestTrailers(body.trailers, this.#host.head.written));
    if (payload.length > 0 || body.done) sink.sendBody(payload, body.done);
  }

  #drainBody(): void {
    this.#discarded += this.intake.payload().length;
    const { body } = this.intake;
    if (body.failed || this.#discarded > DRAIN_BYTES) this.#handler.close();
    else if (body.done) this.awaitRequest();
  }

  /** Checks the pace at which the client sends its request body. The time that the target needs for it does not count. */
  checkPace(now: number): Verdict {
    const { body } = this.intake;
    const { phase, awaitsContinue } = this.#state;
    const taken = phase === 'drain' || (phase === 'exchange' && this.sink?.takesBody === true);
    if (body.done || !taken || (awaitsContinue && body.total === 0)) {
      this.#pace?.stop();
      return 'fine';
    }
    this.#pace ??= new Pace(this.#host.bodyGrace, 0);
    return this.#pace.check(now, body.total, this.#listener.entry);
  }

  /** The exchange is over and its request is read to the end: waits for the next one. */
  awaitRequest(): void {
    const { closing, entry } = this.#listener;
    this.#state.phase = 'head';
    this.#state.deadline =
      this.#host.cachedNow() + (closing ? Math.min(IDLE_GRACE, entry.idleTimeout) : entry.idleTimeout);
  }

  /** The deadline of a head has passed: refuses it if it has begun. Returns false for an idle connection. */
  expireHead(): boolean {
    if (!this.headBegun) return false;
    const { headerTimeout } = this.#listener.entry;
    this.#handler.refuseConnection(
      'request/timeout',
      `request head timeout (${timeSpan(headerTimeout)}, header_timeout)`,
    );
    return true;
  }
}
