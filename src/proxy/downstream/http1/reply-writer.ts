/**
 * The writing half of a client connection: head and small body in one write, bodies framed for the client's version. Only a
 * tunnel writes to the socket besides.
 */
import type { Socket } from 'node:net';
import type { HeaderFields, Reply } from '../../../policies/contract.js';
import { ConstantReply, LayeredFields, LentBytes } from '../../../policies/run-kit.js';
import type { GwExchange } from '../../exchange/exchange.js';
import { TargetReply } from '../../exchange/target-reply.js';
import { lastChunk } from '../../http/trailers.js';
import { fieldLines, statusLine } from '../../http/write-head.js';
import { type BodyBudget, BodyBuffer } from '../../load/body-buffer.js';
import type { BatchedWriter, WriteBatcher } from '../../load/write-batcher.js';
import { INLINE_BODY, writeBody } from '../../load/write-body.js';
import { Pace, type PaceLimits, type Verdict } from './pace.js';

/** `raw`: until the connection closes, for HTTP/1.0 clients. `none`: no body. */
export type ReplyFraming = 'none' | 'length' | 'chunked' | 'raw';

/** Bytes of a reply that are buffered beyond the socket's buffer, so that its target connection becomes free. */
const MOST_HELD = 1024 * 1024;

/** Characters of pending replies, for a client that pipelines. */
const MOST_PENDING = 16 * 1024;

export class ReplyWriter implements BatchedWriter {
  readonly #socket: Socket;
  readonly #batcher: WriteBatcher;
  readonly #budget: BodyBudget;
  /** Part of the present reply that waits until the client has read earlier bytes. */
  #held: BodyBuffer | undefined = undefined;
  #framing: ReplyFraming = 'none';
  /** A head that waits to be written together with the first bytes of its body. */
  #head = '';
  /** Ends of replies that wait for the batcher. They go before any other use of the socket. */
  #pending = '';
  /** Sent with the last chunk. */
  trailers: HeaderFields | undefined = undefined;
  /** Bytes of the body that are still to come (`length`). */
  #owed = 0;
  /** More bytes of the body came than its Content-Length says. */
  #surplus = false;
  /** Bytes of all replies: heads and bodies, without chunk framing. */
  sent = 0;
  #sentBefore = 0;
  /** Bytes of chunk framing of all replies. */
  #framed = 0;
  /** Bytes of all replies before the present one, with chunk framing. */
  beganAt = 0;
  /** Set while something is unsent. */
  #pace: Pace | undefined = undefined;

  constructor(socket: Socket, batcher: WriteBatcher, budget: BodyBudget) {
    this.#socket = socket;
    this.#batcher = batcher;
    this.#budget = budget;
  }

  /** Prepares for the next exchange. */
  reset(): void {
    this.#head = '';
    this.drop();
    this.#sentBefore = this.sent;
    this.beganAt = this.sent + this.#framed;
  }

  /** Head and body bytes of the present reply. */
  get bytes(): number {
    return this.sent - this.#sentBefore;
  }

  /**
   * Writes a complete reply. `head` ends with the empty line. `headOnly`: the body is not sent. A lent body is given back once it
   * is written.
   */
  whole(head: string, body: Uint8Array | LentBytes | null, headOnly: boolean): void {
    const length = headOnly || body === null ? 0 : body.length;
    this.sent += head.length + length;
    if (body === null || length === 0) this.#writePending(head);
    else if (length <= INLINE_BODY) this.#writePending(head + latin1Of(body));
    else this.#writeLarge(head, body);
    if (body instanceof LentBytes && length <= INLINE_BODY) body.discard();
  }

