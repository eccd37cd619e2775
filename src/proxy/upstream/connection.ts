/** One connection to a target. Its listeners are made once and serve one exchange after another. */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ErrorSlug } from '../errors.js';
import { BodyReader } from '../http/body.js';
import { MAX_RESPONSE_HEAD, ResponseHead } from '../http/response-head.js';
import type { Target } from './target.js';
import type { UpstreamUser } from './user.js';

/** Bodies up to this many bytes are sent as text with the head before them: one string, one write. */
export const INLINE_BODY = 8 * 1024;
/** A first read up to this size is decoded whole; in a larger one the end of the head is looked for first. */
const DECODE_WHOLE = 4 * 1024;
const READ_BUFFER = 64 * 1024;
/** Informational replies before the one that counts: nobody sends so many but in error. */
const MAX_INTERIM = 32;

/**
 * One buffer that all plain connections of a thread read into. A read is handed on and used up before the next one
 * begins; only on Windows are buffers given to the system ahead of time, and each connection has its own.
 */
const sharedRead = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BUFFER);
const head = new ResponseHead();

export class UpstreamConnection {
  readonly target: Target;
  user: UpstreamUser | null;
  /** Monotonic milliseconds at which the present wait is over; 0 for none. Looked at by the sweep. */
  deadline: number;
  /** Has served an exchange before. */
  reused = false;
  connected = false;
  /** Some byte of the reply has come. */
  answered = false;
  readonly #socket: Socket;
  readonly #body = new BodyReader();
  /** The method of the request in flight: a reply to HEAD has no body. */
  #method = '';
  #awaitsHead = false;
  #interims = 0;
  /** Bytes of an incomplete head, or read while the user was not ready for the body. */
  #held: Buffer | undefined;
  #paused = false;
  #keep = true;
  /** The whole request is written. */
  #sent = true;
  #outHead = '';
  #dead = false;

  constructor(target: Target, user: UpstreamUser, deadline: number) {
    this.target = target;
    this.user = user;
    this.deadline = deadline;
    this.#socket = target.secure ? this.#openTls() : this.#openPlain();
    this.#socket.on('error', (error) => this.fail(this.connected ? 'upstream/reset' : connectError(error)));
    this.#socket.on('close', () => this.fail(this.connected ? 'upstream/reset' : 'upstream/unreachable'));
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('drain', () => this.user?.onWritable());
  }

