/**
 * A client's HTTP/1.1 connection: heads off the wire, one exchange at a time, replies in order. What a pipelining client
 * sends ahead stays in one buffer, and the socket is paused while anything is in it.
 */
import type { Socket } from 'node:net';
import type { Reply } from '../../policies/contract.js';
import type { Downstream } from '../downstream.js';
import type { Engine, ExchangeDriver } from '../engine.js';
import { isChunked } from '../engine.js';
import type { ErrorSlug } from '../errors.js';
import { GwExchange } from '../exchange.js';
import type { Listener } from '../listener.js';
import { type Peer, peerOf } from '../peer.js';
import { Relay } from '../relay.js';
import { refuse } from '../route-request.js';
import { BodyReader } from './body.js';
import { refusal } from './refusal.js';
import { framingOf, ReplyWriter, replyHead } from './reply-writer.js';
import { Seen } from './request-head.js';

/** A first read up to this size is decoded whole; in a larger one the end of the head is looked for first. */
const DECODE_WHOLE = 2 * 1024;
/** What is left of a request's body after its reply: read and thrown away up to here, so that the connection can be kept. */
const DRAIN_BYTES = 256 * 1024;
/** A closing connection reads on for so long, so that the client gets to see the reply (RFC 9112 section 9.6). */
const LINGER_MS = 2000;
const LINGER_BYTES = 4 * 1024 * 1024;

type Phase = 'head' | 'exchange' | 'drain' | 'linger' | 'closed';

export class Http1Connection implements Downstream, ExchangeDriver {
  readonly listener: Listener;
  readonly #engine: Engine;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #writer: ReplyWriter;
  readonly #body = new BodyReader();
  #phase: Phase = 'head';
  #input: Buffer | undefined = undefined;
  #at = 0;
  #paused = false;
  #pumping = false;
  #exchange: GwExchange | undefined = undefined;
  #relay: Relay | undefined = undefined;
  /** The relay takes the request's body. */
  #pulling = false;
  #maxBody = 0;
  #keepAlive = true;
  /** The client sent its FIN. */
  #ended = false;
  /** Monotonic milliseconds at which the present wait on the client is over; 0 for none. */
  #deadline: number;
  /** At which the whole exchange must be over; 0 for none. */
  #exchangeDeadline = 0;
  /** Bytes read and thrown away while closing, or of the rest of a request's body. */
  #discarded = 0;
  /** The client was sent an informational reply: it goes on with the body. */
  #continued = false;
  /** Some of a head has come. */
  #headBegun = false;
  #status = 0;

