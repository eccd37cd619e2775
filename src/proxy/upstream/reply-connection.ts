/**
 * A connection to a target as far as replies are concerned: its socket, and the reading of one reply after another for
 * whoever's turn it is. Its listeners are made once and serve one exchange after another.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { errnoCode } from '../../reason.js';
import { TARGET_TLS } from '../downstream/tls.js';
import { BUG_CAUSE, CLOSED_IN_HANDSHAKE, connectionCause, timeSpan } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import { BodyReader } from '../http/body.js';
import { MAX_RESPONSE_HEAD, RESET_CONTENT, ResponseHead } from '../http/response-head.js';
import type { Claim } from './claims.js';
import type { Target } from './target.js';
import type { UpstreamUser } from './user.js';

/** A read up to this size is decoded whole; in a larger one the end of the head is looked for first. */
const DECODE_WHOLE = 4 * 1024;
const READ_BUFFER = 64 * 1024;
/** Informational replies before the one that counts: nobody sends so many but in error. */
export const MAX_INTERIM = 32;

/**
 * One buffer that all plain connections of a thread read into. A read is handed on and used up before the next one
 * begins; only on Windows are buffers given to the system ahead of time, and each connection has its own.
 */
const sharedRead = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BUFFER);
const head = new ResponseHead();

export abstract class ReplyConnection {
  readonly target: Target;
  /** Whose reply is read, or waited for; null between exchanges. */
  user: UpstreamUser | null;
  /** Monotonic milliseconds at which the present wait is over; 0 for none. Looked at by the sweep. */
  deadline: number;
  /** How it counts among the target's connections. */
  readonly claim: Claim = { client: '', partial: false };
  /** Has served an exchange before. */
  reused = false;
  connected = false;
  /** Some byte of the present reply has come. */
  protected answered = false;
  protected readonly socket: Socket;
  /** No reply said that it is the connection's last, or ends with it. */
  protected keep = true;
  protected dead = false;
  protected paused = false;
  readonly #body = new BodyReader();
  #awaitsHead = false;
  /** A reply to HEAD has no body. */
  #headOnly = false;
  #interims = 0;
  #mustBeEmpty = false;
  /** Bytes of an incomplete head, or read while the user was not ready for them. */
  #held: Buffer | undefined = undefined;

  /** Whether replies to several exchanges may come in one read. */
  protected abstract readonly shared: boolean;

  constructor(target: Target, user: UpstreamUser | null, deadline: number) {
    this.target = target;
    this.user = user;
    this.deadline = deadline;
    this.socket = target.secure ? this.#openTls() : this.#openPlain();
    this.socket.on('error', (error) => this.#onError(error));
    this.socket.on('close', () => this.#onClose());
    this.socket.on('end', () => this.#onEnd());
  }

  #openPlain(): Socket {
    const { host, port, lookup } = this.target;
    const buffer = sharedRead ?? Buffer.allocUnsafeSlow(READ_BUFFER);
    const socket = connect({
      host,
      port,
      lookup,
      noDelay: true,
      onread: {
        buffer,
        callback: (count) => {
          this.#take(buffer, count);
          return true;
        },
      },
    });
    socket.on('connect', () => this.#onConnect());
    return socket;
  }

  #openTls(): Socket {
    const { host, port, lookup } = this.target;
    const socket = connectTls({
      host,
      port,
      lookup,
      ...TARGET_TLS,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(host) ? {} : { servername: host }),
    });
    socket.setNoDelay(true);
    socket.on('secureConnect', () => this.#onConnect());
    socket.on('data', (chunk: Buffer) => this.#take(chunk, chunk.length));
    return socket;
  }

  #onConnect(): void {
    if (this.dead) return;
    this.connected = true;
    this.deadline = 0;
    this.target.look();
    this.onConnected();
  }

  protected abstract onConnected(): void;

  /** Whether bytes may come at all: a request of the present user has been sent. */
  protected abstract expects(): boolean;

  /**
   * The present reply is read to its end. `surplus`: further bytes came with it. True when they are those of the next
   * user's reply, for whom expect() has been called.
   */
  protected abstract ended(surplus: boolean): boolean;

  /** Ends the connection and tells its users why; `cause` is for the log. Does nothing the second time. */
  abstract fail(error: ErrorSlug, cause: string): void;

  /** `user` does not want its reply any more. */
  abstract abandon(user: UpstreamUser): void;

  /** The reply's head says that it is the connection's last. */
  protected onLast(): void {
    this.keep = false;
  }

  /** The present reply's head has come, and the end of its body has not. */
  protected get inBody(): boolean {
    return this.user !== null && !this.#awaitsHead;
  }

  /** Nothing is read of the present reply, since the client's side is not ready for it. */
  get held(): boolean {
    return this.paused;
  }

  /** Whether a request may be written on it. */
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

  /** No more for now; the target is not to blame for how long that is. */
  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.deadline = 0;
    this.socket.pause();
  }

  /** Goes on with the body of this user's reply: first with what was held back. */
  resume(user: UpstreamUser): void {
    if (!this.paused || this.dead || user !== this.user) return;
    this.paused = false;
    this.deadline = this.target.responseDeadline();
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      this.#read(held, 0, held.length, true);
    }
    if (!this.paused && !this.dead) this.socket.resume();
  }

