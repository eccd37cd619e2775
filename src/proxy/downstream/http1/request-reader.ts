/** The reading half of a client's connection: heads off the wire, bodies of requests on their way to who takes them. */

import type { ErrorSlug } from '../../errors/errors.js';
import type { BodySink } from '../../exchange/downstream.js';
import { KnownFields } from '../../http/known-heads.js';
import type { ScheduledTask } from '../../load/fair-scheduler.js';
import { ClientSocket, IDLE_GRACE, LINGER_BYTES, type Phase } from './client-socket.js';
import { DRAIN_BYTES } from './intake.js';
import { Pace, type Verdict } from './pace.js';

/** Pipelined requests of one connection that are answered without a look at the others. */
const MOST_AT_ONCE = 16;

export abstract class RequestReader extends ClientSocket implements ScheduledTask {
  protected phase: Phase = 'head';
  /** Takes the request's body; undefined until somebody does. */
  protected sink: BodySink | undefined = undefined;
  /** Some of a head has come. */
  protected headBegun = false;
  /** Closed while it was idle, since its listener stops; until something comes after all. */
  protected retired = false;
  /** The client asked whether it may send the body, and waits for the answer. */
  protected asksToSend = false;
  #pumping = false;
  /** Requests that this run of pump() began. */
  #begun = 0;
  /** It goes on in its turn. */
  #yielded = false;
  /** Its turn comes soon, and one more read fits: to stop reading and go on would cost more. */
  #brief = false;
  /** There from the second request on: a connection that brings one alone remembers nothing of it. */
  #known: KnownFields | undefined = undefined;
  /** There while a body is looked at. */
  #sending: Pace | undefined = undefined;
  /** Bytes read and thrown away while closing, or of the rest of a request's body. */
  #discarded = 0;

  /** A head is parsed into the engine's scratch and stands no more in the intake. */
  protected abstract onRequest(now: number): void;
  /** The body turned out to be what it must not be: there is no telling where the next request would begin. */
  protected abstract refuseBody(error: ErrorSlug, cause: string): void;
  /** Bytes that the request's body may have. */
  protected abstract get maxBody(): number;
  /** A request that cannot even be read: says why, and closes. */
  protected abstract refuseConnection(error: ErrorSlug, cause: string): void;
  /** The client sent its FIN and all that can be done with what came before is done: what is left here has no end. */
  protected abstract afterEnd(): void;
  /** Something threw that must not: ends the exchange, if there is one, and the connection. */
  abstract broke(error: unknown): void;
  abstract close(): void;

