/**
 * One request to the origin for all requests that want the same reply at the same time:
 *
 *     leader   goes through the chain to the origin; its reply passes a stage of the cache
 *     waiters  wait in before() until the head of that reply is known, then read its body as it comes
 *
 * A piece of the body is kept until every reader has it, and as long as further readers may join. If more than `most` bytes would
 * be kept, no reader joins any more, and the source goes at the pace of the slowest reader. A reader that takes nothing for a while is
 * cut then, so that one client cannot stop the others.
 */
import type { BodyOut, BodySource, ContentNames, HeaderFields } from '../contract.js';
import type { ReadField } from '../kits/http-cache/fields.js';
import type { StoredReply } from './stored.js';

/** What a waiter does next. */
export type Landing =
  /** Read the body with join(). */
  | 'join'
  /** Look into the store again. */
  | 'again'
  /** Ask the origin itself. */
  | 'alone';

/** What those do that get nothing of a flight. */
export type Outcome = Exclude<Landing, 'join'>;

/** The head of a reply that all waiters may have. */
export interface SharedHead {
  readonly reply: StoredReply;
  /** What purges select it by. */
  readonly names: ContentNames;
  /** Bytes of the body; -1 if unknown. */
  readonly length: number;
  /** Whether it is the reply for these fields of a request. */
  fits(request: ReadField): boolean;
}

/** Bytes that all flights of a policy in this worker keep. */
export interface FlightBudget {
  used: number;
  readonly limit: number;
}

export interface FlightParts {
  /** Bytes that one flight keeps. */
  readonly most: number;
  readonly budget: FlightBudget;
  /** Milliseconds. */
  now(): number;
  after(ms: number, work: () => void): () => void;
}

/** Milliseconds in which a reader must take something while others wait for it. */
const STALLED_MS = 5000;

export class Flight {
  /** Moment of the store by which the request had not been sent. */
  readonly moment: number;
  readonly #parts: FlightParts;
  #landing: Landing | undefined = undefined;
  #waiters: ((landing: Landing) => void)[] = [];
  readonly #readers = new Set<FlightReader>();
  #chunks: Buffer[] = [];
  /** Chunks that no reader needs any more were dropped from the front: their number. */
  #dropped = 0;
  #kept = 0;
  #head: SharedHead | undefined = undefined;
  #ended = false;
  #failure: string | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;
  /** Of the leader: a reader joins. */
  #joined: () => void = () => {};
  #resume: () => void = () => {};
  #watching = false;
  /** Set by the leader: a request waits. */
  onWaiter: () => void = () => {};
  /** No reader joins any more. */
  onShut: () => void = () => {};
  /** For requests in other workers. */
  readonly outcome: Promise<Outcome>;
  #settle: (outcome: Outcome) => void = () => {};

