/** The two ways to take the reply of a call: whole, or as a stream. */
import type { BodyOut, BodySource, CallReply, HeaderFields, StreamedReply } from '../../../contract/index.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { HeadFields } from '../../http/fields.js';
import { type BodyBudget, BodyBuffer } from '../../load/body-buffer.js';
import type { Call, ReplyTaker } from './call.js';
import { CallError } from './failure.js';
import { GuardedOut } from './guarded-out.js';

/** How a promise of a reply is settled. */
export interface Settle<Reply> {
  resolve(reply: Reply): void;
  reject(error: CallError): void;
}

const EMPTY = Buffer.alloc(0);

/** Collects the reply, at most `max` bytes, in the memory for bodies. */
export class WholeReply implements ReplyTaker {
  readonly flowing = true;
  call: Call | undefined = undefined;
  readonly #max: number;
  readonly #budget: BodyBudget;
  readonly #settle: Settle<CallReply>;
  #status = 0;
  #headers: HeaderFields | undefined = undefined;
  /** Of the body, as its head announces it. */
  #length = -1;
  /** The whole body, if it came in one part. */
  #whole: Buffer | undefined = undefined;
  #store: BodyBuffer | undefined = undefined;

  constructor(max: number, budget: BodyBudget, settle: Settle<CallReply>) {
    this.#max = max;
    this.#budget = budget;
    this.#settle = settle;
  }

  onHead(status: number, headers: HeadFields, length: number): void {
    this.#status = status;
    this.#headers = headers;
    this.#length = length;
    if (length > this.#max && this.call!.method !== 'HEAD' && status !== 304) this.#refuse(`Content-Length ${length}`);
  }

  onBody(bytes: Buffer): boolean {
    const length = (this.#store?.length ?? 0) + bytes.length;
    if (length > this.#max) this.#refuse(`${length} bytes`);
    else if (this.#budget.used + bytes.length > this.#budget.limit)
      this.call!.cancel('gateway/overloaded', 'no memory left for bodies');
    else if (length === this.#length && this.#store === undefined) this.#whole = Buffer.from(bytes);
    else {
      this.#store ??= new BodyBuffer(this.#budget);
      this.#store.add(bytes, 0, bytes.length);
    }
    return true;
  }

  #refuse(found: string): void {
    this.call!.cancel('upstream/too-large', `reply too large: ${found}, at most ${this.#max} are accepted`);
  }

  onEnd(): void {
    const body = this.#whole ?? this.#store?.joined() ?? EMPTY;
    this.#store?.clear();
    this.#settle.resolve({ status: this.#status, headers: this.#headers!, body });
  }

  onFailure(error: ErrorSlug, cause: string): void {
    this.#store?.clear();
    this.#settle.reject(new CallError(this.call!.service, error, cause));
  }
}

/** Passes the body on as it arrives. The target is paused until start(), and while the receiver is full. */
export class ReplyStream implements ReplyTaker, BodySource {
  flowing = false;
  length = -1;
  call: Call | undefined = undefined;
  readonly #settle: Settle<StreamedReply>;
  readonly #timed: boolean;
  readonly #broke: (error: unknown) => void;
  #out: BodyOut | undefined = undefined;
  #replied = false;
  #failure = '';

  /** `timed`: the call's timeout includes the body; otherwise it ends with start(). `broke`: the receiver threw. */
  constructor(timed: boolean, settle: Settle<StreamedReply>, broke: (error: unknown) => void) {
    this.#timed = timed;
    this.#settle = settle;
    this.#broke = broke;
  }

  onHead(status: number, headers: HeadFields, length: number): void {
    this.#replied = true;
    const bodiless = this.call!.method === 'HEAD' || status === 204 || status === 205 || status === 304;
    this.length = bodiless ? 0 : length;
    this.#settle.resolve({ status, headers, body: this });
  }

  start(receiver: BodyOut): void {
    const call = this.call!;
    const out = new GuardedOut(receiver, (error) => {
      this.#broke(error);
      this.discard();
    });
    this.#out = out;
    this.flowing = true;
    if (this.#failure !== '') out.fail(this.#failure);
    else {
      // The service's response_timeout, between the parts of the body, and the receiver's pace bound the rest.
      if (!this.#timed) call.deadline = 0;
      call.resume();
    }
  }

  discard(): void {
    this.#out = undefined;
    this.call!.cancel();
  }

  onBody(bytes: Buffer): boolean {
    const out = this.#out!;
    if (out.write(bytes)) return true;
    out.onWritable(() => this.call!.resume());
    return false;
  }

  onEnd(trailers: HeadFields | undefined): void {
    this.#out?.end(trailers);
  }

  onFailure(error: ErrorSlug, cause: string): void {
    if (!this.#replied) this.#settle.reject(new CallError(this.call!.service, error, cause));
    else if (this.#out === undefined) this.#failure = cause;
    else this.#out.fail(cause);
  }
}
