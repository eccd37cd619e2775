/** A stream of an HTTP/2 connection: one exchange. RFC 9113 sections 5 and 8. */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { HeaderFields, Reply } from '../../../policies/contract.js';
import { abortCause, BUG_CAUSE } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { EMPTY } from '../../exchange/body/types.js';
import type { BodySink, Downstream, TunnelEnd } from '../../exchange/downstream.js';
import type { GwExchange } from '../../exchange/exchange.js';
import { mayPause } from '../../exchange/streams.js';
import { readsTrailers } from '../../exchange/target-head.js';
import { codeName } from '../../http/error-codes.js';
import { Seen } from '../../http/seen.js';
import { requestTrailers } from '../../http/trailers.js';
import { expire } from '../connection/expiry.js';
import { paceCause } from '../http1/pace.js';
import { lengthOf, wholeBody } from '../http1/reply-writer.js';
import { fieldsOf, isBodiless } from './reply-fields.js';
import { INVALID_FIELD, trailerLines } from './request.js';
import type { StreamOwner } from './stream-owner.js';
import { StreamPace } from './stream-pace.js';
import { StreamTunnel, TunnelSide, tunnelReply } from './stream-tunnel.js';
import { StreamWriter } from './stream-writer.js';

/** Makes Node reset a stream with INTERNAL_ERROR. */
const CUT = new Error('exchange cut');
const ENDS = { endStream: true };
const TRAILERS = { waitForTrailers: true };
const NO_FIELDS: OutgoingHttpHeaders = {};

export class ClientStream extends TunnelSide implements Downstream {
  exchange: GwExchange | undefined;
  readonly id: number;
  readonly #owner: StreamOwner;
  readonly #stream: ServerHttp2Stream;
  readonly #writer: StreamWriter;
  /** The fields of a reply that wait for the first bytes of its body. */
  #head: OutgoingHttpHeaders | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;
  /** The reply ends with trailers, or with their absence. */
  #trails = false;
  /** The frame that ends the reply is written. */
  #endSent = false;
  /** The reply has no body. */
  #bodiless = false;
  #sink: BodySink | undefined = undefined;
  /** The request's body is read, or was. */
  #reading = false;
  /** The request is complete. */
  #ended: boolean;
  #requestTrailers: HeaderFields | undefined = undefined;
  #bytesIn = 0;
  #status = 0;
  #awaitsContinue: boolean;
  readonly #pace: StreamPace;
  /** The client asks for a WebSocket by extended CONNECT (request.ts). */
  readonly #extended: boolean;

