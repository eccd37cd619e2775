/**
 * A request and its reply on an HTTP/2 connection to a target: one stream, RFC 9113 section 5. Its place is counted from the moment
 * that an exchange gets it until the reply has ended.
 */
import type { ClientHttp2Stream } from 'node:http2';
import type { HeaderFields } from '../../../contract/index.js';
import { BUG_CAUSE, timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { MAX_RESPONSE_HEAD, RESET_CONTENT, ResponseHead } from '../../http/response-head.js';
import type { Claim } from '../claims.js';
import { MAX_INTERIM } from '../reply-connection.js';
import { type OwnConnection, type RequestFraming, replyDeadline, type UpstreamUser } from '../user.js';
import { ErrorCode, type Failure, sessionFailure, streamFailure } from './failure.js';
import { headText, type RawFields, requestFields, statusOf, trailerLines, trailerObject } from './fields.js';
import { KeptBody } from './kept-body.js';
import { listen, listenForBody, type StreamEvents } from './stream-events.js';
import type { StreamOwner } from './stream-owner.js';

const EMPTY = Buffer.alloc(0);

/** Scratch of the thread: a head is handled before the next one is parsed. */
const head = new ResponseHead();

export class UpstreamStream implements OwnConnection, StreamEvents {
  readonly claim: Claim = { client: '', partial: false };
  /** Null once the reply has ended, or nobody waits for it. */
  user: UpstreamUser | null;
  readonly #owner: StreamOwner<UpstreamStream>;
  #stream: ClientHttp2Stream | undefined = undefined;
  /** Monotonic milliseconds at which the present wait times out; 0 for none. */
  #deadline = 0;
  #awaitsHead = true;
  #headOnly = false;
  #interims = 0;
  /** Payload bytes of the reply that are still to come; -1 if unknown. */
  #owed = -1;
  #mustBeEmpty = false;
  #paused = false;
  /** The user has got the head and not been called for the body yet: it may hold the head back until then. */
  #owesBody = false;
  /** The first part of the body, until the end of the turn in which it came. */
  #first: Buffer | undefined = undefined;
  #trailers = '';
  #sent = false;
  #requestTrailers: HeaderFields | undefined = undefined;
  readonly #kept = new KeptBody();
  #error: Error | undefined = undefined;
  /** A frame of the request could not be sent: the connection had ended. */
  #unsent = false;

  constructor(owner: StreamOwner<UpstreamStream>, user: UpstreamUser) {
    this.#owner = owner;
    this.user = user;
  }

  get held(): boolean {
    return this.#paused;
  }

  get writable(): boolean {
    return this.#stream?.writableNeedDrain === false;
  }

  // ---------------------------------------------------------------- request

  begin(user: UpstreamUser, text: string, framing: RequestFraming): void {
    const owner = this.#owner;
    this.user = user;
    this.#headOnly = user.method === 'HEAD';
    this.#sent = framing === 'none';
    this.#wait(owner.cachedNow());
    const fields = requestFields(text, owner.secure ? 'https' : 'http');
    // gRPC requests have no trailers, and an empty frame for each would end them.
    const mayTrail = framing === 'chunked' && !String(fields['content-type'] ?? '').startsWith('application/grpc');
    try {
      this.#stream = owner.open(fields, this.#sent, mayTrail);
      listen(this.#stream, this, !this.#sent, mayTrail);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
      // Not within begin(): its caller goes on to write the body.
      queueMicrotask(() => this.onClose());
    }
  }

  /** An unexpected exception ends this stream only. */
  broke(error: unknown): void {
    this.#owner.bug(error);
    this.#fail('gateway/failed', BUG_CAUSE);
  }

  onDrain(): void {
    this.user?.onWritable();
  }

  onFrameError(type: number): void {
    if (type === HEADERS) this.#unsent = true;
  }

  onError(error: Error): void {
    this.#error = error;
  }

  onWantTrailers(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.closed || stream.destroyed) return;
    stream.sendTrailers(this.#requestTrailers === undefined ? {} : trailerObject(this.#requestTrailers));
  }

  trailers(fields: HeaderFields): void {
    this.#requestTrailers = fields;
  }

  write(bytes: Buffer, last: boolean): void {
    if (last) {
      this.#sent = true;
      if (this.claim.partial) this.#owner.whole(this);
    }
    const stream = this.#stream;
    const owner = this.#owner;
    if (stream === undefined || stream.destroyed || stream.writableEnded) return;
    // node:http2 keeps the bytes until they are sent.
    const copy = Buffer.from(bytes);
    this.#kept.add(copy);
    // The target answers a body with WINDOW_UPDATE frames.
    owner.received(copy.length >> 6);
    if (!last) stream.write(copy);
    else if (copy.length > 0) stream.end(copy);
    else stream.end();
  }

  /** The head is on its way. */
  flush(): void {}

  awaitReply(): void {
    this.#wait(this.#owner.readClock());
  }

  /** A wait for the target begins, or begins anew. */
  #wait(now: number): void {
    this.#deadline = replyDeadline(now, this.user, this.#owner.responseTimeout);
  }

  giveBack(): void {
    this.user = null;
    this.#owner.release(this);
  }

  // ---------------------------------------------------------------- reply

  onInterim(raw: RawFields): void {
    const { user } = this;
    if (user === null || !this.#awaitsHead) return;
    this.#owner.readClock();
    const status = statusOf(raw);
    if (status === 101 || ++this.#interims > MAX_INTERIM)
      this.#invalid(status === 101 ? 'status 101 over HTTP/2' : `more than ${MAX_INTERIM} informational replies`);
    else if (this.#parse(status, raw)) user.onInterim(head);
  }

  /** Reads a head into the scratch; false if it is invalid: then the stream has failed. */
  #parse(status: number, raw: RawFields): boolean {
    const text = status === 0 || !this.#isWhole(raw) ? undefined : headText(status, raw);
    if (text === undefined)
      return this.#invalid('a pseudo-field, a field of the connection, or an invalid field in the head');
    this.#owner.received(text.length);
    if (text.length > MAX_RESPONSE_HEAD) return this.#invalid('head too long');
    if (head.parse(text) !== text.length) return this.#invalid(head.fault);
    return true;
  }

  /** Not if nghttp2 has left out a field with invalid characters. */
  #isWhole(raw: RawFields): boolean {
    const id = this.#stream?.id;
    return id !== undefined && this.#owner.isWhole(id, raw);
  }

  #invalid(fault: string): false {
    this.#fail('upstream/invalid', `invalid reply: ${fault}`);
    return false;
  }

  onResponse(raw: RawFields): void {
    const { user } = this;
    if (user === null) return;
    const owner = this.#owner;
    const now = owner.readClock();
    const status = statusOf(raw);
    if (!this.#parse(status, raw)) return;
    const fault = status < 200 ? `status ${status} instead of a final reply` : head.lengthFault(this.#headOnly);
    if (fault !== undefined) {
      this.#invalid(fault);
      return;
    }
    this.#awaitsHead = false;
    this.#kept.drop();
    this.#mustBeEmpty = this.#headOnly || status === 204 || status === 205 || status === 304;
    this.#owed = this.#mustBeEmpty ? 0 : head.contentLength;
    this.#owesBody = !this.#mustBeEmpty;
    user.onHead(head);
    if (this.user !== user) return;
    if (this.#stream !== undefined) listenForBody(this.#stream);
    if (!this.#paused) this.#wait(now);
    if (this.#owesBody) owner.headCame(this);
  }

  /** Lets the user send the head, and the first part of the body if one has come with it. */
  flushHead(): void {
    const { user } = this;
    if (!this.#owesBody || this.#paused || user === null) return;
    this.#owesBody = false;
    const first = this.#first ?? EMPTY;
    this.#first = undefined;
    try {
      if (!user.onBody(first, 0, first.length, false) && this.user === user) this.pause();
    } catch (error) {
      this.broke(error);
    }
  }

  onData(chunk: Buffer): void {
    const { user } = this;
    if (user === null) return;
    const owner = this.#owner;
    const { length } = chunk;
    this.#wait(owner.readClock());
    owner.received(length + FRAME_HEADER);
    if (this.#mustBeEmpty || (this.#owed >= 0 && length > this.#owed)) {
      this.#invalid(this.#mustBeEmpty ? `content where none is allowed (${RESET_CONTENT} and others)` : LONGER);
      return;
    }
    if (this.#owed >= 0) this.#owed -= length;
    if (this.#owesBody && this.#first === undefined) {
      // Most replies end in the same turn: their users get the end together with this part.
      this.#first = chunk;
      return;
    }
    this.flushHead();
    if (this.user !== user) return;
    if (this.#owesBody || this.#paused) {
      this.#keepFirst(chunk);
      return;
    }
    // A user that left in onBody() does not pause the stream.
    if (!user.onBody(chunk, 0, length, false) && this.user === user) this.pause();
  }

  /** The user does not take the body for now: resume() passes on what has come. */
  #keepFirst(chunk: Buffer): void {
    this.#first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk]);
    this.#owesBody = true;
  }

  onTrailers(raw: RawFields): void {
    if (this.user === null) return;
    const lines = this.#isWhole(raw) ? trailerLines(raw) : undefined;
    if (lines === undefined) this.#invalid('an invalid trailer field');
    else this.#trailers = lines;
    this.#owner.received(lines?.length ?? 0);
  }

  onEnd(): void {
    const { user } = this;
    const stream = this.#stream!;
    // node:http2 also ends the body of a stream that was reset.
    if (user === null || stream.destroyed || stream.rstCode !== ErrorCode.NoError || this.#awaitsHead) return;
    if (this.#owed > 0) {
      this.#invalid(`content is ${this.#owed} bytes shorter than its Content-Length`);
      return;
    }
    this.#owner.readClock();
    const first = this.#first ?? EMPTY;
    this.#leave();
    // RFC 9113 section 8.1: the reply is complete, so the rest of the request is of no use.
    if (!this.#sent) stream.close(ErrorCode.Cancel);
    if (this.#trailers !== '') user.onTrailers(this.#trailers);
    user.onBody(first, 0, first.length, true);
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#deadline = 0;
    this.#stream?.pause();
  }

  resume(user: UpstreamUser): void {
    if (!this.#paused || user !== this.user) return;
    this.#paused = false;
    this.awaitReply();
    this.flushHead();
    if (!this.#paused) this.#stream?.resume();
  }

  // ---------------------------------------------------------------- end

  abandon(): void {
    if (this.user === null) return;
    this.#leave();
    this.#stream?.close(ErrorCode.Cancel);
  }

  /** The place is free: no event reaches the user any more. */
  #leave(): void {
    this.user = null;
    this.#deadline = 0;
    this.#kept.drop();
    this.#first = undefined;
    this.#owner.release(this);
  }

  #fail(error: ErrorSlug, cause: string): void {
    const { user } = this;
    if (user === null) return;
    this.#leave();
    this.#stream?.close(error === 'upstream/invalid' ? ErrorCode.ProtocolError : ErrorCode.Cancel);
    user.onFailure(error, false, false, cause);
  }

  /** The stream has ended before the reply. */
  onClose(): void {
    // The user gets what came before.
    if (this.#first !== undefined) this.flushHead();
    const { user } = this;
    if (user === null) return;
    const stream = this.#stream;
    const owner = this.#owner;
    const code = stream?.rstCode ?? ErrorCode.NoError;
    const unprocessed =
      this.#awaitsHead && (stream === undefined || code === ErrorCode.RefusedStream || this.#isUnprocessed());
    const kept = this.#kept.parts;
    const { error, cause } = this.#failure(code);
    const untouched = this.#awaitsHead && this.#interims === 0 && error === 'upstream/reset';
    this.#leave();
    if (owner.failure === undefined && stream !== undefined) user.onReset?.(code);
    if (unprocessed) user.onUnprocessed(error, cause, kept);
    else user.onFailure(error, untouched, owner.reused && owner.failure !== undefined, cause);
  }

  #isUnprocessed(): boolean {
    const id = this.#stream?.id;
    return id === undefined || this.#unsent || this.#owner.isUnprocessed(id);
  }

  #failure(code: number): Failure {
    const stage = this.#awaitsHead ? 'before its reply' : 'within the body of its reply';
    const { failure } = this.#owner;
    if (failure !== undefined) return { error: failure.error, cause: `${failure.cause} ${stage}` };
    if (this.#stream === undefined)
      return { error: 'upstream/reset', cause: 'connection closed before the request was sent' };
    const inner =
      this.#error !== undefined && !this.#error.message.startsWith('Stream closed with') ? this.#error : undefined;
    return inner === undefined ? streamFailure(code, stage) : sessionFailure(inner, stage);
  }

  /** The connection has ended: so has the stream, whatever node:http2 still reports. */
  sessionEnded(): void {
    try {
      this.onClose();
    } catch (error) {
      this.broke(error);
    }
  }

  sweep(now: number): void {
    if (this.#deadline === 0 || this.#deadline > now) return;
    const owner = this.#owner;
    owner.late();
    this.#fail(
      'upstream/timeout',
      `${this.#timeout()} (${timeSpan(this.user?.replyTimeout ?? owner.responseTimeout)})`,
    );
  }

  #timeout(): string {
    if (!this.#awaitsHead) return 'response idle timeout: no further bytes of the body';
    if (!this.#sent && this.#stream?.writableNeedDrain === true)
      return 'request timeout: the target reads no further bytes of the request body';
    return 'response head timeout';
  }
}

/** The type of a frame. */
const HEADERS = 1;
/** Bytes, RFC 9113 section 4.1. */
const FRAME_HEADER = 9;
const LONGER = 'content is longer than its Content-Length';
