/**
 * A client's HTTP/1.1 connection: one exchange at a time, replies in order. What a pipelining client sends ahead stays in
 * one buffer, and the socket is paused while anything is in it.
 */
import type { Socket } from 'node:net';
import type { Reply } from '../../../policies/contract.js';
import type { Engine, ExchangeDriver } from '../../engine.js';
import { BUG_CAUSE, connectionCause, timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { BodySink, Downstream, ReplySource, TunnelEnd } from '../../exchange/downstream.js';
import { GwExchange } from '../../exchange/exchange.js';
import { bodyLimit, refuse } from '../../exchange/route-request.js';
import { streamLength } from '../../exchange/target-reply.js';
import { Seen } from '../../http/seen.js';
import type { Listener } from '../listener.js';
import { LINGER_MS } from './client-socket.js';
import { DRAIN_BYTES } from './intake.js';
import { refusal } from './refusal.js';
import { framingOf, replyHead, sendable } from './reply-writer.js';
import { RequestReader } from './request-reader.js';

export class Http1Connection extends RequestReader implements Downstream, ExchangeDriver {
  #exchange: GwExchange | undefined = undefined;
  /** Brings the reply from a target. */
  #source: ReplySource | undefined = undefined;
  #keepAlive = true;
  #requests = 0;
  /** At which the whole exchange must be over; 0 for none. */
  #exchangeDeadline = 0;
  #status = 0;
  /** The reply's body ends with the connection. */
  #untilClose = false;

  constructor(engine: Engine, listener: Listener, socket: Socket, scheme: 'http' | 'https', place: number) {
    super(engine, listener, socket, scheme, place);
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('drain', () => this.#onDrain());
    // The close that follows says all that matters.
    this.socket.on('error', (error) => {
      this.lost = connectionCause(error);
    });
    this.socket.on('close', () => this.#onClose());
  }

  protected override onRequest(now: number): void {
    const engine = this.engine;
    const exchange = new GwExchange(engine.head, this.peer, engine.generation!, engine, now);
    this.phase = 'exchange';
    this.#exchange = exchange;
    this.deadline = 0;
    this.#status = 0;
    this.#untilClose = false;
    this.bytesIn = 0;
    this.#requests++;
    this.asksToSend = exchange.expectsContinue;
    this.writer.reset();
    const { seen, minor, contentLength } = exchange;
    this.#keepAlive = minor === 1 ? !(seen & Seen.Close) : (seen & Seen.KeepAlive) !== 0;
    const kind = seen & Seen.TransferEncoding ? 'chunked' : contentLength > 0 ? 'length' : 'none';
    this.intake.body.begin(kind, contentLength);
    engine.begin(exchange, this);
  }

  admit(exchange: GwExchange): ErrorSlug | undefined {
    this.maxBody = bodyLimit(exchange, this.listener.entry.maxBodyBytes);
    if (exchange.route.timeout > 0) this.#exchangeDeadline = exchange.startMs + exchange.route.timeout;
    if (exchange.contentLength <= this.maxBody) return undefined;
    exchange.cause = `Content-Length ${exchange.contentLength} is above ${this.maxBody} bytes (max_body)`;
    return 'request/body-too-large';
  }

  pull(sink: BodySink): void {
    if (this.#exchange !== undefined) this.feed(sink);
  }

  protected override refuseBody(error: ErrorSlug, cause: string): void {
    this.#keepAlive = false;
    this.sink = undefined;
    this.#source?.cancel();
    this.#endEarly(error, cause);
  }

  get taken(): number {
    return this.writer.taken;
  }

  giveUp(error: ErrorSlug, cause: string): void {
    if (this.#exchange !== undefined) this.refuseBody(error, cause);
  }

  terminal(exchange: GwExchange): void {
    // A policy that was not waited for any longer: the connection may be at its next exchange.
    if (exchange.settled) throw new Error('The exchange is over.');
    if (this.sink?.begun === true)
      throw new TypeError('The request body has been sent already: it cannot be sent again.');
    const before = this.#source;
    if (before !== undefined) {
      // A policy asks again: the error of the attempt before is not that of the exchange.
      exchange.error = null;
      exchange.cause = null;
    }
    this.#source = this.engine.terminal(exchange, this, before);
    before?.cancel();
    this.#source?.start();
  }

  deliver(exchange: GwExchange, reply: Reply): void {
    if (exchange === this.#exchange && !exchange.settled) this.#send(exchange, reply);
  }

  #send(exchange: GwExchange, given: Reply): void {
    exchange.settled = true;
    const source = this.#source;
    const reply = sendable(given, source)
      ? given
      : refuse(exchange, 'policy/failed', 'a policy answered with what cannot be sent');
    // RFC 9110 section 15.3.6: with this status a policy has the body left out.
    const reset = reply.status === 205;
    const streams = source !== undefined && reply.body === source && !(reset && streamLength(reply, source) !== 0);
    if (source !== undefined && !streams) source.cancel();
    const body = reply.body instanceof Uint8Array && !reset ? reply.body : null;
    const length = streams ? streamLength(reply, source) : (body?.length ?? 0);
    const framing = framingOf(exchange, reply.status, length);
    // A client that was not told to go on may leave the body out or not: nobody can tell what comes next.
    const doubtful = this.asksToSend && this.intake.body.total === 0;
    // A body is read on for its target while that one's reply goes out; behind a reply of gw nothing takes it.
    const taken = streams && this.sink !== undefined;
    if (framing === 'raw' || reply.status === 101 || !this.intake.willEnd(doubtful, taken)) this.#keepAlive = false;
    if (this.#requests >= this.listener.entry.maxRequestsPerConnection) this.#keepAlive = false;
    // After its FIN a client still gets the replies to what it sent before.
    if ((this.ended && this.intake.empty) || this.engine.draining || this.listener.closing) this.#keepAlive = false;
    const connection = this.#keepAlive ? (exchange.minor === 0 ? 'keep-alive' : '') : 'close';
    const head = replyHead(exchange, reply, framing, length, connection, this.engine.dateLine);
    this.#status = reply.status;
    this.#untilClose = framing === 'raw';
    if (streams) {
      this.writer.begin(head, framing, length);
      source.flow();
    } else {
      this.writer.whole(head, framing === 'none' ? null : body);
      this.#complete(false);
    }
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const more = this.writer.body(buffer, start, end, last);
    // Who read the end of it has looked at the clock.
    if (last) this.#complete(false, this.engine.cachedNow());
    return more;
  }

  interim(status: number, text: string): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.minor === 0 || exchange.settled) return;
    if (status === 100) this.asksToSend = false;
    this.writer.write(text);
  }

  cut(error: ErrorSlug, cause: string): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    // Not a byte of the reply is out: the client can be told properly.
    if (this.writer.takeBack()) {
      this.#send(exchange, refuse(exchange, error, cause));
      return;
    }
    exchange.error = error;
    exchange.cause = cause;
    if (!exchange.settled) exchange.rejectTerminal?.(new Error('The exchange was cut.'));
    this.#complete(true);
  }

  tunnel(end: TunnelEnd): void {
    this.phase = 'tunnel';
    this.tunnelEnd = end;
    this.deadline = 0;
    this.#exchangeDeadline = 0;
    this.writer.flush();
    const ahead = this.intake.takeAll();
    this.pause(false);
    if (ahead !== undefined) this.toTunnel(ahead);
    if (this.ended) end.clientEnded();
  }

  tunnelEnded(): void {
    if (this.phase === 'tunnel') this.#complete(false);
  }

  /** The reply is out (or cut off): counts it and goes on to the next request, or closes. */
  #complete(cut: boolean, now = this.engine.monotonic()): void {
    const exchange = this.#exchange!;
    const source = this.#source;
    const { body } = this.intake;
    this.#exchange = undefined;
    this.#source = undefined;
    this.sink = undefined;
    this.#exchangeDeadline = 0;
    exchange.settled = true;
    source?.cancel();
    const lost = cut || !this.writer.complete;
    if (lost) {
      this.writer.drop();
      this.writer.writeNow();
    }
    // To a reader that goes by the end of the connection, an orderly end would say that the reply is whole.
    if (lost && this.#untilClose && this.peer.scheme === 'http') this.socket.resetAndDestroy();
    this.engine.end(exchange, this.#status, body.total + this.bytesIn, this.writer.bytes, lost, now);
    if (lost) this.#destroy();
    // Not where the listener stops after the head was out: a client that was told to keep it may be asking already.
    else if (!this.#keepAlive) this.close();
    else if (this.ended && this.intake.empty) this.close();
    else if (body.done) this.awaitRequest();
    else if (body.kind === 'length' && body.left > DRAIN_BYTES) this.close();
    else this.phase = 'drain';
    this.pump();
  }

  protected override refuseConnection(error: ErrorSlug, cause: string): void {
    const id = this.engine.newId();
    this.writer.write(refusal(error, id, this.engine.dateLine, this.intake.beginsWithHead));
    this.engine.refused(error, cause, this.peer.address, id);
    this.close();
  }

  /** Sends a FIN and reads on for a while, so that the last reply is not lost to a reset. */
  override close(): void {
    if (this.phase === 'closed' || this.phase === 'linger') return;
    this.phase = 'linger';
    this.intake.takeAll();
    this.finish();
    this.pause(false);
  }

  #destroy(): void {
    this.phase = 'closed';
    this.writer.writeNow();
    this.socket.destroy();
  }

  #onEnd(): void {
    this.ended = true;
    if (this.phase === 'tunnel') this.tunnelEnd?.clientEnded();
    else this.pump();
  }

  protected override afterEnd(): void {
    if (this.phase !== 'exchange') {
      if (!this.socket.writableNeedDrain) this.close();
      return;
    }
    // A client that sent its whole request may close its half and still read, as HAProxy has it; nginx and Node end here.
    if (!this.intake.body.done && this.intake.empty) this.#abort();
  }

  #onDrain(): void {
    const streams = this.#source !== undefined && this.#exchange?.settled === true && this.phase === 'exchange';
    if (this.writer.onDrain() && streams) this.#source?.resume();
    this.pump();
  }

  #onClose(): void {
    if (this.#exchange !== undefined) this.#abort();
    this.phase = 'closed';
    this.intake.takeAll();
    this.listener.gone(this);
  }

  #leaving(): string {
    const how = this.lost === '' ? 'connection closed' : this.lost;
    return `${how} by the client ${this.intake.body.done ? 'before the end of its reply' : 'within its request body'}`;
  }

  /** The client is gone in the middle of an exchange; at the end of a tunnel that is how things end. */
  #abort(): void {
    const exchange = this.#exchange!;
    const cut = this.phase !== 'tunnel';
    if (cut) {
      exchange.error = 'downstream/aborted';
      exchange.cause = this.#leaving();
    }
    this.phase = 'closed';
    exchange.rejectTerminal?.(new Error('The client closed the connection.'));
    this.#complete(cut);
    this.#destroy();
  }

  protected override broke(error: unknown): void {
    const exchange = this.#exchange;
    this.engine.bug(error, exchange?.id);
    this.#keepAlive = false;
    try {
      if (exchange !== undefined) this.#endEarly('gateway/failed', BUG_CAUSE);
      else if (this.phase === 'head') this.refuseConnection('gateway/failed', BUG_CAUSE);
      else this.#destroy();
    } catch (again) {
      this.engine.bug(again, exchange?.id);
      this.#destroy();
    }
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    try {
      this.#look(now);
    } catch (error) {
      this.broke(error);
    }
  }

  #look(now: number): void {
    if (this.#exchangeDeadline !== 0 && now >= this.#exchangeDeadline) this.#expireExchange();
    else if (this.deadline !== 0 && now >= this.deadline) this.#onDeadline();
    else if (this.phase !== 'tunnel') this.#checkPace(now);
  }

  #onDeadline(): void {
    // The client did its part; its turn will tell.
    if (this.phase === 'head' && this.waits) return;
    this.deadline = 0;
    if (this.phase !== 'head') this.#destroy();
    else if (this.headBegun) this.refuseConnection('request/timeout', this.headTimeoutCause);
    else {
      this.retired = this.listener.closing;
      this.close();
    }
  }

  #checkPace(now: number): void {
    const taking = this.taking(now);
    if (taking !== 'fine') {
      // There is no telling a client something that does not listen.
      if (this.phase === 'exchange') this.cut('downstream/slow', this.paceCause(taking, 'reply'));
      else this.#destroy();
      return;
    }
    const sending = this.sending(now);
    if (sending !== 'fine') {
      const error = sending === 'slow' ? 'request/too-slow' : 'request/timeout';
      if (this.phase === 'exchange') this.#expire(error, this.paceCause(sending, 'request'));
      else this.#destroy();
    } else if (this.phase === 'linger' && this.deadline === 0 && !this.unsent) this.deadline = now + LINGER_MS;
  }

  #expireExchange(): void {
    const collecting = this.sink?.collecting === true;
    const what = collecting ? 'exchange timeout within the request body' : 'exchange timeout';
    const cause = `${what} (${timeSpan(this.#exchange?.route.timeout ?? 0)})`;
    this.#expire(collecting ? 'request/timeout' : 'exchange/timeout', cause);
  }

  #expire(error: ErrorSlug, cause: string): void {
    this.#exchangeDeadline = 0;
    if (!this.intake.body.done) this.#keepAlive = false;
    this.#endEarly(error, cause);
  }

  /** Answers in place of the target, and tells a policy that waits for it; cuts a reply that is on its way. */
  #endEarly(error: ErrorSlug, cause: string): void {
    const exchange = this.#exchange!;
    if (exchange.settled) {
      this.cut(error, cause);
      return;
    }
    exchange.rejectTerminal?.(new Error(cause));
    this.#send(exchange, refuse(exchange, error, cause));
  }

  /** The listener stops: an idle connection closes at `until` (monotonic), a busy one after its exchange. */
  retire(until: number): void {
    if (this.phase === 'head' && !this.headBegun) this.deadline = Math.min(this.deadline, until);
  }

  /** Nothing of a request has come. */
  get idle(): boolean {
    return this.phase === 'head' && this.intake.empty;
  }

  /** Of an idle one: monotonic milliseconds. */
  get idleUntil(): number {
    return this.deadline;
  }

  get tunnelling(): boolean {
    return this.phase === 'tunnel';
  }

  /** The drain's deadline. True when an exchange was cut. */
  cutNow(): boolean {
    const busy = this.#exchange !== undefined;
    this.cut('gateway/drained', 'the drain timeout is over');
    this.#destroy();
    return busy;
  }
}