  /** A bug met on a reply's way costs those that wait on this connection, and nobody else. */
  #take(buffer: Buffer, count: number): void {
    try {
      this.#onData(buffer, count);
    } catch (error) {
      this.target.bug(error);
      this.fail('gateway/failed', BUG_CAUSE);
    }
  }

  #onData(buffer: Buffer, count: number): void {
    if (this.dead) return;
    if (!this.expects()) {
      // Nobody asked for these bytes: whatever they are, no later exchange may read them as its reply.
      this.fail('upstream/invalid', 'invalid reply: bytes that belong to no request');
      return;
    }
    this.answered = true;
    // All that these bytes bring about happens now.
    this.target.look();
    const held = this.#held;
    if (held === undefined) this.#read(buffer, 0, count, false);
    else {
      this.#held = undefined;
      const joined = Buffer.concat([held, buffer.subarray(0, count)]);
      this.#read(joined, 0, joined.length, false);
    }
  }

  /** One reply after another, as far as the bytes go. `first`: a head has been told, and nothing of its body yet. */
  #read(buffer: Buffer, from: number, to: number, first: boolean): void {
    let at = from;
    let begun = first;
    while (at >= 0) {
      if (this.#awaitsHead) {
        at = this.#readHead(buffer, at, to);
        if (at < 0) return;
        begun = true;
        if (this.paused) {
          // Held even when empty: the end of an empty body is still to be told.
          this.#held = Buffer.from(buffer.subarray(at, to));
          return;
        }
      }
      at = this.#readBody(buffer, at, to, begun);
      begun = false;
    }
  }

  /** Heads up to one that is not informational: returns where its body begins, or -1 when there is no going on. */
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
      // No upgrade was asked for on this path, so 101 means that the target speaks of something else.
      if (head.status === 101 || ++this.#interims > MAX_INTERIM) {
        this.fail('upstream/invalid', interimFault(head.status));
        return -1;
      }
      this.user!.onInterim(head);
      if (this.dead) return -1;
    }
    return -1;
  }

  /** False when the connection did not outlive the telling. */
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
   * Returns where the next reply begins, or -1 when there is no going on. `first`: the client's side holds the head back
   * until it hears of the body, even if there is nothing of it yet.
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
      user.onBody(buffer, start, end, true);
      return more && !this.dead ? used : -1;
    }
    this.deadline = this.target.cachedNow() + this.target.settings.responseTimeout;
    // The head of a reply that must be empty is held back until it is known to be.
    if ((!first || this.#mustBeEmpty) && end === start) return -1;
    // Whoever left in the meantime is not waited for.
    if (!user.onBody(buffer, start, end, false) && this.user === user) this.pause();
    return -1;
  }

  #onEnd(): void {
    const user = this.user;
    const untilClose = user !== null && !this.#awaitsHead && this.#body.kind === 'close' && !this.paused;
    // A reset right behind the last bytes reaches Node as an end, but to a connection that was reset there is no peer.
    if (untilClose && this.socket.remoteAddress !== undefined) {
      this.target.look();
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
      this.fail('upstream/unreachable', this.target.secure ? CLOSED_IN_HANDSHAKE : 'connection closed by the target');
  }

  #connectCause(error: Error): string {
    const inHandshake = this.target.secure && !this.socket.connecting && errnoCode(error) === 'ECONNRESET';
    return inHandshake ? CLOSED_IN_HANDSHAKE : connectionCause(error);
  }

  /** How far the present reply has come. */
  get #stage(): string {
    if (!this.answered) return 'before its reply';
    return this.#awaitsHead ? 'within the head of its reply' : 'within the body of its reply';
  }

  /** Called by the sweep, a few times a second, with the monotonic time. */
  sweep(now: number): void {
    if (this.deadline === 0 || this.deadline > now) return;
    const { settings, resolving, secure } = this.target;
    if (this.connected) {
      const what = this.#replyTimeout();
      this.fail('upstream/timeout', `${what} (${timeSpan(settings.responseTimeout)})`);
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

  /** Ends it at once, and tells its users nothing. */
  destroy(): void {
    if (this.dead) return;
    this.dead = true;
    this.socket.destroy();
    this.target.closed(this);
  }
}

const EMPTY = Buffer.alloc(0);

/** What this machine lacks when it cannot even try: descriptors, local ports, memory. The target is not to blame. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

const interimFault = (status: number): string =>
  status === 101
    ? 'invalid reply: status 101 without a request to upgrade'
    : `invalid reply: more than ${MAX_INTERIM} informational replies`;

/** What it means that a connection could not be made. */
export function connectError(error: unknown): ErrorSlug {
  return EXHAUSTED.has(errnoCode(error) ?? '') ? 'gateway/exhausted' : 'upstream/unreachable';
}