  constructor(parts: FlightParts, moment: number) {
    this.#parts = parts;
    this.moment = moment;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Whether the body has readers besides the leader. */
  get read(): boolean {
    return this.#readers.size > 0;
  }

  /** Whether further readers may join now. */
  get open(): boolean {
    return this.#landing === 'join';
  }

  get head(): SharedHead | undefined {
    return this.#head;
  }

  /** Resolves when it is known what a waiter does next. */
  wait(): Promise<Landing> {
    if (this.#landing !== undefined) return Promise.resolve(this.#landing);
    this.onWaiter();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The head of the reply is known, and waiters may have it. */
  share(head: SharedHead): void {
    this.#head = head;
    this.#land('join');
  }

  /** What the leader's stage does when a reader joins, and when the source may go on. */
  lead(joined: () => void, resume: () => void): void {
    this.#joined = joined;
    this.#resume = resume;
  }

  /** Waiters do without the body. Idempotent. */
  land(outcome: Outcome): void {
    this.#land(outcome);
    this.#settle(outcome);
  }

  /** The reply is not going to be in the store: one request of each other worker need not wait for its end. */
  leaveOthers(): void {
    this.#settle('again');
  }

  #land(landing: Landing): void {
    this.#landing ??= landing;
    if (landing !== 'join') this.#shut(landing);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter(this.#landing);
  }

  /** The body from its start; undefined if part of it is gone. */
  join(): FlightReader | undefined {
    if (this.#dropped > 0 || this.#failure !== undefined || this.#head === undefined) return undefined;
    const reader = this.#reader(0);
    this.#joined();
    return reader;
  }

  /** The rest of the body and its trailers, for a leader that takes it more slowly than others. */
  follow(): FlightReader {
    return this.#reader(this.#dropped + this.#chunks.length, true);
  }

  #reader(at: number, leads = false): FlightReader {
    const reader = new FlightReader(this, { at, leads });
    this.#readers.add(reader);
    return reader;
  }

  /** A part of the body, which is copied. Returns false if the source must pause. */
  write(bytes: Uint8Array): boolean {
    if (this.#landing !== 'join' && !this.read) return true;
    this.#chunks.push(Buffer.from(bytes));
    this.#keep(bytes.length);
    const { most, budget } = this.#parts;
    if (this.#kept > most || budget.used > budget.limit) this.#land('alone');
    for (const reader of this.#readers) reader.pump();
    return this.#trim() || this.#pause();
  }

  #keep(bytes: number): void {
    this.#kept += bytes;
    this.#parts.budget.used += bytes;
  }

  /** The source waits for the slowest reader, which is cut if it takes nothing. */
  #pause(): false {
    if (this.#watching) return false;
    this.#watching = true;
    this.#parts.after(STALLED_MS, () => {
      this.#watching = false;
      // Other flights may have left the budget: nothing else says so.
      if (!this.#full) return this.#resume();
      for (const reader of this.#readers) if (reader.takenAt + STALLED_MS <= this.now) reader.cut('too slow');
      if (this.#full) this.#pause();
    });
    return false;
  }

  get #full(): boolean {
    const { most, budget } = this.#parts;
    if (this.#landing === 'join' || !this.read) return false;
    return this.#kept > most || (this.#kept > 0 && budget.used > budget.limit);
  }

  /** Drops what no reader needs, once none can join. Returns false if too much is kept. */
  #trim(): boolean {
    if (this.#landing === 'join') return true;
    let least = this.#dropped + this.#chunks.length;
    for (const reader of this.#readers) least = Math.min(least, reader.at);
    const count = least - this.#dropped;
    for (const chunk of this.#chunks.splice(0, count)) this.#keep(-chunk.length);
    this.#dropped = least;
    return !this.#full;
  }

  #shut(landing: Landing): void {
    if (this.#landing !== 'join') return;
    this.#landing = landing;
    this.onShut();
  }

  /** `trailers`: for the leader, if it follows. */
  end(trailers?: HeaderFields): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#close();
  }

  /** No reader joins any more. */
  #close(): void {
    this.#shut('again');
    for (const reader of this.#readers) reader.pump();
    this.#trim();
  }

  /** The body cannot be completed. */
  fail(cause: string): void {
    this.#failure ??= cause;
    this.#close();
    this.land('again');
  }

  // ---------------------------------------------------------------- for its readers

  chunk(at: number): Buffer | undefined {
    return this.#chunks[at - this.#dropped];
  }

  get ended(): boolean {
    return this.#ended;
  }

  get trailers(): HeaderFields | undefined {
    return this.#trailers;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  get now(): number {
    return this.#parts.now();
  }

  /** A reader has taken something, or has left. */
  advanced(): void {
    if (this.#landing === 'join') return;
    const full = this.#full;
    this.#trim();
    if (full && !this.#full) this.#resume();
  }

  leave(reader: FlightReader): void {
    this.#readers.delete(reader);
    this.advanced();
  }
}

/** The body of a flight, for one waiter, or for the leader if it is slow. */
export class FlightReader implements BodySource {
  readonly length: number;
  /** The chunk that comes next. */
  at: number;
  /** When it took something. */
  takenAt: number;
  readonly #flight: Flight;
  readonly #leads: boolean;
  #out: BodyOut | undefined = undefined;
  #full = false;
  #over = false;

  constructor(flight: Flight, { at, leads }: { readonly at: number; readonly leads: boolean }) {
    this.#flight = flight;
    this.#leads = leads;
    this.at = at;
    this.length = flight.head?.length ?? -1;
    this.takenAt = flight.now;
  }

  start(out: BodyOut): void {
    this.#out = out;
    this.pump();
  }

  /** Writes what there is, as long as there is room. */
  pump(): void {
    const out = this.#out;
    const flight = this.#flight;
    while (out !== undefined && !this.#over && !this.#full) {
      const chunk = flight.chunk(this.at);
      if (chunk === undefined) {
        this.#finish(out);
        return;
      }
      this.at++;
      this.takenAt = flight.now;
      if (!out.write(chunk)) this.#pause(out);
      flight.advanced();
    }
  }

  #pause(out: BodyOut): void {
    this.#full = true;
    out.onWritable(() => {
      this.#full = false;
      this.pump();
    });
  }

  #finish(out: BodyOut): void {
    const { failure, ended, trailers } = this.#flight;
    if (failure === undefined && !ended) return;
    this.#leave();
    // Stored replies have no trailers either.
    if (failure === undefined) out.end(this.#leads ? trailers : undefined);
    else out.fail(failure);
  }

  cut(cause: string): void {
    const out = this.#out;
    this.#leave();
    out?.fail(cause);
  }

  discard(): void {
    this.#leave();
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#flight.leave(this);
  }
}
