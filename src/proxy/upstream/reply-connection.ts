/**
 * The reading side of a connection to a target: its socket, and one reply after another for the users in turn. Its event
 * listeners are created once and serve all exchanges of the connection.
 */
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { ServiceEntry } from '../../bundle/types.js';
import { errnoCode } from '../../reason.js';
import { BUG_CAUSE, CLOSED_IN_HANDSHAKE, connectionCause, timeSpan } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import { BodyReader } from '../http/body.js';
import { MAX_RESPONSE_HEAD, RESET_CONTENT, ResponseHead } from '../http/response-head.js';
import { sharedOnread } from '../load/shared-read.js';
import type { Claim } from './claims.js';
import { type PlainTarget, placeOf } from './connect.js';
import { headerFor } from './proxied.js';
import { openTls, type SecureTarget } from './tls.js';
import { replyDeadline, type UpstreamUser } from './user.js';

/** A read up to this size is decoded whole; in a larger one, the end of the head is searched first. */
const DECODE_WHOLE = 4 * 1024;
/** Most informational replies before the final one. */
export const MAX_INTERIM = 32;

/** Scratch of the thread: a head is handled before the next one is parsed. */
const head = new ResponseHead();

/** What a connection uses of its pool. */
export interface ReplyOwner {
  readonly target: SecureTarget &
    PlainTarget & {
      readonly secure: boolean;
      readonly settings: Pick<
        ServiceEntry,
        'connectTimeout' | 'responseTimeout' | 'idleTimeout' | 'maxConnectionAge' | 'proxyProtocol'
      >;
    };
  readonly lookup: LookupFunction;
  /** The address of the target's name is not known yet. */
  readonly resolving: boolean;
  /** Monotonic milliseconds, at most one sweep old. */
  cachedNow(): number;
  /** Reads the clock for cachedNow(). */
  readClock(): void;
  /** Monotonic time by which the next bytes of a reply must come. Reads the clock. */
  responseDeadline(user: UpstreamUser | null): number;
  /** A connection has a socket, which gets its descriptor later. */
  opening(socket: Socket): void;
  /** Logs an unexpected exception. */
  bug(error: unknown): void;
  /** The connection has closed. */
  closed(connection: ReplyConnection): void;
}

export abstract class ReplyConnection<Owner extends ReplyOwner = ReplyOwner> {
  readonly pool: Owner;
  /** The user whose reply is read or awaited; null between exchanges. */
  user: UpstreamUser | null;
  /** Monotonic milliseconds at which the present wait times out; 0 for none. Checked by the sweep. */
  deadline: number;
  /** How it counts among the pool's connections. */
  readonly claim: Claim = { client: '', partial: false };
  /** It has served an exchange before. */
  reused = false;
  connected = false;
  /** A byte of the present reply has come. */
  protected answered = false;
  protected readonly socket: Socket;
  /** False if a reply is the connection's last. */
  protected keep = true;
  protected dead = false;
  protected paused = false;
  readonly #body = new BodyReader();
  #awaitsHead = false;
  /** A reply to HEAD has no body. */
  #headOnly = false;
  #interims = 0;
  #mustBeEmpty = false;
  /** Bytes of an incomplete head, or bytes that came while the user was paused. */
  #held: Buffer | undefined = undefined;

  /** Whether replies to several exchanges may come in one read. */
  protected abstract readonly shared: boolean;

