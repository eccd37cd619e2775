/**
 * A reply's body between its source and its client, with the stages that the steps of the chain have added:
 *
 *     source --body()--> link --body()--> link --body()--> client
 *            <-resume()-       <-drained()-       <-drained()-
 */
import type { BodyOut, BodySource, HeaderFields, ReplyBody } from '../../../policies/contract.js';
import { asBuffer, SLICE } from './request-body.js';
import { StageLink, type StageOwner } from './stage-link.js';
import { EMPTY, type ReplyReceiver, type ReplySource } from './types.js';

/** A stage of a policy in a reply's body. */
export class ReplyLink extends StageLink implements ReplyReceiver {
  /** Where its output goes: the next link, the client, or a collector. */
  next: ReplyReceiver;
  readonly #resume: () => void;
  #trailers: HeaderFields | undefined = undefined;

  constructor(next: ReplyReceiver, resume: () => void, owner: StageOwner) {
    super(owner, 'reply');
    this.next = next;
    this.#resume = resume;
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (this.stage === undefined) return false;
    this.take(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end), last, this.#trailers);
    return !this.paused && !this.over;
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  protected put(bytes: Uint8Array): boolean {
    return bytes.length === 0 || this.next.body(asBuffer(bytes), 0, bytes.length, false);
  }

  protected finish(trailers: HeaderFields | undefined): void {
    if (trailers !== undefined) this.next.trailers(trailers);
    this.next.body(EMPTY, 0, 0, true);
  }

  protected ask(): void {
    this.#resume();
  }

  /** The receiver has room again. */
  drained(): void {
    if (!this.over) this.onRoom();
  }
}

/** The stages of one reply. */
export class ReplyPipe implements ReplyReceiver {
  /** The body that the stages belong to: another reply has none of them. */
  owner: ReplyBody;
  readonly #links: ReplyLink[] = [];
  readonly #resumeSource: () => void;

  constructor(owner: ReplyBody, resumeSource: () => void) {
    this.owner = owner;
    this.#resumeSource = resumeSource;
  }

  /** Asks for more of what the last stage gets. */
  get resumeLast(): () => void {
    const last = this.#links.at(-1);
    return last === undefined ? this.#resumeSource : () => last.drained();
  }

  /** Adds a link with its stage: the output of the last one goes to it. */
  add(link: ReplyLink): void {
    const before = this.#links.at(-1);
    if (before !== undefined) before.next = link;
    this.#links.push(link);
  }

  /** Sends the output of the last stage to `next`. */
  divert(next: ReplyReceiver): void {
    const last = this.#links.at(-1);
    if (last !== undefined) last.next = next;
  }

  /** The same if its output goes to `before`. */
  redirect(before: ReplyReceiver, next: ReplyReceiver): void {
    if (this.#links.at(-1)?.next === before) this.divert(next);
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#links[0]!.body(buffer, start, end, last);
  }

  trailers(fields: HeaderFields): void {
    this.#links[0]!.trailers(fields);
  }

  /** The client has room again. */
  drained(): void {
    this.#links.at(-1)!.drained();
  }

  /** Idempotent. */
  abort(cause: string): void {
    for (const link of this.#links) link.abort(cause);
  }
}

/** Where a policy's stream writes, and what the exchange gives it. */
export interface StreamHost {
  /** The fields of the reply say that it is a stream. */
  readonly isStream: boolean;
  /** The receiver of the reply's body. */
  readonly receiver: ReplyReceiver;
  /** The reply has no body for this request: HEAD, 204, 304. */
  readonly bodiless: boolean;
  /** The body cannot be completed. `begun`: part of it was written. */
  failed(cause: string, begun: boolean): void;
  /** The stream threw an exception. */
  broke(error: unknown): void;
  /** It threw when it was discarded: the exchange goes on, or has ended. */
  discardFailed(error: unknown): void;
}

/** A reply body that a policy or an action supplies, as the source of an exchange. */
export class PolicySource implements ReplySource, BodyOut {
  readonly bodiless = false;
  readonly readsRequest = false;
  readonly isStream: boolean;
  readonly #body: BodySource;
  readonly #host: StreamHost;
  #onWritable: (() => void) | undefined = undefined;
  #begun = false;
  #over = false;
  /** In bytes; -1 if unknown. */
  readonly #length: number;
  #written = 0;

  constructor(body: BodySource, host: StreamHost) {
    this.#body = body;
    this.#host = host;
    this.isStream = host.isStream;
    const { length } = body;
    this.#length = Number.isSafeInteger(length) && length >= 0 ? length : -1;
  }

  /** A stream that is empty because the request is a HEAD says nothing about the length of the reply to a GET. */
  get contentLength(): number {
    return this.#host.bodiless && this.#length === 0 ? -1 : this.#length;
  }

  start(): void {}

  flow(): void {
    if (this.#over || this.#begun) return;
    this.#begun = true;
    if (!this.#host.bodiless) {
      this.#guard(() => this.#body.start(this));
      return;
    }
    this.cancel();
    this.#host.receiver.body(EMPTY, 0, 0, true);
  }

  /** No caller catches what a stream throws. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.#over) return;
      this.cancel();
      this.#host.broke(error);
    }
  }

  /** A stream of a known length must have it: Content-Length has announced it. */
  write(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    this.#written += bytes.length;
    if (this.#length >= 0 && this.#written > this.#length) {
      this.cancel();
      this.#host.failed(
        `the stream of the reply is longer than its ${this.#length} bytes`,
        this.#written > bytes.length,
      );
      return false;
    }
    return bytes.length === 0 || this.#host.receiver.body(asBuffer(bytes), 0, bytes.length, false);
  }

  end(trailers?: HeaderFields): void {
    if (this.#over) return;
    if (this.#written < this.#length) {
      this.fail(`the stream of the reply has ended after ${this.#written} of ${this.#length} bytes`);
      return;
    }
    this.#over = true;
    if (trailers !== undefined) this.#host.receiver.trailers(trailers);
    this.#host.receiver.body(EMPTY, 0, 0, true);
  }

  fail(cause: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#host.failed(cause, this.#written > 0);
  }

  onWritable(callback: () => void): void {
    this.#onWritable = callback;
  }

  resume(): void {
    const callback = this.#onWritable;
    this.#onWritable = undefined;
    if (!this.#over && callback !== undefined) this.#guard(callback);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onWritable = undefined;
    try {
      this.#body.discard();
    } catch (error) {
      this.#host.discardFailed(error);
    }
  }

  discard(): void {
    this.cancel();
  }
}

/** Bytes as a stream, for a stage or for a client that reads slowly. */
export class BytesSource implements BodySource {
  readonly length: number;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  start(out: BodyOut): void {
    while (this.#at < this.length) {
      const slice = this.#bytes.subarray(this.#at, this.#at + SLICE);
      this.#at += slice.length;
      if (out.write(slice) || this.#at === this.length) continue;
      out.onWritable(() => this.start(out));
      return;
    }
    out.end();
  }

  discard(): void {}
}

/** Whether a reply's body is a stream that a policy or an action supplies. */
export const isBodySource = (body: object): body is BodySource =>
  'start' in body && typeof body.start === 'function' && !('flow' in body) && 'length' in body;
