/**
 * A client's HTTP/1.1 connection: one exchange at a time, replies in order. What a pipelining client sends ahead stays in
 * one buffer, and the socket is paused while anything is in it.
 */
import type { Socket } from 'node:net';
import type { HeaderFields, Reply } from '../../../policies/contract.js';
import type { Engine } from '../../engine.js';
import { BUG_CAUSE, connectionCause, timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { BodySink, Downstream, TunnelEnd } from '../../exchange/downstream.js';
import { GwExchange } from '../../exchange/exchange.js';
import { streamLength } from '../../exchange/target-reply.js';
import { Seen } from '../../http/seen.js';
import { fieldLines, statusLine } from '../../http/write-head.js';
import type { Listener } from '../listener.js';
import { LINGER_MS } from './client-socket.js';
import { DRAIN_BYTES } from './intake.js';
import { refusal } from './refusal.js';
import { framingOf, replyHead } from './reply-writer.js';
import { RequestReader } from './request-reader.js';

export class Http1Connection extends RequestReader implements Downstream {
  #exchange: GwExchange | undefined = undefined;
  #keepAlive = true;
  #requests = 0;
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

  pull(sink: BodySink): void {
    if (this.#exchange !== undefined) this.feed(sink);
  }

  protected override refuseBody(error: ErrorSlug, cause: string): void {
    this.engine.driver.fail(this.#exchange!, error, cause);
  }

  protected override get maxBody(): number {
    return this.#exchange?.maxBody ?? 0;
  }

  get taken(): number {
    return this.writer.taken;
  }

  dropBody(): void {
    this.sink = undefined;
    if (!this.intake.body.done) this.#keepAlive = false;
  }

  send(reply: Reply): void {
    const exchange = this.#exchange!;
    const { source } = exchange;
    const streams = source !== undefined && reply.body === source;
    const body = reply.body instanceof Uint8Array ? reply.body : null;
    const length = streams ? streamLength(reply.status, source) : (body?.length ?? 0);
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

  /** Not sent: most HTTP/1.1 clients do not read trailers, and some read them as header fields. */
  trailers(): void {}

  interim(status: number, fields: HeaderFields): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.minor === 0 || exchange.settled) return;
    if (status === 100) this.asksToSend = false;
    this.writer.write(`${statusLine(status)}${fieldLines(fields)}\r\n`);
  }

  takeBack(): boolean {
    return this.writer.takeBack();
  }

  cut(): void {
    this.#complete(true);
  }

  tunnel(end: TunnelEnd): void {
    this.phase = 'tunnel';
    this.tunnelEnd = end;
    this.deadline = 0;
    this.#exchange!.deadline = 0;
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
    const { body } = this.intake;
    this.#exchange = undefined;
    this.sink = undefined;
    exchange.end();
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
    const exchange = this.#exchange;
    if (this.writer.onDrain() && exchange?.settled === true && this.phase === 'exchange') exchange.source?.resume();
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
    const inTunnel = this.phase === 'tunnel';
    this.phase = 'closed';
    if (inTunnel) this.#complete(false);
    else this.engine.driver.fail(this.#exchange!, 'downstream/aborted', this.#leaving());
    this.#destroy();
  }

  override broke(error: unknown): void {
    const exchange = this.#exchange;
    this.engine.bug(error, exchange?.id);
    this.#keepAlive = false;
    try {
      if (exchange !== undefined) this.engine.driver.fail(exchange, 'gateway/failed', BUG_CAUSE);
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
    const exchange = this.#exchange;
    if (exchange !== undefined && exchange.deadline !== 0 && now >= exchange.deadline) this.#expireExchange(exchange);
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
      if (this.phase === 'exchange') this.#fail('downstream/slow', this.paceCause(taking, 'reply'));
      else this.#destroy();
      return;
    }
    const sending = this.sending(now);
    if (sending !== 'fine') {
      const error = sending === 'slow' ? 'request/too-slow' : 'request/timeout';
      if (this.phase === 'exchange') this.#fail(error, this.paceCause(sending, 'request'));
      else this.#destroy();
    } else if (this.phase === 'linger' && this.deadline === 0 && !this.unsent) this.deadline = now + LINGER_MS;
  }

  #expireExchange(exchange: GwExchange): void {
    const collecting = this.sink?.collecting === true;
    const what = collecting ? 'exchange timeout within the request body' : 'exchange timeout';
    this.#fail(collecting ? 'request/timeout' : 'exchange/timeout', `${what} (${timeSpan(exchange.route.timeout)})`);
  }

  /** Ends the exchange, if there is one. */
  #fail(error: ErrorSlug, cause: string): void {
    if (this.#exchange !== undefined) this.engine.driver.fail(this.#exchange, error, cause);
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
    this.#fail('gateway/drained', 'the drain timeout is over');
    this.#destroy();
    return busy;
  }
}