  constructor(pool: Owner, user: UpstreamUser | null, deadline: number) {
    this.pool = pool;
    this.user = user;
    this.deadline = deadline;
    this.socket = pool.target.secure ? this.#openTls() : this.#openPlain();
    pool.opening(this.socket);
    this.socket.on('error', (error) => this.#onError(error));
    this.socket.on('close', () => this.#onClose());
    this.socket.on('end', () => this.#onEnd());
  }

  #openPlain(): Socket {
    const onread = sharedOnread((buffer, count) => this.#take(buffer, count));
    const socket = connect({ ...placeOf(this.pool.target, this.pool.lookup), onread });
    const header = headerFor(this.pool.target, this.user?.clientAddress);
    if (header !== undefined) socket.write(header);
    socket.on('connect', () => this.#onConnect());
    return socket;
  }

  #openTls(): Socket {
    const socket = openTls(
      this.pool.target,
      this.pool.lookup,
      ['http/1.1'],
      headerFor(this.pool.target, this.user?.clientAddress),
    );
    socket.on('secureConnect', () => this.#onConnect());
    socket.on('data', (chunk: Buffer) => this.#take(chunk, chunk.length));
    return socket;
  }

  #onConnect(): void {
    if (this.dead) return;
    this.connected = true;
    this.deadline = 0;
    this.pool.readClock();
    this.onConnected();
  }

  protected abstract onConnected(): void;

  /** Whether a reply may come: the present user's request has been sent. */
  protected abstract expects(): boolean;

  /**
   * The present reply has ended. `surplus`: further bytes came with it. Returns true if they belong to the next user's reply,
   * for which expect() was called.
   */
  protected abstract ended(surplus: boolean): boolean;

  /** Ends the connection and reports the failure to its users; `cause` is for the log. Idempotent. */
  abstract fail(error: ErrorSlug, cause: string): void;

  /** `user` does not want its reply any more. */
  abstract abandon(user: UpstreamUser): void;

  /** The reply's head makes it the connection's last. */
  protected onLast(): void {
    this.keep = false;
  }

  /** The present reply is between its head and the end of its body. */
  protected get inBody(): boolean {
    return this.user !== null && !this.#awaitsHead;
  }

  get held(): boolean {
    return this.paused;
  }

  /** Whether it can take a request. */
  get usable(): boolean {
    return !this.dead && this.connected && this.socket.writable;
  }

  /** The next reply is this user's. */
  protected expect(user: UpstreamUser): void {
    this.user = user;
    this.#headOnly = user.method === 'HEAD';
    this.#awaitsHead = true;
    this.#interims = 0;
    this.answered = false;
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.deadline = 0;
    this.socket.pause();
  }

  resume(user: UpstreamUser): void {
    if (!this.paused || this.dead || user !== this.user) return;
    this.paused = false;
    this.deadline = this.pool.responseDeadline(user);
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      this.#read(held, 0, held.length, true);
    }
    if (!this.paused && !this.dead) this.socket.resume();
  }

  /** An unexpected exception fails the users of this connection only. */
  #take(buffer: Buffer, count: number): void {
    try {
      this.#onData(buffer, count);
    } catch (error) {
      this.pool.bug(error);
      this.fail('gateway/failed', BUG_CAUSE);
    }
  }

  #onData(buffer: Buffer, count: number): void {
    if (this.dead) return;
    if (!this.expects()) {
      // These bytes answer no request: a later exchange must not read them as its reply.
      this.fail('upstream/invalid', 'invalid reply: bytes that belong to no request');
      return;
    }
    this.answered = true;
    // One clock reading for everything that these bytes cause.
    this.pool.readClock();
    const held = this.#held;
    if (held === undefined) this.#read(buffer, 0, count, false);
    else {
      this.#held = undefined;
      const joined = Buffer.concat([held, buffer.subarray(0, count)]);
      this.#read(joined, 0, joined.length, false);
    }
  }

  /** Reads one reply after another. `first`: the user has got the head, and nothing of the body yet. */
  #read(buffer: Buffer, from: number, to: number, first: boolean): void {
    let at = from;
    let begun = first;
    while (at >= 0) {
      if (this.#awaitsHead) {
        at = this.#readHead(buffer, at, to);
        if (at < 0) return;
        begun = true;
        if (this.paused) {
          // Kept even if empty: the user must still get the end of an empty body.
          this.#held = Buffer.from(buffer.subarray(at, to));
          return;
        }
      }
      at = this.#readBody(buffer, at, to, begun);
      begun = false;
    }
  }

