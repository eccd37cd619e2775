/** A downstream that is not HTTP/1.1: one stream for one exchange, in memory, with fields as pairs. */
import type { HeaderFields, Reply } from '../../src/policies/contract.js';
import type { Engine } from '../../src/proxy/engine.js';
import type { BodySink, Downstream, TunnelEnd } from '../../src/proxy/exchange/downstream.js';
import { GwExchange } from '../../src/proxy/exchange/exchange.js';
import type { Generation } from '../../src/proxy/exchange/generation.js';
import { peerOf, TrustedProxies } from '../../src/proxy/exchange/peer.js';
import { Seen } from '../../src/proxy/http/seen.js';
import { type Pair, PairFields } from './pair-fields.js';

export interface StreamRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly fields: readonly Pair[];
  /** Length that is declared; left out for a body of unknown length, or none. */
  readonly length?: number | undefined;
  readonly body?: string | undefined;
}

/** Bytes of a body that the client takes before it reads on. */
const WINDOW = 64 * 1024;

export class MemoryStream implements Downstream {
  readonly interims: { status: number; fields: readonly Pair[] }[] = [];
  status = 0;
  fields: readonly Pair[] = [];
  trailerFields: readonly Pair[] = [];
  readonly #pieces: Buffer[] = [];
  /** `cut`: before the end of a reply, or without one. */
  end: 'open' | 'whole' | 'cut' = 'open';
  taken = 0;
  readonly exchange: GwExchange;
  readonly #engine: Engine;
  readonly #body: Buffer;
  readonly #deadline: NodeJS.Timeout;
  #sink: BodySink | undefined;
  #sent = 0;
  #feeding = false;
  #reading = true;
  #unread = 0;
  #flows = false;
  /** Waits for the first bytes of the body. */
  #headOut = false;

  constructor(engine: Engine, generation: Generation, request: StreamRequest) {
    this.#engine = engine;
    const [path = '', query] = request.target.split(/\?(.*)/s);
    const authority = request.fields.find(([name]) => name === 'host')?.[1] ?? '';
    const { body, length } = request;
    this.#body = Buffer.from(body ?? '');
    const seen =
      (body !== undefined && length === undefined ? Seen.TransferEncoding : 0) |
      (length === undefined ? 0 : Seen.ContentLength) |
      (request.fields.some(([name]) => name === 'expect') ? Seen.Expect : 0);
    const description = {
      method: request.method,
      host: authority.replace(/:\d+$/, ''),
      authority,
      path,
      query: query ?? '',
      bareQuery: query === '',
      minor: 1,
      seen,
      contentLength: length ?? -1,
      fields: () => new PairFields(request.fields),
    };
    const [entry] = generation.program.listeners;
    const peer = peerOf('127.0.0.1', 'http', new TrustedProxies([]), { entry: entry! });
    this.exchange = new GwExchange(description, peer, generation, engine, engine.monotonic());
    this.#deadline = setInterval(() => this.#look(), 10);
    engine.begin(this.exchange, this);
  }

  #look(): void {
    const { deadline } = this.exchange;
    if (deadline !== 0 && this.#engine.monotonic() >= deadline)
      this.#engine.driver.fail(this.exchange, 'exchange/timeout', 'exchange timeout');
  }

  get content(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** The client resets the stream. */
  reset(): void {
    this.#engine.driver.fail(this.exchange, 'downstream/aborted', 'stream reset by the client');
  }

  pause(): void {
    this.#reading = false;
  }

  resume(): void {
    this.#reading = true;
    this.taken += this.#unread;
    this.#unread = 0;
    this.exchange.drained();
  }

  interim(status: number, fields: HeaderFields): void {
    this.interims.push({ status, fields: [...fields.entries()] });
  }

  send(reply: Reply): void {
    const { source } = this.exchange;
    this.status = reply.status;
    this.fields = [...reply.headers.entries()];
    if (source === undefined || reply.body !== source) {
      if (reply.body instanceof Uint8Array) this.#pieces.push(Buffer.from(reply.body));
      this.#complete('whole');
      return;
    }
    // A stream may take the body later than the head.
    setImmediate(() => {
      this.#flows = true;
      if (this.end === 'open' && source === this.exchange.source) source.flow();
    });
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (!this.#flows) throw new Error('a body before flow()');
    this.#headOut = true;
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    if (this.#reading) this.taken += end - start;
    else this.#unread += end - start;
    if (last) this.#complete('whole');
    return this.#unread < WINDOW;
  }

  trailers(fields: HeaderFields): void {
    if (this.end !== 'open') throw new Error('trailers after the end');
    this.trailerFields = [...fields.entries()];
  }

  takeBack(): boolean {
    if (this.#headOut || this.status === 0) return false;
    this.status = 0;
    return true;
  }

  cut(): void {
    this.#complete('cut');
  }

  #complete(end: 'whole' | 'cut'): void {
    if (this.end !== 'open') throw new Error('a second end');
    this.end = end;
    clearInterval(this.#deadline);
    this.#sink = undefined;
    this.exchange.end(end === 'cut');
    const now = this.#engine.monotonic();
    this.#engine.end(this.exchange, this.status, this.#sent, this.content.length, end === 'cut', now);
  }

  pull(sink: BodySink): void {
    this.#sink = sink;
    if (this.#feeding) return;
    this.#feeding = true;
    while (this.#sink?.takesBody === true && this.#sent < this.#body.length) {
      const piece = Buffer.from(this.#body.subarray(this.#sent, this.#sent + 16 * 1024));
      this.#sent += piece.length;
      if (this.#sent > this.exchange.maxBody)
        this.#engine.driver.fail(this.exchange, 'request/body-too-large', 'request body too large');
      else this.#sink.sendBody(piece, this.#sent === this.#body.length);
    }
    this.#feeding = false;
  }

  dropBody(): void {
    this.#sink = undefined;
  }

  broke(error: unknown): void {
    this.#engine.bug(error, this.exchange.id);
    this.#engine.driver.fail(this.exchange, 'gateway/failed', 'a bug in gw');
  }

  tunnel(_end: TunnelEnd): void {}
  tunnelWrite(): void {}
  tunnelWantsMore(): void {}
  tunnelHalfEnded(): void {}
  tunnelEnded(): void {}
}