  /** `ended`: the request has no body. */
  constructor(owner: StreamOwner, stream: ServerHttp2Stream, exchange: GwExchange, ended: boolean) {
    super();
    this.#owner = owner;
    this.#stream = stream;
    this.exchange = exchange;
    this.id = stream.id ?? 0;
    this.#ended = ended;
    this.#awaitsContinue = exchange.expectsContinue;
    this.#extended = (exchange.seen & Seen.Upgrade) !== 0;
    this.#pace = new StreamPace(owner);
    this.#writer = new StreamWriter(stream, owner.host.bodies);
    stream.on('close', () => this.#onClose());
  }

  /** Payload in the buffer of the stream. */
  get unread(): number {
    return this.#stream.readableLength;
  }

  pull(sink: BodySink): void {
    if (this.exchange === undefined || (this.#ended && this.#reading)) return;
    this.#sink = sink;
    const stream = this.#stream;
    if (this.#reading) {
      stream.resume();
      return;
    }
    this.#reading = true;
    stream.on('trailers', (_fields: object, _flags: number, raw: readonly string[]) => this.#onTrailers(raw));
    stream.on('end', () => this.#onEnd());
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  #onData(chunk: Buffer): void {
    const exchange = this.exchange;
    this.#bytesIn += chunk.length;
    const sink = this.#sink;
    if (exchange === undefined || sink === undefined) {
      this.#owner.onConsumed();
      return;
    }
    try {
      if (this.#bytesIn > exchange.maxBody)
        this.#fail('request/body-too-large', `request body larger than ${exchange.maxBody} bytes (max_body)`);
      else {
        sink.sendBody(chunk, false);
        if (this.#sink?.takesBody === false) this.#stream.pause();
      }
    } catch (error) {
      this.broke(error);
    }
    this.#owner.onConsumed();
  }

  #onTrailers(raw: readonly string[]): void {
    const { host, listener } = this.#owner;
    const whole = this.#owner.isWhole(this.id, raw);
    const lines = whole ? trailerLines(raw, listener.entry) : INVALID_FIELD;
    if (typeof lines === 'string') this.#requestTrailers = requestTrailers(lines, host.head.written);
    else this.#fail(lines.error, lines.cause);
  }

  #onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    const sink = this.#sink;
    if (this.exchange === undefined || sink === undefined) return;
    try {
      if (this.#requestTrailers !== undefined) sink.trailers(this.#requestTrailers);
      sink.sendBody(EMPTY, true);
    } catch (error) {
      this.broke(error);
    }
  }

  dropBody(): void {
    this.#sink = undefined;
    if (this.#reading) this.#stream.pause();
  }

  get taken(): number {
    return this.#writer.taken;
  }

  get #dead(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  send(reply: Reply): void {
    const exchange = this.exchange!;
    const { source } = exchange;
    const streams = source !== undefined && reply.body === source;
    const length = lengthOf(exchange, reply, streams);
    const { fields, host } = this.#owner;
    const plain = fields.of(exchange, reply, length, host.dateLine);
    const head = this.#extended ? tunnelReply(plain, reply.status) : plain;
    this.#status = Number(head[':status']);
    this.#bodiless = isBodiless(exchange.method, reply.status);
    if (streams) {
      this.#writer.begin(length);
      if (!this.#bodiless) this.#head = head;
      else if (!this.#dead) this.#stream.respond(head, ENDS);
      source.flow();
      return;
    }
    const body = wholeBody(reply);
    const none = this.#bodiless || body === null || body.length === 0;
    if (!this.#dead) {
      this.#stream.respond(head, none ? ENDS : undefined);
      if (!none && body instanceof Uint8Array) this.#writer.whole(body);
    }
    this.#complete(this.#dead);
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (this.#dead || this.#bodiless) {
      // A dead stream announces its end.
      if (last) this.#complete(this.#dead);
      return true;
    }
    const head = this.#head;
    if (head !== undefined) {
      this.#head = undefined;
      if (last && start === end && this.#trailers === undefined && this.#writer.complete) {
        this.#stream.respond(head, ENDS);
        this.#complete(false);
        return true;
      }
      this.#begin(head, last);
    }
    const more = this.#writer.body(buffer, start, end, last);
    const stream = this.#stream;
    if (stream.writableNeedDrain && stream.listenerCount('drain') === 0) stream.on('drain', () => this.#onDrain());
    if (last) this.#complete(!this.#writer.complete);
    return more;
  }

  /** Sends the fields. `last`: trailers are known by now. */
  #begin(head: OutgoingHttpHeaders, last: boolean): void {
    const stream = this.#stream;
    // A reply with a length seldom has trailers.
    const mayTrail = !last && (head['content-length'] === undefined || readsTrailers(this.exchange!));
    if (this.#trailers === undefined && !mayTrail) {
      stream.respond(head);
      return;
    }
    this.#trails = true;
    stream.once('wantTrailers', () =>
      stream.sendTrailers(this.#trailers === undefined ? NO_FIELDS : fieldsOf(this.#trailers)),
    );
    stream.respond(head, TRAILERS);
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  interim(status: number, fields: HeaderFields): void {
    const { exchange } = this;
    if (exchange === undefined || exchange.settled || status === 101 || this.#dead || this.#stream.headersSent) return;
    if (status === 100) this.#awaitsContinue = false;
    this.#stream.additionalHeaders({ ':status': status, ...fieldsOf(fields) });
  }

  takeBack(): boolean {
    if (this.#head === undefined) return false;
    this.#head = undefined;
    this.#trailers = undefined;
    return true;
  }

  cut(status?: HeaderFields): void {
    const trails = status !== undefined && this.#trails && this.#writer.complete && !this.#dead;
    if (trails) {
      this.#trailers = status;
      this.#writer.finish();
    } else this.#reset();
    this.#complete(true, !trails);
  }

  /** Not by close(): that ends the stream first, and the client would take a part of the reply for the whole. */
  #reset(): void {
    this.#writer.drop();
    this.#stream.destroy(CUT);
  }

  tunnel(end: TunnelEnd): void {
    const { host, listener } = this.#owner;
    this.exchange!.deadline = 0;
    this.opened = new StreamTunnel(end, this.#stream, {
      consumed: () => this.#owner.onConsumed(),
      inputEnded: () => {
        this.#ended = true;
      },
      broke: (error) => this.broke(error),
    });
    if (this.#head !== undefined && !this.#dead) this.#stream.respond(this.#head);
    this.#head = undefined;
    this.#reading = true;
    this.opened.start();
    if (host.draining || listener.closing) end.retire();
  }

  tunnelWrite(bytes: Buffer, written: () => void): void {
    this.#writer.sent += bytes.length;
    this.opened?.write(bytes, written);
  }

  tunnelEnded(): void {
    this.opened?.halfEnd();
    this.#complete(false);
  }

  /** The reply is sent, or cut: counts the exchange. The stream ends once the client has read it. */
  #complete(cut: boolean, reset = cut): void {
    const { exchange } = this;
    if (exchange === undefined) return;
    const { host } = this.#owner;
    const { sent } = this.#writer;
    this.exchange = undefined;
    this.#sink = undefined;
    exchange.end(cut);
    host.end(exchange, this.#status, this.#bytesIn + (this.opened?.received ?? 0), sent, cut, host.monotonic());
    if (reset) this.#reset();
    this.#owner.onAnswered(cut);
    this.#letGo();
  }

  /** END_STREAM is written. Called by the session in the middle of its work. */
  endSent(): void {
    this.#endSent = true;
    this.#letGo();
  }

  /**
   * The exchange is over: what is unread must not keep the stream, and the rest of the body is not wanted (RFC 9113 section 8.1).
   * Never by stream.close(), whose RST_STREAM waits for `finish`: Node destroys the stream without it if another event comes first,
   * and nghttp2 then asks a stream that is gone for its data, in a loop that ends the process.
   */
  #letGo(): void {
    if (this.exchange !== undefined || this.#dead) return;
    if (this.#reading) this.#stream.resume();
    if (this.#endSent && this.#owner.sends(this.id)) setImmediate(() => this.#stream.destroy());
  }

  #onDrain(): void {
    try {
      if (this.#writer.onDrain() && this.exchange?.sending === true) this.exchange.drained();
      this.#letGo();
    } catch (error) {
      this.broke(error);
    }
  }

  #onClose(): void {
    if (this.opened !== undefined) this.#complete(false);
    else if (this.exchange !== undefined) {
      const failure = this.#owner.failure ?? `stream reset (${codeName(this.#stream.rstCode)})`;
      this.#leave('downstream/aborted', abortCause(failure, this.#ended));
    }
    this.#writer.drop();
    this.#owner.onStreamClosed(this.id);
  }

  /** The client gets no more: the exchange ends, or goes on without it. */
  #leave(error: ErrorSlug, cause: string): void {
    const { exchange } = this;
    if (exchange === undefined) return;
    const facts = { status: this.#status, bytesIn: this.#bytesIn, bytesOut: this.#writer.sent };
    try {
      if (this.#owner.host.left.adopt(exchange, error, cause, facts)) {
        this.exchange = undefined;
        this.#owner.onAnswered(true);
      } else this.#fail(error, cause);
    } catch (bug) {
      this.broke(bug);
    }
    this.#sink = undefined;
    this.#reset();
  }

  #fail(error: ErrorSlug, cause: string): void {
    if (this.exchange !== undefined) this.#owner.host.driver.fail(this.exchange, error, cause);
  }

  broke(error: unknown): void {
    const { host } = this.#owner;
    const { exchange } = this;
    host.bug(error, exchange?.id);
    try {
      if (exchange !== undefined) host.driver.fail(exchange, 'gateway/failed', BUG_CAUSE);
    } catch (again) {
      host.bug(again, exchange?.id);
    }
    if (this.exchange !== undefined) this.cut();
  }

  /** Checks deadlines and pace; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    try {
      const { exchange } = this;
      if (exchange !== undefined && exchange.deadline !== 0 && now >= exchange.deadline)
        expire(exchange, this.#sink?.collecting === true, this.#owner.host.driver);
      else this.#checkPace(now);
    } catch (error) {
      this.broke(error);
    }
  }

  #checkPace(now: number): void {
    if (this.opened !== undefined) return;
    const { entry } = this.#owner.listener;
    const { exchange } = this;
    const taking = this.#pace.reply(now, this.#writer);
    if (taking !== 'fine') {
      // A client that does not read cannot get an error.
      this.#leave('downstream/slow', paceCause(taking, 'reply', entry));
      this.#reset();
      return;
    }
    const expected = !this.#awaitsContinue || this.#bytesIn > 0;
    const awaited = !this.#ended && this.#sink?.takesBody === true && expected;
    const sending = this.#pace.request(now, awaited, this.#bytesIn);
    if (sending === 'fine' || exchange === undefined || mayPause(exchange, this.#sink)) return;
    this.#fail(sending === 'slow' ? 'request/too-slow' : 'request/timeout', paceCause(sending, 'request', entry));
  }

  /** Ends the exchange, since the gateway stops. */
  drained(): void {
    this.#fail('gateway/drained', 'the drain timeout is over');
  }
}