  /** Reads heads up to a final one. Returns the offset of its body, or -1 if reading stops here. */
  #readHead(buffer: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      let textEnd = Math.min(to, at + MAX_RESPONSE_HEAD);
      if (this.shared || to - at > DECODE_WHOLE) {
        const blank = buffer.indexOf('\r\n\r\n', at, 'latin1');
        if (blank >= 0 && blank + 4 < textEnd) textEnd = blank + 4;
      }
      const length = head.read(buffer, at, textEnd);
      if (length < 0) {
        this.fail('upstream/invalid', `invalid reply: ${head.fault}`);
        return -1;
      }
      if (length === 0) {
        this.#held = Buffer.from(buffer.subarray(at, to));
        return -1;
      }
      at += length;
      if (head.status >= 200) return this.#onHead() ? at : -1;
      // No upgrade was requested on this connection, so 101 is invalid.
      if (head.status === 101 || ++this.#interims > MAX_INTERIM) {
        this.fail('upstream/invalid', interimFault(head.status));
        return -1;
      }
      this.user!.onInterim(head);
      if (this.dead) return -1;
    }
    return -1;
  }

  /** Returns false if the connection ended. */
  #onHead(): boolean {
    this.#awaitsHead = false;
    const fault = head.lengthFault(this.#headOnly);
    if (fault !== undefined) {
      this.fail('upstream/invalid', `invalid reply: ${fault}`);
      return false;
    }
    const kind = head.bodyKind(this.#headOnly);
    this.#mustBeEmpty = head.status === 205;
    const last = head.close || kind === 'close';
    this.#body.begin(kind, head.contentLength);
    this.user!.onHead(head);
    if (last && !this.dead) this.onLast();
    return !this.dead;
  }

  /**
   * Returns the offset of the next reply, or -1 if reading stops here. `first`: the user gets a first call even without
   * payload, since the client's side holds the head back until then.
   */
  #readBody(buffer: Buffer, from: number, to: number, first: boolean): number {
    const body = this.#body;
    const used = body.take(buffer, from, to);
    if (body.failed) {
      this.fail('upstream/invalid', `invalid reply: ${body.fault}`);
      return -1;
    }
    const user = this.user!;
    const { start, end } = body;
    if (this.#mustBeEmpty && end > start) {
      this.fail('upstream/invalid', `invalid reply: ${RESET_CONTENT}`);
      return -1;
    }
    if (body.done) {
      const more = this.ended(used < to);
      if (body.trailers !== '') user.onTrailers(body.trailers);
      user.onBody(buffer, start, end, true);
      return more && !this.dead ? used : -1;
    }
    this.deadline = replyDeadline(this.pool.cachedNow(), user, this.pool.target.settings.responseTimeout);
    // The head of a reply that must be empty is held back until its end.
    if ((!first || this.#mustBeEmpty) && end === start) return -1;
    // A user that left in onBody() does not pause the connection.
    if (!user.onBody(buffer, start, end, false) && this.user === user) this.pause();
    return -1;
  }

  #onEnd(): void {
    const user = this.user;
    const untilClose = user !== null && !this.#awaitsHead && this.#body.kind === 'close' && !this.paused;
    // Node reports a reset right after the last bytes as an end, but a reset connection has no peer address.
    if (untilClose && this.socket.remoteAddress !== undefined) {
      this.pool.readClock();
      this.ended(false);
      user.onBody(EMPTY, 0, 0, true);
      return;
    }
    this.#onClose();
  }

  #onError(error: Error): void {
    if (this.dead) return;
    if (this.connected) this.fail('upstream/reset', `${connectionCause(error)} by the target ${this.#stage}`);
    else this.fail(connectError(error), this.#connectCause(error));
  }

  #onClose(): void {
    if (this.dead) return;
    if (this.connected) this.fail('upstream/reset', `connection closed by the target ${this.#stage}`);
    else
      this.fail(
        'upstream/unreachable',
        this.pool.target.secure ? CLOSED_IN_HANDSHAKE : 'connection closed by the target',
      );
  }

  #connectCause(error: Error): string {
    const inHandshake = this.pool.target.secure && !this.socket.connecting && errnoCode(error) === 'ECONNRESET';
    return inHandshake ? CLOSED_IN_HANDSHAKE : connectionCause(error);
  }

  /** Progress of the present reply, for a cause. */
  get #stage(): string {
    if (!this.answered) return 'before its reply';
    return this.#awaitsHead ? 'within the head of its reply' : 'within the body of its reply';
  }

  /** Called by the sweep, a few times a second, with the monotonic time. */
  sweep(now: number): void {
    if (this.deadline === 0 || this.deadline > now) return;
    const { resolving, target } = this.pool;
    const { settings, secure } = target;
    if (this.connected) {
      const what = this.#replyTimeout();
      this.fail('upstream/timeout', `${what} (${timeSpan(this.user?.replyTimeout ?? settings.responseTimeout)})`);
    } else {
      const tcp = resolving ? 'name lookup timeout' : 'connect timeout';
      const what = secure && !this.socket.connecting ? 'TLS handshake timeout' : tcp;
      this.fail('upstream/connect-timeout', `${what} (${timeSpan(settings.connectTimeout)})`);
    }
  }

  #replyTimeout(): string {
    if (!this.#awaitsHead) return 'response idle timeout: no further bytes of the body';
    if (this.socket.writableNeedDrain) return 'request timeout: the target reads no further bytes of the request body';
    return this.answered ? 'response head timeout: the head is not complete' : 'response head timeout';
  }

  /** Closes at once, without a report to its users. */
  destroy(): void {
    if (this.dead) return;
    this.dead = true;
    this.socket.destroy();
    this.pool.closed(this);
  }
}

const EMPTY = Buffer.alloc(0);

/** Errors of this machine, not of the target: no descriptors, local ports or memory. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

const interimFault = (status: number): string =>
  status === 101
    ? 'invalid reply: status 101 without a request to upgrade'
    : `invalid reply: more than ${MAX_INTERIM} informational replies`;

/** The kind of a failure to connect. */
export function connectError(error: unknown): ErrorSlug {
  return EXHAUSTED.has(errnoCode(error) ?? '') ? 'gateway/exhausted' : 'upstream/unreachable';
}