  #openPlain(): Socket {
    const { host, port } = this.target;
    const buffer = sharedRead ?? Buffer.allocUnsafeSlow(READ_BUFFER);
    const socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (count) => {
          this.#onData(buffer, count);
          return true;
        },
      },
    });
    socket.on('connect', () => this.#onConnect());
    return socket;
  }

  #openTls(): Socket {
    const { host, port } = this.target;
    const socket = connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...(isIP(host) ? {} : { servername: host }) });
    socket.setNoDelay(true);
    socket.on('secureConnect', () => this.#onConnect());
    socket.on('data', (chunk: Buffer) => this.#onData(chunk, chunk.length));
    return socket;
  }

  #onConnect(): void {
    if (this.#dead) return;
    this.connected = true;
    this.deadline = 0;
    const user = this.user;
    if (user === null) this.target.release(this);
    else user.onConnection(this);
  }

  /** Whether a request may be written on it. */
  get usable(): boolean {
    return !this.#dead && this.connected && this.#socket.writable;
  }

  get writable(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  /**
   * Begins a request: `text` is its head with the empty line. The head waits for the first bytes of the body to be
   * written together with them; without a body it is written at once. `deadline` bounds the wait for the reply's head.
   */
  begin(user: UpstreamUser, method: string, text: string, hasBody: boolean, deadline: number): void {
    this.user = user;
    this.deadline = deadline;
    this.#method = method;
    this.#awaitsHead = true;
    this.#interims = 0;
    this.answered = false;
    this.#keep = true;
    this.#sent = !hasBody;
    if (hasBody) this.#outHead = text;
    else this.#socket.write(text, 'latin1');
  }

  /** Payload of the request's body, already framed by `before` and `after`. The bytes are not copied. */
  write(before: string, bytes: Buffer, after: string, last: boolean): void {
    const text = this.#outHead + before;
    this.#outHead = '';
    if (last) this.#sent = true;
    if (bytes.length <= INLINE_BODY) {
      this.#socket.write(text + bytes.toString('latin1') + after, 'latin1');
      return;
    }
    this.#socket.cork();
    if (text !== '') this.#socket.write(text, 'latin1');
    this.#socket.write(bytes);
    if (after !== '') this.#socket.write(after, 'latin1');
    this.#socket.uncork();
  }

  /** Writes the head if it still waits for the first bytes of a body that do not come at once. */
  flush(): void {
    if (this.#outHead === '') return;
    this.#socket.write(this.#outHead, 'latin1');
    this.#outHead = '';
  }

  /** No more for now; the target is not to blame for how long that is. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.deadline = 0;
    this.#socket.pause();
  }

  /** Goes on with the body: first with what was held back. */
  resume(): void {
    if (!this.#paused || this.#dead) return;
    this.#paused = false;
    this.deadline = this.target.responseDeadline();
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      this.#onBody(held, 0, held.length, true);
    }
    if (!this.#paused && !this.#dead) this.#socket.resume();
  }

  /** The reply is not wanted. The connection lives on only where that costs nothing. */
  abandon(): void {
    this.user = null;
    this.#destroy();
  }

  #onData(buffer: Buffer, count: number): void {
    if (this.user === null || this.#dead) {
      // Nobody asked for these bytes: whatever they are, no later exchange may read them as its reply.
      this.#destroy();
      return;
    }
    this.answered = true;
    if (!this.#awaitsHead) this.#onBody(buffer, 0, count);
    else if (this.#held === undefined) this.#onHeadBytes(buffer, 0, count);
    else {
      const joined = Buffer.concat([this.#held, buffer.subarray(0, count)]);
      this.#held = undefined;
      this.#onHeadBytes(joined, 0, joined.length);
    }
  }

  #onHeadBytes(buffer: Buffer, from: number, to: number): void {
    let at = from;
    while (this.user !== null) {
      let textEnd = Math.min(to, at + MAX_RESPONSE_HEAD);
      if (to - at > DECODE_WHOLE) {
        const blank = buffer.indexOf('\r\n\r\n', at, 'latin1');
        if (blank >= 0 && blank + 4 < textEnd) textEnd = blank + 4;
      }
      const length = head.parse(buffer.toString('latin1', at, textEnd));
      if (length < 0) {
        this.fail('upstream/invalid');
        return;
      }
      if (length === 0) {
        this.#held = Buffer.from(buffer.subarray(at, to));
        return;
      }
      at += length;
      if (head.status >= 200) {
        this.#onHead(buffer, at, to);
        return;
      }
      // No upgrade was asked for on this path, so 101 means that the target speaks of something else.
      if (head.status === 101 || ++this.#interims > MAX_INTERIM) {
        this.fail('upstream/invalid');
        return;
      }
      this.user.onInterim(head);
      if (at === to) return;
    }
  }

  #onHead(buffer: Buffer, from: number, to: number): void {
    this.#awaitsHead = false;
    if (head.close) this.#keep = false;
    const bodiless = this.#method === 'HEAD' || head.status === 204 || head.status === 304;
    if (bodiless) this.#body.begin('none', 0);
    else if (head.chunked) this.#body.begin('chunked', 0);
    else if (head.contentLength >= 0) this.#body.begin('length', head.contentLength);
    else {
      this.#body.begin('close', 0);
      this.#keep = false;
    }
    this.user!.onHead(head);
    if (this.user === null) return;
    if (!this.#paused) this.#onBody(buffer, from, to, true);
    // Held even when empty: the end of an empty body is still to be told.
    else this.#held = Buffer.from(buffer.subarray(from, to));
  }

  /** `first`: the client's side holds the head back until it hears of the body, even if there is nothing of it yet. */
  #onBody(buffer: Buffer, from: number, to: number, first = false): void {
    const body = this.#body;
    const used = body.take(buffer, from, to);
    if (body.failed) {
      this.fail('upstream/invalid');
      return;
    }
    const user = this.user!;
    if (body.done) {
      // Surplus bytes: the target and we disagree on where its reply ends, so this was the connection's last.
      if (used < to) this.#keep = false;
      this.#finish();
      user.onBody(buffer, body.start, body.end, true);
      return;
    }
    this.deadline = this.target.responseDeadline();
    if ((first || body.end > body.start) && !user.onBody(buffer, body.start, body.end, false)) this.pause();
  }

  /** The reply is read to its end: back to the pool, or away. */
  #finish(): void {
    this.user = null;
    this.deadline = 0;
    this.reused = true;
    if (this.#keep && this.#sent && this.#socket.writable) this.target.release(this);
    else this.#destroy();
  }

  #onEnd(): void {
    const user = this.user;
    const untilClose = user !== null && !this.#awaitsHead && this.#body.kind === 'close' && !this.#paused;
    // A reset right behind the last bytes reaches Node as an end, but to a connection that was reset there is no peer.
    if (untilClose && this.#socket.remoteAddress !== undefined) {
      this.#finish();
      user.onBody(EMPTY, 0, 0, true);
      return;
    }
    this.fail('upstream/reset');
  }

  /** Ends the connection and tells its user why. Does nothing the second time. */
  fail(error: ErrorSlug): void {
    if (this.#dead) return;
    const user = this.user;
    const connected = this.connected;
    this.user = null;
    this.#destroy();
    if (user === null) return;
    if (connected) user.onFailure(error);
    else user.onUnavailable(error);
  }

  /** Called by the sweep once the deadline has passed. */
  expire(): void {
    if (this.user === null) this.#destroy();
    else this.fail(this.connected ? 'upstream/timeout' : 'upstream/connect-timeout');
  }

  #destroy(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#socket.destroy();
    this.target.closed(this);
  }
}

const EMPTY = Buffer.alloc(0);

/** What this machine lacks when it cannot even try: descriptors, local ports, memory. The target is not to blame. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

function connectError(error: NodeJS.ErrnoException): ErrorSlug {
  return EXHAUSTED.has(error.code ?? '') ? 'gateway/exhausted' : 'upstream/unreachable';
}