  constructor(engine: Engine, listener: Listener, socket: Socket, scheme: 'http' | 'https') {
    this.#engine = engine;
    this.listener = listener;
    this.#socket = socket;
    this.#peer = peerOf(socket.remoteAddress, scheme, listener.proxies);
    this.#writer = new ReplyWriter(socket);
    this.#deadline = engine.monotonic() + listener.plan.headerTimeout;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    // The close that follows says all that matters.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  /** Between two exchanges, or before the first. */
  get idle(): boolean {
    return this.#phase === 'head' && this.#input === undefined;
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'linger') {
      this.#discarded += chunk.length;
      if (this.#discarded > LINGER_BYTES) this.#socket.destroy();
      return;
    }
    if (this.#input === undefined) {
      this.#input = chunk;
      this.#at = 0;
    } else {
      this.#input = Buffer.concat([this.#input.subarray(this.#at), chunk]);
      this.#at = 0;
    }
    this.#pump();
  }

  /** Does all that can be done with what is here. Never recurses: what ends an exchange inside only changes the phase. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#input !== undefined && !this.#socket.writableNeedDrain) {
      if (this.#phase === 'head') {
        if (!this.#readHead()) break;
      } else if (this.#phase === 'drain') this.#drainBody();
      else if (!this.#pulling || this.#body.done || !this.#relay?.takesBody) break;
      else this.#pumpBody();
    }
    this.#pumping = false;
    const waits =
      this.#input !== undefined &&
      this.#phase !== 'linger' &&
      (this.#phase !== 'head' || this.#socket.writableNeedDrain);
    if (waits !== this.#paused && this.#phase !== 'closed') {
      this.#paused = waits;
      if (waits) this.#socket.pause();
      else this.#socket.resume();
    }
  }

  /** One head: false when more bytes are needed or the connection is at its end. */
  #readHead(): boolean {
    const input = this.#input!;
    const { plan } = this.listener;
    const { head } = this.#engine;
    const from = this.#at;
    let to = input.length;
    if (to - from > DECODE_WHOLE) {
      const blank = input.indexOf('\r\n\r\n', from, 'latin1');
      to = Math.min(blank < 0 ? to : blank + 4, from + plan.maxHeaderBytes + 4);
    }
    const length = head.parse(input.toString('latin1', from, to), plan);
    if (length < 0) {
      this.#refuseConnection(head.error);
      return false;
    }
    const now = this.#engine.monotonic();
    if (length === 0) {
      // The time for a head begins with its first byte, however slowly the others follow.
      if (!this.#headBegun) this.#deadline = now + plan.headerTimeout;
      this.#headBegun = true;
      return false;
    }
    this.#headBegun = false;
    this.#at = from + length;
    if (this.#at === input.length) this.#input = undefined;
    this.#begin(now);
    return true;
  }

  #begin(now: number): void {
    const engine = this.#engine;
    const generation = engine.generation!;
    const exchange = new GwExchange(engine.head, this.#peer, generation, engine.newId, engine.now(), now);
    this.#phase = 'exchange';
    this.#exchange = exchange;
    this.#relay = undefined;
    this.#pulling = false;
    this.#deadline = 0;
    this.#exchangeDeadline = 0;
    this.#status = 0;
    this.#continued = false;
    this.#discarded = 0;
    this.#writer.reset();
    const { seen, minor } = exchange;
    this.#keepAlive = minor === 1 ? !(seen & Seen.Close) : (seen & Seen.KeepAlive) !== 0;
    if (isChunked(exchange)) this.#body.begin('chunked', 0);
    else if (exchange.contentLength > 0) this.#body.begin('length', exchange.contentLength);
    else this.#body.begin('none', 0);
    engine.begin(exchange, this);
  }

  admit(exchange: GwExchange): ErrorSlug | undefined {
    const { timeout, maxBodyBytes } = exchange.route;
    this.#maxBody = maxBodyBytes ?? this.listener.plan.maxBodyBytes;
    if (timeout > 0) this.#exchangeDeadline = exchange.startMs + timeout;
    return exchange.contentLength > this.#maxBody ? 'request/body-too-large' : undefined;
  }

  terminal(exchange: GwExchange): void {
    if (this.#relay !== undefined) {
      if (this.#pulling) throw new TypeError('The request body has been sent already: it cannot be sent again.');
      this.#relay.cancel();
    }
    this.#relay = this.#engine.terminal(exchange, this);
    this.#relay?.start();
  }

  deliver(exchange: GwExchange, reply: Reply): void {
    if (exchange !== this.#exchange || exchange.settled) return;
    this.send(exchange, reply);
  }

  send(exchange: GwExchange, given: Reply): void {
    exchange.settled = true;
    const reply = sendable(given, this.#relay) ? given : refuse(exchange, 'policy/failed');
    const relay = this.#relay;
    const streams = relay !== undefined && reply.body === relay;
    if (relay !== undefined && !streams) relay.cancel();
    const body = reply.body instanceof Uint8Array ? reply.body : null;
    const length = streams ? relay.contentLength : (body?.length ?? 0);
    const framing = framingOf(exchange, reply.status, length);
    if (framing === 'raw' || !this.#bodyWillEnd()) this.#keepAlive = false;
    if (this.#engine.draining || this.#ended || this.listener.closing) this.#keepAlive = false;
    const connection = this.#keepAlive ? (exchange.minor === 0 ? 'keep-alive' : '') : 'close';
    const head = replyHead(exchange, reply, framing, length, connection, this.#engine.dateLine);
    this.#status = reply.status;
    if (streams) {
      this.#writer.begin(head, framing, length);
      relay.flow();
      return;
    }
    this.#writer.whole(head, framing === 'none' ? null : body);
    this.#complete(false);
  }

  /** Whether the rest of the request's body is worth waiting for, so that the next request can be read behind it. */
  #bodyWillEnd(): boolean {
    const body = this.#body;
    if (body.done) return true;
    // A client that was not told to go on may leave the body out or not: nobody can tell what comes next.
    if (this.#exchange!.expectsContinue && !this.#continued && body.total === 0) return false;
    if (this.#pulling) return true;
    return body.kind === 'length' && body.left <= DRAIN_BYTES;
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const more = this.#writer.body(buffer, start, end, last);
    if (last) this.#complete(false);
    else if (!more) this.#deadline = this.#engine.monotonic() + this.listener.plan.bodyTimeout;
    return more;
  }

  interim(text: string): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.minor === 0 || this.#writer.begun) return;
    this.#continued = true;
    this.#socket.write(text, 'latin1');
  }

  cut(error: ErrorSlug): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.error = error;
    this.#complete(true);
  }

  pull(relay: Relay): void {
    if (relay !== this.#relay) return;
    this.#pulling = true;
    if (this.#pumping) this.#pumpBody();
    else this.#pump();
    if (!this.#body.done && this.#deadline === 0)
      this.#deadline = this.#engine.monotonic() + this.listener.plan.bodyTimeout;
  }

  #pumpBody(): void {
    const input = this.#input;
    const relay = this.#relay!;
    const body = this.#body;
    if (input === undefined || body.done) return;
    const used = body.take(input, this.#at, input.length);
    const rest = used < input.length;
    if (body.failed) return this.#refuseBody('request/malformed');
    if (body.total > this.#maxBody) return this.#refuseBody('request/body-too-large');
    this.#deadline = body.done ? 0 : this.#engine.monotonic() + this.listener.plan.bodyTimeout;
    this.#at = used;
    if (!rest) this.#input = undefined;
    if (body.end > body.start || body.done) relay.sendBody(input.subarray(body.start, body.end), body.done);
    if (!body.done && !relay.takesBody) this.#deadline = 0;
  }

  /** The body turned out to be what it must not be: there is no telling where the next request would begin. */
  #refuseBody(error: ErrorSlug): void {
    const exchange = this.#exchange!;
    this.#keepAlive = false;
    this.#pulling = false;
    this.#relay?.cancel();
    if (exchange.settled) this.cut(error);
    else this.send(exchange, refuse(exchange, error));
  }

  /** The reply is out (or cut off): counts it and goes on to the next request, or closes. */
  #complete(cut: boolean): void {
    const exchange = this.#exchange!;
    const relay = this.#relay;
    this.#exchange = undefined;
    this.#relay = undefined;
    this.#pulling = false;
    this.#exchangeDeadline = 0;
    exchange.settled = true;
    relay?.cancel();
    const lost = cut || !this.#writer.complete;
    this.#engine.end(exchange, this.#status, this.#body.total, this.#writer.bytes, lost);
    if (lost) return this.#destroy();
    if (!this.#keepAlive || this.listener.closing) return this.#close();
    if (this.#ended && this.#input === undefined) return this.#close();
    const { plan } = this.listener;
    const body = this.#body;
    if (body.kind === 'length' && body.left > DRAIN_BYTES) return this.#close();
    this.#phase = body.done ? 'head' : 'drain';
    this.#deadline = this.#engine.monotonic() + (body.done ? plan.idleTimeout : plan.bodyTimeout);
    this.#pump();
  }

  #drainBody(): void {
    const body = this.#body;
    const input = this.#input!;
    const used = body.take(input, this.#at, input.length);
    this.#discarded += used - this.#at;
    this.#at = used;
    if (used === input.length) this.#input = undefined;
    if (body.failed || this.#discarded > DRAIN_BYTES) return this.#close();
    if (!body.done) return;
    this.#phase = 'head';
    this.#deadline = this.#engine.monotonic() + this.listener.plan.idleTimeout;
  }

  /** A request that cannot even be read: says why, and closes. */
  #refuseConnection(error: ErrorSlug): void {
    const id = this.#engine.newId();
    this.#socket.write(refusal(error, id, this.#engine.dateLine), 'latin1');
    this.#engine.refused(error, this.#peer.address, id);
    this.#close();
  }

  /** Sends a FIN and reads on for a while, so that the last reply is not lost to a reset. */
  #close(): void {
    if (this.#phase === 'closed' || this.#phase === 'linger') return;
    this.#phase = 'linger';
    this.#input = undefined;
    this.#deadline = this.#engine.monotonic() + LINGER_MS;
    this.#socket.end();
    if (this.#ended) return;
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }

  #destroy(): void {
    this.#phase = 'closed';
    this.#socket.destroy();
  }

  #onEnd(): void {
    this.#ended = true;
    if (this.#phase === 'exchange' && this.#body.done) return;
    if (this.#phase === 'exchange') this.#abort();
    else if (this.#phase === 'head' && !this.#socket.writableNeedDrain) this.#close();
    else if (this.#phase === 'drain') this.#destroy();
  }

  #onDrain(): void {
    if (this.#relay !== undefined && this.#exchange?.settled) {
      if (!this.#pulling || this.#body.done) this.#deadline = 0;
      this.#relay.resume();
    }
    this.#pump();
  }

  #onClose(): void {
    this.#abort();
    this.#phase = 'closed';
    this.#input = undefined;
    this.listener.gone(this);
  }

  /** The client is gone in the middle of an exchange. */
  #abort(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return this.#destroy();
    exchange.error = 'downstream/aborted';
    exchange.rejectTerminal?.(new Error('The client closed the connection.'));
    this.#complete(true);
  }

  /** Called by the sweep. */
  sweep(now: number): void {
    if (this.#exchangeDeadline !== 0 && now >= this.#exchangeDeadline) this.#expire('exchange/timeout');
    else if (this.#deadline !== 0 && now >= this.#deadline) this.#onDeadline();
  }

  #onDeadline(): void {
    this.#deadline = 0;
    if (this.#phase === 'exchange') this.#expire(this.#exchange!.settled ? 'downstream/slow' : 'request/timeout');
    else if (this.#phase === 'head' && this.#headBegun) this.#refuseConnection('request/timeout');
    else if (this.#phase === 'head') this.#close();
    else this.#destroy();
  }

  #expire(error: ErrorSlug): void {
    const exchange = this.#exchange!;
    this.#exchangeDeadline = 0;
    if (exchange.settled) return this.cut(error);
    exchange.rejectTerminal?.(new Error('The exchange took too long.'));
    if (!this.#body.done) this.#keepAlive = false;
    this.send(exchange, refuse(exchange, error));
  }

  /** The listener goes, or the gateway drains: idle connections close now, busy ones after their exchange. */
  retire(): void {
    if (this.idle) this.#close();
  }

  /** The drain's deadline. True when an exchange was cut. */
  cutNow(): boolean {
    const exchange = this.#exchange;
    if (exchange !== undefined) this.cut('gateway/drained');
    this.#destroy();
    return exchange !== undefined;
  }
}

/** A policy may answer anything; what cannot be sent is its failure. */
function sendable(reply: Reply, relay: Relay | undefined): boolean {
  const { status, body } = reply;
  if (!Number.isInteger(status) || status < 200 || status > 599) return false;
  return body === null || body instanceof Uint8Array || (body instanceof Relay && body === relay);
}