  #writeLarge(head: string, body: Uint8Array | LentBytes): void {
    const socket = this.#socket;
    this.writeNow();
    socket.cork();
    socket.write(head, 'latin1');
    if (body instanceof LentBytes) {
      const last = body.parts.length - 1;
      // Node calls this once the system no longer needs the bytes, also for a destroyed socket.
      const written = (): void => body.discard();
      for (let at = 0; at <= last; at++) socket.write(body.parts[at]!, at === last ? written : undefined);
    } else socket.write(asBuffer(body));
    socket.uncork();
  }

  /** Begins a reply whose body comes later. */
  begin(head: string, framing: ReplyFraming, length: number): void {
    this.#head = head;
    this.#framing = framing;
    this.#owed = length;
    this.#surplus = false;
    this.trailers = undefined;
    this.sent += head.length;
  }

  /** Bytes that are written or buffered, but not sent by the system yet. */
  get unsent(): number {
    return this.#socket.writableLength + (this.#held?.length ?? 0);
  }

  /** Whether the client still has to read. */
  get busy(): boolean {
    return this.unsent > 0 && !this.#socket.destroyed;
  }

  /** Sent bytes of all replies. */
  get taken(): number {
    return this.sent + this.#framed - this.unsent;
  }

  /** Checks the pace at which the client reads what is written. `grace` in milliseconds. */
  checkPace(now: number, grace: number, limits: PaceLimits): Verdict {
    if (this.unsent === 0) {
      this.#pace = undefined;
      return 'fine';
    }
    this.#pace ??= new Pace(grace, this.beganAt);
    return this.#pace.check(now, this.taken, limits);
  }

  /** Payload buffer[start, end); copied before this returns. Returns false if the client must read first. */
  body(buffer: Buffer, start: number, given: number, last: boolean): boolean {
    let end = given;
    if (this.#framing === 'length' && end - start > this.#owed) {
      // A policy's body is longer than it said. More bytes would be read as the next reply.
      end = start + this.#owed;
      this.#surplus = true;
    }
    const behind = this.#held !== undefined || this.#socket.writableNeedDrain;
    const more = behind ? this.#hold(buffer, start, end, last) : this.#pass(buffer, start, end, last);
    return more || this.#mayHold();
  }

  #pass(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const head = this.#head;
    this.#head = '';
    const count = end - start;
    if (this.#framing === 'none' || (count === 0 && !last)) return this.#text(head, last);
    this.sent += count;
    let before = head;
    let after = '';
    if (this.#framing === 'chunked') {
      if (count > 0) {
        before += `${count.toString(16)}\r\n`;
        after = '\r\n';
      }
      if (last) after += lastChunk(this.trailers);
      this.#framed += before.length - head.length + after.length;
    } else if (this.#framing === 'length') this.#owed -= count;
    if (count <= INLINE_BODY) return this.#text(before + buffer.toString('latin1', start, end) + after, last);
    this.writeNow();
    return writeBody(this.#socket, before, buffer, start, end, after);
  }

  /**
   * Whether the target should go on although the client does not read: if the rest of the reply fits into the buffer, as far
   * as known, the target connection soon becomes free.
   */
  #mayHold(): boolean {
    const room = this.#held === undefined ? Math.min(MOST_HELD, this.#budget.share) : this.#held.room(MOST_HELD);
    return this.#framing === 'length' ? this.#owed <= room : room > 0;
  }

  /** Adds to the buffer, after unread bytes. The end of a reply goes to the socket, with everything buffered. */
  #hold(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const count = end - start;
    this.writeNow();
    this.#held ??= new BodyBuffer(this.#budget);
    this.#keep(this.#head);
    this.#head = '';
    if (this.#framing === 'none') return !last || this.#release(true);
    this.sent += count;
    if (this.#framing === 'length') this.#owed -= count;
    const chunked = this.#framing === 'chunked' && count > 0;
    if (chunked) this.#frame(`${count.toString(16)}\r\n`);
    this.#held.add(buffer, start, end);
    if (chunked) this.#frame('\r\n');
    if (last && this.#framing === 'chunked') this.#frame(lastChunk(this.trailers));
    return this.#release(last);
  }

  #frame(text: string): void {
    this.#framed += text.length;
    this.#keep(text);
  }

  #keep(text: string): void {
    if (text === '') return;
    const bytes = Buffer.from(text, 'latin1');
    this.#held?.add(bytes, 0, bytes.length);
  }

  /** The client has read. Returns false if it must read more before there is room. */
  onDrain(): boolean {
    return this.#held === undefined || this.#release(false) || this.#mayHold();
  }

  /** Moves buffered bytes to the socket: `all`, or as much as fits. Returns false if no more fits. */
  #release(all: boolean): boolean {
    const held = this.#held;
    const socket = this.#socket;
    if (held === undefined) return true;
    while (all || !socket.writableNeedDrain) {
      const block = held.shift();
      if (block === undefined) break;
      // Node calls this for a destroyed socket as well.
      socket.write(block.bytes, () => this.#budget.give(block));
    }
    if (held.length === 0) this.#held = undefined;
    return all || !socket.writableNeedDrain;
  }

  /** The reply is cut: drops buffered bytes. */
  drop(): void {
    this.#held?.clear();
    this.#held = undefined;
  }

  #text(text: string, last: boolean): boolean {
    if (text === '') return !this.#socket.writableNeedDrain;
    if (!last) return this.write(text);
    this.#writePending(text);
    return true;
  }

  /** The end of a reply: no caller needs to know when it is written. */
  #writePending(text: string): void {
    const first = this.#pending === '';
    this.#pending += text;
    if (this.#pending.length > MOST_PENDING) this.writeNow();
    else if (first) this.#batcher.add(this);
  }

  writeNow(): void {
    if (this.#pending !== '') this.write('');
  }

  /** Writes a text now. Returns false if the client must read first. */
  write(text: string): boolean {
    const pending = this.#pending;
    this.#pending = '';
    return this.#socket.write(pending + text, 'latin1');
  }

  /** Writes a head that still waits for the first bytes of its body. */
  flush(): void {
    const head = this.#head;
    this.#head = '';
    if (head === '') this.writeNow();
    else this.write(head);
  }

  /** Withdraws a reply whose head still waits for its body. Returns false if some of it is written. */
  takeBack(): boolean {
    if (this.#head === '') return false;
    this.sent -= this.#head.length;
    this.#head = '';
    this.#framing = 'none';
    return true;
  }

  /** Whether the body ended where its Content-Length said. */
  get complete(): boolean {
    return this.#framing !== 'length' || (this.#owed === 0 && !this.#surplus);
  }
}

const asBuffer = (body: Uint8Array): Buffer => Buffer.from(body.buffer, body.byteOffset, body.byteLength);

function latin1Of(body: Uint8Array | LentBytes): string {
  if (!(body instanceof LentBytes)) return asBuffer(body).toString('latin1');
  let text = '';
  for (const part of body.parts) text += asBuffer(part).toString('latin1');
  return text;
}

/** The body of a reply if it is here as a whole. */
export const wholeBody = ({ body }: Reply): Uint8Array | LentBytes | null =>
  body instanceof Uint8Array || body instanceof LentBytes ? body : null;

/** Length in bytes of the body of a reply, -1 if unknown. `streams`: it comes from the source of the exchange. */
export const lengthOf = (exchange: GwExchange, reply: Reply, streams: boolean): number =>
  streams || exchange.lengthUnknown ? exchange.streamLength(reply.status) : (wholeBody(reply)?.length ?? 0);

/** How the body of a reply is framed for this client. `length` -1: unknown. */
export function framingOf(exchange: GwExchange, status: number, length: number): ReplyFraming {
  if (exchange.method === 'HEAD' || status === 101 || status === 204 || status === 304) return 'none';
  if (length >= 0) return 'length';
  return exchange.minor === 1 ? 'chunked' : 'raw';
}

/** Status line and fields of a constant reply, without the fields of each exchange. */
function constantHead({ status, headers, body }: ConstantReply): string {
  const length = status === 204 || status === 304 ? '' : `content-length: ${body === null ? 0 : body.length}\r\n`;
  return `${statusLine(status)}${fieldLines(headers)}${length}`;
}

function layeredLines({ common, added }: LayeredFields): string {
  if (common.lines === '') common.lines = fieldLines(common.map);
  return common.lines + added;
}

/** The field lines of a reply, without those of its framing and those of each exchange. */
export function replyLines(reply: Reply): string {
  if (reply instanceof TargetReply) return reply.lines();
  const { headers } = reply;
  return headers instanceof LayeredFields && headers.map === undefined ? layeredLines(headers) : fieldLines(headers);
}

/** Whether the field lines of a reply include Date. */
export function hasDate(reply: Reply): boolean {
  if (reply instanceof ConstantReply || reply instanceof TargetReply) return reply.hasDate;
  const { headers } = reply;
  const layered = headers instanceof LayeredFields && headers.map === undefined ? headers : undefined;
  return layered?.common.hasDate ?? headers.get('date') !== undefined;
}

/**
 * The head of a reply, with the empty line. `length` of the body in bytes, -1 if unknown. `connection` is the value of the
 * Connection field; '' leaves HTTP/1.1's default.
 */
export function replyHead(
  exchange: GwExchange,
  reply: Reply,
  framing: ReplyFraming,
  length: number,
  connection: '' | 'close' | 'keep-alive',
  dateLine: string,
): string {
  if (reply instanceof ConstantReply) {
    const date = reply.hasDate ? '' : dateLine;
    const steer = connection === '' ? '' : `connection: ${connection}\r\n`;
    if (reply.head === '') reply.head = constantHead(reply);
    return `${reply.head}${date}x-request-id: ${exchange.id}\r\n${steer}\r\n`;
  }
  const fromTarget = reply instanceof TargetReply;
  const lines = replyLines(reply);
  const first = fromTarget && reply.sameStatus ? `HTTP/1.1 ${reply.statusText}\r\n` : statusLine(reply.status);
  let own = `${hasDate(reply) ? '' : dateLine}x-request-id: ${exchange.id}\r\n`;
  if (framing === 'chunked') own += 'transfer-encoding: chunked\r\n';
  else if (length >= 0 && reply.status !== 204 && reply.status !== 101 && (fromTarget || reply.status !== 304))
    own += `content-length: ${length}\r\n`;
  if (fromTarget && reply.upgrade !== undefined) {
    const steer = connection === '' || reply.status === 101 ? '' : `, ${connection}`;
    own += `connection: upgrade${steer}\r\nupgrade: ${reply.upgrade}\r\n`;
  } else if (connection !== '') own += `connection: ${connection}\r\n`;
  return `${first}${lines}${own}\r\n`;
}
