/**
 * A request's body between its client and its target. It is collected until it is complete or long enough; only then
 * does gw ask for a target connection. So a slow client costs memory and not a connection. Body bytes in the same read
 * as the head are forwarded without being collected, and so is a body that a step of the chain has collected.
 *
 *     collecting --- complete, long enough, or spare connections available ---> asked --- flow() ---> begun
 */

import type { HeaderFields } from '../../policies/contract.js';
import { Seen } from '../http/seen.js';
import { type BodyBudget, BodyBuffer } from '../load/body-buffer.js';
import type { OwnConnection, ReplyChannel } from '../upstream/user.js';
import type { BodySink, BodySupply } from './downstream.js';
import type { GwExchange } from './exchange.js';

/** Bytes of an incomplete body that justify a connection, while the service has one for incomplete bodies. */
const ENOUGH = 64 * 1024;
/** Bytes that are collected if it has none. */
const MOST = 1024 * 1024;
/** Milliseconds after which a client may be waiting for a reply to the first part of its body. */
const PATIENCE = 50;

const EMPTY = Buffer.alloc(0);

/** The exchange whose body it is. */
export interface Uploader {
  readonly exchange: GwExchange;
  /** The head of the reply has arrived. */
  readonly replied: boolean;
  /** Whether the service has a connection for an incomplete body. */
  readonly takesParts: boolean;
  /** A connection for an incomplete body costs little: ask for it at once. */
  readonly atOnce: boolean;
  /** Whether it has spare connections. */
  readonly hasSpare: boolean;
  /** Requests a connection, to be passed to flow(). */
  ask(): void;
}

export class Upload implements BodySink {
  /** The end of the body has been passed on to here. */
  ended = false;
  /** The head or a part of the body was sent to a target: another one can get it only after rewind(). */
  begun = false;
  /** The whole body is written to the target. */
  sent = false;
  /** Payload bytes received from the client. */
  came = 0;
  readonly #owner: Uploader;
  readonly #supply: BodySupply;
  readonly #host: Uploads;
  /** The length of the body is not announced. */
  readonly chunked: boolean;
  /** A step has collected the body: nothing waits for the client. */
  readonly #inMemory: boolean;
  #uplink: OwnConnection | null = null;
  #asked = false;
  #over = false;
  /** The client waits for 100 Continue. */
  #asksToSend: boolean;
  /** Monotonic milliseconds at which collecting began. */
  #since = 0;
  /** Received bytes that are not written yet. */
  #store: BodyBuffer | undefined = undefined;
  /** The same, in the buffer of the current read. */
  #hand: Buffer | undefined = undefined;
  #written = 0;
  /** What was written is kept for another attempt up to this number of bytes; 0: it is not. */
  #keepUpTo: number;
  #kept: BodyBuffer | undefined = undefined;
  /** Written on a connection whose target has not processed the request. */
  #again: readonly Buffer[] = [];
  #trailers: HeaderFields | undefined = undefined;

  /** `keepUpTo`: bytes up to which the body can be sent again. */
  constructor(owner: Uploader, supply: BodySupply, host: Uploads, keepUpTo = 0) {
    this.#owner = owner;
    this.#supply = supply;
    this.#host = host;
    this.#keepUpTo = keepUpTo;
    this.#inMemory = owner.exchange.bodies?.requestBytes !== undefined;
    this.#asksToSend = owner.exchange.expectsContinue;
    this.chunked = (owner.exchange.seen & Seen.TransferEncoding) !== 0;
  }

