/** The downstream of an exchange inside gw: it supplies the request's body, and gives the reply to a policy or an action. */
import type { BodyOut, BodySource, HeaderFields, Reply, StreamedReply } from '../../../policies/contract.js';
import { HeaderMap } from '../../../policies/run-kit.js';
import { BUG_CAUSE } from '../../errors/cause.js';
import { isOwnFraming } from '../../http/own-names.js';
import { CallError } from '../../upstream/call/failure.js';
import { failedReceiver, GuardedOut, RECEIVER_FAILED } from '../../upstream/call/guarded-out.js';
import type { BodySink, Downstream, TunnelEnd } from '../downstream.js';
import type { Driver } from '../driver.js';
import type { GwExchange } from '../exchange.js';
import { TargetReply } from '../target-reply.js';

/** Bytes of a request's body that are passed on at once. */
const PIECE = 64 * 1024;

export interface InnerStreamHost {
  readonly driver: Driver;
  bug(error: unknown, request: string): void;
  /** The exchange has ended. Called once. */
  ended(stream: InnerStream): void;
}

export interface SettleReply {
  resolve(reply: StreamedReply): void;
  reject(error: CallError): void;
}

export class InnerStream implements Downstream, BodySource {
  readonly exchange: GwExchange;
  readonly taken = 0;
  readonly inside = true;
  length = -1;
  /** Status of the reply; 0 before it. */
  status = 0;
  /** The reply was not sent completely. */
  wasCut = false;
  /** Set by its owner; called once. */
  onEnd: () => void = () => {};
  /** Bytes of the bodies. */
  received = 0;
  sent = 0;
  readonly #host: InnerStreamHost;
  readonly #settle: SettleReply;
  readonly #request: Buffer;
  #feeding = false;
  #sink: BodySink | undefined = undefined;
  #out: BodyOut | undefined = undefined;
  /** A reply whose whole body is here. */
  #bytes: Uint8Array | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;
  #failure = '';
  #over = false;

  /** `body` of the request; empty for none. */
  constructor(host: InnerStreamHost, exchange: GwExchange, body: Buffer, settle: SettleReply) {
    this.#host = host;
    this.exchange = exchange;
    this.#request = body;
    this.#settle = settle;
  }

  pull(sink: BodySink): void {
    this.#sink = sink;
    if (this.#feeding) return;
    this.#feeding = true;
    while (this.#sink?.takesBody === true && this.sent < this.#request.length) {
      const piece = this.#request.subarray(this.sent, this.sent + PIECE);
      this.sent += piece.length;
      this.#sink.sendBody(piece, this.sent === this.#request.length);
    }
    this.#feeding = false;
  }

  dropBody(): void {
    this.#sink = undefined;
  }

  send(reply: Reply): void {
    const { status, body } = reply;
    this.status = status;
    const { source, method } = this.exchange;
    const streams = source !== undefined && body === source;
    if (streams) this.length = method === 'HEAD' || source.bodiless ? 0 : this.exchange.streamLength(status);
    else {
      this.#bytes = method !== 'HEAD' && body instanceof Uint8Array ? body : EMPTY;
      this.length = this.#bytes.length;
      this.received = this.length;
      this.#end(false);
    }
    this.#settle.resolve({ status, headers: endToEnd(reply), body: this });
  }

  start(receiver: BodyOut): void {
    const out = new GuardedOut(receiver, (error) => {
      this.exchange.generation.logger.error(RECEIVER_FAILED, failedReceiver({ request: this.exchange.id }, error));
      this.discard();
    });
    this.#out = out;
    const bytes = this.#bytes;
    if (this.#failure !== '') out.fail(this.#failure);
    else if (bytes === undefined) this.exchange.source?.flow();
    else {
      this.#bytes = undefined;
      if (bytes.length > 0) out.write(bytes);
      out.end();
    }
  }

  discard(): void {
    this.#out = undefined;
    this.#bytes = undefined;
    this.#host.driver.fail(this.exchange, 'downstream/aborted', DISCARDED);
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const out = this.#out;
    this.received += end - start;
    const more = out === undefined || end === start || out.write(buffer.subarray(start, end));
    if (last) {
      if (this.#over) return true;
      this.#end(false);
      out?.end(this.#trailers);
    } else if (!more) out?.onWritable(() => this.exchange.drained());
    return more;
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  /** A reply that a policy has got cannot be withdrawn. */
  takeBack(): boolean {
    return false;
  }

  cut(): void {
    if (this.#over) return;
    const { error, cause } = this.exchange;
    this.#end(true);
    const why = cause ?? error ?? 'cut';
    if (this.status === 0) this.#settle.reject(new CallError('a further request', error ?? 'upstream/aborted', why));
    else if (this.#out === undefined) this.#failure = why;
    else this.#out.fail(why);
  }

  #end(cut: boolean): void {
    this.#over = true;
    this.wasCut = cut;
    this.#sink = undefined;
    this.exchange.end(cut);
    this.#host.ended(this);
  }

  broke(error: unknown): void {
    this.#host.bug(error, this.exchange.id);
    this.#host.driver.fail(this.exchange, 'gateway/failed', BUG_CAUSE);
  }

  // Such requests ask for no upgrade and get no informational replies.
  interim(): void {}
  tunnel(_end: TunnelEnd): void {}
  tunnelWrite(): void {}
  tunnelWantsMore(): void {}
  tunnelHalfEnded(): void {}
  tunnelEnded(): void {}
}

const EMPTY = new Uint8Array(0);
const DISCARDED = 'the reply was discarded';

/** The fields of a reply without those of the target's hop. */
function endToEnd(reply: Reply): HeaderFields {
  const listed = reply instanceof TargetReply && reply.listed !== '' ? reply.listed.split(',') : NONE;
  const fields = new HeaderMap();
  for (const [name, value] of reply.headers.entries())
    if (!isOwnFraming(name) && !listed.includes(name)) fields.append(name, value);
  return fields;
}

const NONE: readonly string[] = [];
