/**
 * A client's HTTP/1.1 connection: one exchange at a time, replies in order. It consists of a reader (heads and bodies of
 * requests), a writer (replies) and the state that both depend on. Pipelined input waits in the reader's buffer, and the
 * socket is paused meanwhile.
 */
import type { Socket } from 'node:net';
import type { HeaderFields, Reply } from '../../../policies/contract.js';
import { abortCause, BUG_CAUSE, connectionCause } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { BodySink, Downstream, TunnelEnd } from '../../exchange/downstream.js';
import { GwExchange } from '../../exchange/exchange.js';
import { type Peer, peerOf } from '../../exchange/peer.js';
import { Seen } from '../../http/seen.js';
import { fieldLines, statusLine } from '../../http/write-head.js';
import type { AcceptedConnection, ClientConnection, CutCount, SocketEvents } from '../connection/client-connection.js';
import { expire } from '../connection/expiry.js';
import type { ConnectionHost, ConnectionOwner } from '../connection/host.js';
import type { Http2Switch } from '../connection/preface.js';
import { ClientTunnel } from './client-tunnel.js';
import { ConnectionState, LINGER_MS } from './connection-state.js';
import { DRAIN_BYTES } from './intake.js';
import { paceCause } from './pace.js';
import { refusal } from './refusal.js';
import { framingOf, lengthOf, ReplyWriter, replyHead, wholeBody } from './reply-writer.js';
import { type RequestHandler, RequestReader } from './request-reader.js';
import { openSocket } from './socket.js';

export class Http1Connection implements ClientConnection, Downstream, RequestHandler, SocketEvents {
  readonly place: number;
  readonly #host: ConnectionHost;
  readonly #listener: ConnectionOwner;
  readonly #toHttp2: Http2Switch | undefined;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #state: ConnectionState;
  readonly #reader: RequestReader;
  readonly #writer: ReplyWriter;
  #exchange: GwExchange | undefined = undefined;
  #keepAlive = true;
  #requests = 0;
  #status = 0;
  /** The reply's body ends with the connection. */
  #untilClose = false;
  #tunnel: ClientTunnel | undefined = undefined;
  /** Why the socket failed; '' if it did not. */
  #failure = '';

  constructor(host: ConnectionHost, listener: ConnectionOwner, accepted: AcceptedConnection) {
    const { tls } = accepted;
    this.place = accepted.place;
    this.#host = host;
    this.#listener = listener;
    const client = openSocket(accepted, this);
    this.#socket = client.socket;
    // Over TLS, clients must choose HTTP/2 by ALPN: RFC 9113 section 3.2.
    this.#toHttp2 = tls === undefined ? listener.switchOf(this, client) : undefined;
    this.#peer = peerOf(client.address, tls ? 'https' : 'http', listener.proxies, listener, tls);
    this.#state = new ConnectionState(host.monotonic() + listener.entry.headerTimeout);
    this.#writer = new ReplyWriter(this.#socket, host.batcher, host.bodies);
    this.#reader = new RequestReader(host, listener, this.#socket, this.#state, this);
  }

  onBytes(buffer: Buffer, count: number, lent: boolean): void {
    this.#reader.receive(buffer, count, lent);
  }