  /** Begins to receive the body from the client. */
  start(): void {
    if (this.#inMemory) {
      this.#ask();
      return;
    }
    this.#supply.pull(this);
    if (this.#asked || this.#over) return;
    // The target decides whether the client may send the body.
    if (this.#owner.atOnce || (this.came === 0 && this.#asksToSend)) this.#ask();
    else this.#since = this.#host.add(this);
  }

  /** Waiting for the client, without a target connection. */
  get collecting(): boolean {
    return !this.#asked;
  }

  /** The whole body is here, whether or not it is written. */
  get whole(): boolean {
    return this.ended || this.#inMemory;
  }

  /** The target would accept more than the client has sent. */
  get awaitsClient(): boolean {
    return !this.whole && this.takesBody && !(this.#asksToSend && this.came === 0);
  }

  get takesBody(): boolean {
    if (this.#uplink !== null) return this.#store === undefined && this.#uplink.writable;
    if (this.#over || this.begun) return false;
    return this.#store === undefined || this.#store.room(this.#asked ? ENOUGH : MOST) > 0;
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  sendBody(bytes: Buffer, last: boolean): void {
    if (this.#over) return;
    this.came += bytes.length;
    this.ended = last;
    if (this.#uplink !== null && this.#store === undefined) this.#write(bytes, last);
    else if (this.#asked || !(last || this.#isEnough(bytes.length))) this.#keep(bytes);
    else {
      this.#hand = bytes;
      this.#ask();
      const left = this.#hand;
      this.#hand = undefined;
      if (left !== undefined) this.#keep(left);
    }
  }

  #isEnough(more: number): boolean {
    const most = this.#owner.takesParts ? ENOUGH : MOST;
    return (this.#store?.length ?? 0) + more >= Math.min(most, this.#host.budget.share);
  }

  #keep(bytes: Buffer): void {
    if (this.#over || bytes.length === 0) return;
    this.#store ??= new BodyBuffer(this.#host.budget);
    this.#store.add(bytes, 0, bytes.length);
  }

  #ask(): void {
    this.#asked = true;
    this.#host.delete(this);
    this.#owner.ask();
  }

  /** Called a few times a second while the body is collected. */
  look(now: number): void {
    const owner = this.#owner;
    if (this.#store !== undefined && this.#isEnough(0)) this.#ask();
    else if (now - this.#since >= PATIENCE && owner.hasSpare) this.#ask();
  }

  /** An unexpected exception in look(). */
  broke(error: unknown): void {
    this.#owner.exchange.downstream!.broke(error);
  }

  /** The request's head is about to be written to `uplink`: the body follows on it. */
  flow(uplink: OwnConnection): void {
    this.#uplink = uplink;
    this.begun = true;
    if (this.#again.length > 0) this.#sendAgain();
    this.#empty(uplink);
    const hand = this.#hand;
    this.#hand = undefined;
    if (hand !== undefined) {
      if (this.#store === undefined) this.#write(hand, this.ended);
      else this.#keep(hand);
    } else if (!this.ended) this.#supply.pull(this);
    else if (this.#store === undefined && !this.sent) this.#write(EMPTY, true);
    this.#uplink?.flush();
  }

  /** The client was sent 100 Continue. */
  onContinue(): void {
    this.#asksToSend = false;
  }

  /** Prepares for another attempt: what was written, which may be `parts`, and then the rest. Returns false if it is not known. */
  again(parts: readonly Buffer[] | undefined): boolean {
    if (this.rewindable) this.rewind();
    else if (parts === undefined) return false;
    else {
      this.#again = parts;
      this.begun = false;
      this.sent = false;
      this.#written = 0;
    }
    return true;
  }

  #sendAgain(): void {
    const parts = this.#again;
    this.#again = [];
    const lastOne = this.ended && this.#store === undefined && this.#hand === undefined ? parts.length - 1 : -1;
    for (let at = 0; at < parts.length; at++) this.#write(parts[at]!, at === lastOne);
  }

  /** The target accepts more. */
  onWritable(): void {
    const uplink = this.#uplink;
    if (uplink === null || this.sent) return;
    this.#empty(uplink);
    if (this.#store === undefined && !this.ended) this.#supply.pull(this);
  }

  #empty(uplink: OwnConnection): void {
    const store = this.#store;
    if (store === undefined) return;
    while (uplink.writable) {
      const block = store.shift();
      if (block === undefined) break;
      this.#write(block.bytes, this.ended && store.length === 0 && this.#hand === undefined);
      this.#host.budget.give(block);
    }
    if (store.length === 0) this.#store = undefined;
  }

  /** All that was written is kept. */
  get rewindable(): boolean {
    return this.#keepUpTo > 0;
  }

  /** Nothing is written now: the whole body goes to the next target. Only if it is rewindable. */
  rewind(): void {
    const kept = this.#kept;
    if (kept !== undefined) {
      if (this.#store !== undefined) kept.append(this.#store);
      this.#store = kept;
    }
    this.#kept = undefined;
    this.#uplink = null;
    this.#written = 0;
    this.begun = false;
    this.sent = false;
  }

  /** There will be no other attempt. */
  dropKept(): void {
    this.#keepUpTo = 0;
    this.#kept?.clear();
    this.#kept = undefined;
  }

  #retain(bytes: Buffer): void {
    this.#kept ??= new BodyBuffer(this.#host.budget);
    if (this.#kept.room(this.#keepUpTo) < bytes.length) this.dropKept();
    else this.#kept.add(bytes, 0, bytes.length);
  }

  #write(bytes: Buffer, last: boolean): void {
    const connection = this.#uplink;
    if (connection === null) return;
    if (this.#keepUpTo > 0) this.#retain(bytes);
    this.#written += bytes.length;
    if (last) this.sent = true;
    if (!this.#owner.replied) connection.awaitReply();
    if (last && this.#trailers !== undefined) connection.trailers(this.#trailers);
    if (bytes.length > 0 || last) connection.write(bytes, last);
  }

  /** Payload bytes written since the last call. */
  takeWritten(): number {
    const written = this.#written;
    this.#written = 0;
    return written;
  }

  goesTo(connection: ReplyChannel): boolean {
    return this.#uplink === connection;
  }

  /** The connection is gone, or another attempt has answered first. Another one may have the body by now. */
  detach(from: ReplyChannel | null): void {
    if (this.#uplink === from) this.#uplink = null;
  }

  /** The body is not needed any more: frees its memory. Idempotent. */
  release(): void {
    this.#over = true;
    this.#uplink = null;
    this.#hand = undefined;
    this.#store?.clear();
    this.#store = undefined;
    this.dropKept();
    this.#host.delete(this);
  }
}

/** The uploads of a worker that are being collected, and their memory budget. */
export class Uploads {
  readonly budget: BodyBudget;
  readonly #now: () => number;
  readonly #collecting = new Set<Upload>();

  /** `now`: monotonic milliseconds. */
  constructor(budget: BodyBudget, now: () => number) {
    this.budget = budget;
    this.#now = now;
  }

  /** Sweeps `upload` until it is deleted. Returns the time. */
  add(upload: Upload): number {
    this.#collecting.add(upload);
    return this.#now();
  }

  delete(upload: Upload): void {
    this.#collecting.delete(upload);
  }

  get length(): number {
    return this.#collecting.size;
  }

  /** Called a few times a second with the monotonic time. An unexpected exception ends the exchange that it occurred in. */
  sweep(now: number): void {
    for (const upload of this.#collecting) {
      try {
        upload.look(now);
      } catch (error) {
        upload.broke(error);
      }
    }
  }
}