  protected override onBytes(buffer: Buffer, count: number, lent: boolean): void {
    if (this.phase === 'tunnel') {
      const bytes = buffer.subarray(0, count);
      this.toTunnel(lent ? Buffer.from(bytes) : bytes);
    } else if (this.phase === 'linger') {
      if (this.retired) this.listener.raced++;
      this.retired = false;
      this.#discarded += count;
      if (this.#discarded > LINGER_BYTES) this.socket.destroy();
    } else {
      this.intake.push(buffer, count, lent);
      this.pump();
      this.intake.keep();
    }
  }

  /**
   * Does all that can be done with what is here. Never recurses: what ends an exchange inside only changes the phase. All
   * requests begin here, whatever brings them, so here a bug ends with the one that it met.
   */
  protected pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#begun = 0;
    try {
      while (!this.intake.empty && this.#step());
    } catch (error) {
      this.#pumping = false;
      this.broke(error);
      return;
    }
    this.#pumping = false;
    if (this.phase === 'tunnel' || this.phase === 'closed') return;
    if (this.ended && !this.#yielded) this.afterEnd();
    const stops = (this.#yielded && !this.#brief) || this.socket.writableNeedDrain;
    const mayRead = this.phase === 'linger' || (this.phase === 'head' && !stops);
    this.pause(!this.intake.empty && !mayRead);
  }

  takeTurn(): void {
    this.#yielded = false;
    this.pump();
  }

  /** False when nothing more can be done until something happens. */
  #step(): boolean {
    switch (this.phase) {
      case 'head':
        // A client that does not read its replies gets no further ones.
        return !this.socket.writableNeedDrain && this.#mayBegin() && this.#readHead();
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

  /** Something of a client is here that its turn has not come for. */
  protected get waits(): boolean {
    return this.#yielded && !this.intake.empty;
  }

  /** Whether it is not somebody else's turn. */
  #mayBegin(): boolean {
    const { scheduler } = this.engine;
    if (this.#begun < MOST_AT_ONCE && !scheduler.held) return true;
    this.#brief = scheduler.held && !this.#yielded;
    if (!this.#yielded) scheduler.wait(this);
    this.#yielded = true;
    return false;
  }

  /** One head: false when more bytes are needed, or the connection is at its end. */
  #readHead(): boolean {
    const { entry } = this.listener;
    if (this.headBegun && !this.intake.headMayEnd(entry.maxHeaderBytes)) return false;
    const length = this.engine.head.parse(this.intake.text(entry.maxHeaderBytes), entry, this.#known);
    if (length < 0) {
      this.refuseConnection(this.engine.head.error, this.engine.head.cause);
      return false;
    }
    const now = this.engine.monotonic();
    if (length === 0) {
      // No request has begun with an empty line (RFC 9112 section 2.2): nobody waits for a reply.
      if (this.intake.blank) return false;
      // The time for a head begins with its first byte, however slowly the others follow.
      if (!this.headBegun) this.deadline = now + entry.headerTimeout;
      this.headBegun = true;
      return false;
    }
    this.headBegun = false;
    this.#discarded = 0;
    this.#sending = undefined;
    this.#known ??= new KnownFields();
    this.intake.skip(length);
    this.#begun++;
    this.onRequest(now);
    return true;
  }

  /** Gives the request's body to `sink`: what is here at once, the rest as it comes. */
  protected feed(sink: BodySink): void {
    this.sink = sink;
    if (!this.#pumping) this.pump();
    else if (!this.intake.empty && !this.intake.body.done) this.#forwardBody(sink);
  }

  #forwardBody(sink: BodySink): void {
    const payload = this.intake.payload();
    const { body } = this.intake;
    if (body.failed) {
      this.refuseBody('request/malformed', `invalid request body: ${body.fault}`);
      return;
    }
    if (body.total > this.maxBody) {
      this.refuseBody('request/body-too-large', `request body larger than ${this.maxBody} bytes (max_body)`);
      return;
    }
    if (payload.length > 0 || body.done) sink.sendBody(payload, body.done);
  }

  #drainBody(): void {
    this.#discarded += this.intake.payload().length;
    const { body } = this.intake;
    if (body.failed || this.#discarded > DRAIN_BYTES) this.close();
    else if (body.done) this.awaitRequest();
  }

  /** How the client sends the body that it is waited for. The time that the target takes for it is not the client's. */
  protected sending(now: number): Verdict {
    const { body } = this.intake;
    const taken = this.phase === 'drain' || (this.phase === 'exchange' && this.sink?.takesBody === true);
    if (body.done || !taken || (this.asksToSend && body.total === 0)) {
      this.#sending?.rest();
      return 'fine';
    }
    const { minBodyRate, bodyTimeout } = this.listener.entry;
    this.#sending ??= new Pace(this.engine.bodyGrace, 0);
    return this.#sending.look(now, body.total, minBodyRate, bodyTimeout);
  }

  /** The exchange is over and its request is read to the end: the next one may come. */
  protected awaitRequest(): void {
    this.phase = 'head';
    const { closing, entry } = this.listener;
    this.deadline = this.engine.cachedNow() + (closing ? Math.min(IDLE_GRACE, entry.idleTimeout) : entry.idleTimeout);
  }
}