  onRequest(now: number): void {
    const host = this.#host;
    const state = this.#state;
    const exchange = new GwExchange(host.head, this.#peer, host.generation!, host, now);
    this.#exchange = exchange;
    state.phase = 'exchange';
    state.deadline = 0;
    this.#status = 0;
    this.#untilClose = false;
    this.#requests++;
    state.awaitsContinue = exchange.expectsContinue;
    this.#writer.reset();
    const { seen, minor } = exchange;
    this.#keepAlive = minor === 1 ? !(seen & Seen.Close) : (seen & Seen.KeepAlive) !== 0;
    this.#reader.beginBody(exchange);
    host.begin(exchange, this);
  }

  onBodyFault(error: ErrorSlug, cause: string): void {
    this.#host.driver.fail(this.#exchange!, error, cause);
  }

  get maxBody(): number {
    return this.#exchange?.maxBody ?? 0;
  }

  refuseConnection(error: ErrorSlug, cause: string): void {
    const host = this.#host;
    const toHttp2 = error === 'request/version' && this.#requests === 0 ? this.#toHttp2 : undefined;
    if (toHttp2?.take(this.#reader, this.#state) === true) return;
    const id = host.newId();
    this.#writer.write(refusal(error, id, host.dateLine, this.#reader.intake.beginsWithHead));
    host.refused(error, cause, this.#peer.address, id);
    this.close();
  }

  onTunnelBytes(bytes: Buffer): void {
    this.#tunnel?.receive(bytes);
  }

  onInputEnd(): void {
    if (this.#state.phase !== 'exchange') {
      if (!this.#socket.writableNeedDrain) this.close();
      return;
    }
    // After its whole request, a client may close its half and still read, as with HAProxy; nginx and Node end here, and so
    // does an exchange whose service asks for it.
    const { intake } = this.#reader;
    const cancels = this.#exchange?.compiled?.service?.entry.onClientClose === 'cancel';
    if (intake.empty && (cancels || !intake.body.done)) this.#abort();
  }

  pull(sink: BodySink): void {
    if (this.#exchange !== undefined) this.#reader.feed(sink);
  }

  readonly takesLent = true;
  get taken(): number {
    return this.#writer.taken;
  }

  dropBody(): void {
    this.#reader.sink = undefined;
    if (!this.#reader.intake.body.done) this.#keepAlive = false;
  }

  send(reply: Reply): void {
    const exchange = this.#exchange!;
    const { source } = exchange;
    const streams = source !== undefined && reply.body === source;
    const length = lengthOf(exchange, reply, streams);
    const framing = framingOf(exchange, reply.status, length);
    if (framing === 'raw' || reply.status === 101 || exchange.endsConnection || this.#endsHere(streams))
      this.#keepAlive = false;
    const connection = this.#keepAlive ? (exchange.minor === 0 ? 'keep-alive' : '') : 'close';
    const head = replyHead(exchange, reply, framing, length, connection, this.#host.dateLine);
    this.#status = reply.status;
    this.#untilClose = framing === 'raw';
    if (streams) {
      this.#writer.begin(head, framing, length);
      source.flow();
    } else {
      this.#writer.whole(head, wholeBody(reply), framing === 'none');
      this.#complete(false);
    }
  }

  /** Whether the connection must close after this reply. `streams`: its body comes from a source. */
  #endsHere(streams: boolean): boolean {
    const { intake, sink } = this.#reader;
    const { ended, awaitsContinue } = this.#state;
    const { entry, closing } = this.#listener;
    // A client that got no 100 Continue may send the body or leave it out: the start of the next request is unknown.
    const doubtful = awaitsContinue && intake.body.total === 0;
    // While a target's reply is sent, its request body is still read for it; a reply by gw leaves the body unread.
    const taken = streams && sink !== undefined && this.#exchange!.source!.readsRequest;
    if (!intake.willEnd(doubtful, taken) || this.#requests >= entry.maxRequestsPerConnection) return true;
    // After its FIN, a client still gets the replies to its earlier requests.
    return (ended && intake.empty) || this.#host.draining || closing;
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const more = this.#writer.body(buffer, start, end, last);
    // The read of the last bytes has read the clock.
    if (last) this.#complete(false, this.#host.cachedNow());
    return more;
  }

  /** Only to clients that ask for them: others may read them as header fields. */
  trailers(fields: HeaderFields): void {
    if (this.#exchange !== undefined && this.#exchange.seen & Seen.Trailers) this.#writer.trailers = fields;
  }

  interim(status: number, fields: HeaderFields): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.minor === 0 || exchange.settled) return;
    if (status === 100) this.#state.awaitsContinue = false;
    this.#writer.write(`${statusLine(status)}${fieldLines(fields)}\r\n`);
  }

  takeBack(): boolean {
    return this.#writer.takeBack();
  }

  cut(): void {
    this.#complete(true);
  }

  tunnel(end: TunnelEnd): void {
    const state = this.#state;
    state.phase = 'tunnel';
    state.deadline = 0;
    this.#exchange!.deadline = 0;
    this.#writer.flush();
    this.#tunnel = new ClientTunnel(end, this.#socket, this.#reader);
    this.#tunnel.start(state.ended);
    if (this.#host.draining || this.#listener.closing) this.#tunnel.retire();
  }

  tunnelWrite(bytes: Buffer, written: () => void): void {
    this.#writer.sent += bytes.length;
    this.#tunnel?.write(bytes, written);
  }

  tunnelWantsMore(): void {
    this.#reader.pause(false);
  }

  tunnelHalfEnded(): void {
    this.#tunnel?.halfEnd();
  }

  tunnelEnded(): void {
    if (this.#state.phase === 'tunnel') this.#complete(false);
  }

  /** The reply is sent, or cut: counts the exchange, and waits for the next request or closes. */
  #complete(cut: boolean, now = this.#host.monotonic()): void {
    const exchange = this.#exchange!;
    const { intake } = this.#reader;
    const { body } = intake;
    const writer = this.#writer;
    this.#exchange = undefined;
    this.#reader.sink = undefined;
    const lost = cut || !writer.complete;
    exchange.end(lost);
    if (lost) {
      writer.drop();
      writer.writeNow();
    }
    // With an orderly end, a body that ends with the connection would seem complete.
    if (lost && this.#untilClose && this.#peer.scheme === 'http') this.#socket.resetAndDestroy();
    this.#host.end(exchange, this.#status, body.total + (this.#tunnel?.received ?? 0), writer.bytes, lost, now);
    if (lost) this.#destroy();
    // If the listener stops only now, the head has promised to keep the connection, and a request may be on its way.
    else if (!this.#keepAlive) this.close();
    else if (this.#state.ended && intake.empty) this.close();
    else if (body.done) this.#reader.awaitRequest();
    else if (body.kind === 'length' && body.left > DRAIN_BYTES) this.close();
    else this.#state.phase = 'drain';
    this.#reader.pump();
  }

  /** Sends a FIN after all pending writes and keeps reading for a while, so that a reset does not destroy the last reply. */
  close(): void {
    const state = this.#state;
    if (state.phase === 'closed' || state.phase === 'linger') return;
    state.phase = 'linger';
    this.#reader.intake.takeAll();
    this.#writer.writeNow();
    this.#socket.end();
    // The linger time begins once the client has read everything; until then its pace is checked.
    state.deadline = this.#writer.busy ? 0 : this.#host.monotonic() + LINGER_MS;
    this.#reader.pause(false);
  }

  #destroy(): void {
    this.#state.phase = 'closed';
    this.#writer.writeNow();
    this.#socket.destroy();
  }

  onEnd(): void {
    this.#state.ended = true;
    if (this.#state.phase === 'tunnel') this.#tunnel?.ended();
    else this.#reader.pump();
  }

  onDrain(): void {
    const exchange = this.#exchange;
    const more = this.#writer.onDrain();
    if (more && exchange?.sending === true && this.#state.phase === 'exchange') exchange.drained();
    this.#reader.pump();
  }

  onError(error: Error): void {
    this.#failure = connectionCause(error);
  }

  onClose(): void {
    if (this.#exchange !== undefined) this.#abort();
    this.#state.phase = 'closed';
    this.#reader.intake.takeAll();
    this.#listener.gone(this);
  }

  /** The client left during an exchange. This is the normal end of a tunnel. */
  #abort(): void {
    const inTunnel = this.#state.phase === 'tunnel';
    this.#state.phase = 'closed';
    if (inTunnel) this.#complete(false);
    else this.#leave('downstream/aborted', abortCause(this.#failure, this.#reader.intake.body.done));
    this.#destroy();
  }

  /** The client gets no more: the exchange ends, or goes on without it. */
  #leave(error: ErrorSlug, cause: string): void {
    const facts = { status: this.#status, bytesIn: this.#reader.intake.body.total, bytesOut: this.#writer.bytes };
    const exchange = this.#exchange;
    if (exchange === undefined || !this.#host.left.adopt(exchange, error, cause, facts)) this.#fail(error, cause);
    this.#exchange = undefined;
    this.#reader.sink = undefined;
    this.#writer.drop();
    this.#destroy();
  }

  broke(error: unknown): void {
    const exchange = this.#exchange;
    this.#host.bug(error, exchange?.id);
    this.#keepAlive = false;
    try {
      if (exchange !== undefined) this.#host.driver.fail(exchange, 'gateway/failed', BUG_CAUSE);
      else if (this.#state.phase === 'head') this.refuseConnection('gateway/failed', BUG_CAUSE);
      else this.#destroy();
    } catch (again) {
      this.#host.bug(again, exchange?.id);
      this.#destroy();
    }
  }

  sweep(now: number): void {
    try {
      const exchange = this.#exchange;
      const { deadline, phase } = this.#state;
      if (exchange !== undefined && exchange.deadline !== 0 && now >= exchange.deadline)
        expire(exchange, this.#reader.sink?.collecting === true, this.#host.driver);
      else if (deadline !== 0 && now >= deadline) this.#onDeadline();
      else if (phase !== 'tunnel') this.#checkPace(now);
    } catch (error) {
      this.broke(error);
    }
  }

  #onDeadline(): void {
    const state = this.#state;
    // The input is here and waits for its turn: the client is not late.
    if (state.phase === 'head' && this.#reader.waits) return;
    state.deadline = 0;
    if (state.phase !== 'head') this.#destroy();
    else if (!this.#reader.expireHead()) {
      state.retired = this.#listener.closing;
      this.close();
    }
  }

  #checkPace(now: number): void {
    const { entry } = this.#listener;
    const state = this.#state;
    const taking = this.#writer.checkPace(now, this.#host.bodyGrace, entry);
    if (taking !== 'fine') {
      // A client that does not read cannot get an error.
      if (state.phase === 'exchange') this.#leave('downstream/slow', paceCause(taking, 'reply', entry));
      else this.#destroy();
      return;
    }
    const sending = this.#reader.checkPace(now);
    if (sending !== 'fine') {
      const error = sending === 'slow' ? 'request/too-slow' : 'request/timeout';
      if (state.phase === 'exchange') this.#fail(error, paceCause(sending, 'request', entry));
      else this.#destroy();
    } else if (state.phase === 'linger' && state.deadline === 0 && !this.#writer.busy) state.deadline = now + LINGER_MS;
  }

  /** Fails the exchange, if there is one. */
  #fail(error: ErrorSlug, cause: string): void {
    if (this.#exchange !== undefined) this.#host.driver.fail(this.#exchange, error, cause);
  }

  retire(until: number): void {
    const state = this.#state;
    if (state.phase === 'tunnel') this.#tunnel?.retire();
    if (state.phase === 'head' && !this.#reader.headBegun) state.deadline = Math.min(state.deadline, until);
  }

  get idle(): boolean {
    return this.#state.phase === 'head' && this.#reader.intake.empty;
  }

  get idleUntil(): number {
    return this.#state.deadline;
  }

  exchanges(): readonly GwExchange[] {
    return this.#exchange === undefined ? [] : [this.#exchange];
  }

  cutNow(count: CutCount): void {
    if (this.#exchange !== undefined) count.cut++;
    if (this.#exchange !== undefined && this.#state.phase === 'tunnel') count.tunnels++;
    this.#fail('gateway/drained', 'the drain timeout is over');
    this.#destroy();
  }
}
