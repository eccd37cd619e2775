/**
 * A request's body between its client and its target, with what the steps of the chain do to it:
 *
 *     client -> stage -> collected bytes -> stage -> target
 *
 * Each step adds itself behind those before it. The last supply is what the target gets.
 */
import type { BodyStage, HeaderFields, StageOut } from '../../../policies/contract.js';
import { type CollectBudget, type Collected, type CollectFault, Collector, countBytes } from './collector.js';
import { StageLink, type StageOwner } from './stage-link.js';
import { type BodySink, type BodySupply, EMPTY } from './types.js';

/** Bytes of a body in memory that are passed on at a time. */
export const SLICE = 64 * 1024;

/** A body that is in memory. It can be sent again: each new sink gets it from the start. */
export class BytesSupply implements BodySupply {
  readonly bytes: Buffer;
  #sink: BodySink | undefined = undefined;
  #at = 0;
  #ended = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  pull(sink: BodySink): void {
    if (sink !== this.#sink) {
      this.#sink = sink;
      this.#at = 0;
      this.#ended = false;
    }
    while (!this.#ended && sink === this.#sink && sink.takesBody) {
      const end = Math.min(this.#at + SLICE, this.bytes.length);
      const slice = this.bytes.subarray(this.#at, end);
      this.#at = end;
      this.#ended = end === this.bytes.length;
      sink.sendBody(slice, this.#ended);
    }
  }
}

/** A stage of a policy in a request's body: a sink for what comes before it, a supply for what follows. */
export class RequestLink extends StageLink implements BodySink, BodySupply {
  readonly #from: BodySupply;
  #sink: BodySink | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;

  constructor(from: BodySupply, owner: StageOwner) {
    super(owner, 'request');
    this.#from = from;
  }

  pull(sink: BodySink): void {
    this.#sink = sink;
    this.onRoom();
  }

  get collecting(): boolean {
    return this.#sink?.collecting === true;
  }

  get takesBody(): boolean {
    return !this.over && !this.paused && this.#sink?.takesBody === true;
  }

  sendBody(bytes: Buffer, last: boolean): void {
    this.take(bytes, last, this.#trailers);
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  protected put(bytes: Uint8Array): boolean {
    const sink = this.#sink!;
    if (bytes.length > 0) sink.sendBody(asBuffer(bytes), false);
    return !this.over && sink.takesBody;
  }

  protected finish(trailers: HeaderFields | undefined): void {
    if (trailers !== undefined) this.#sink?.trailers(trailers);
    this.#sink?.sendBody(EMPTY, true);
  }

  protected ask(): void {
    if (this.#sink !== undefined) this.#from.pull(this);
  }
}

/** The body of one request. */
export class RequestBody implements BodySupply {
  /** Where the next step takes the body from. */
  #supply: BodySupply;
  #links: RequestLink[] = [];
  #collector: Collector | undefined = undefined;
  #held: Collected | undefined = undefined;

  constructor(client: BodySupply) {
    this.#supply = client;
  }

  /** The whole body if it is in memory. */
  get bytes(): Buffer | undefined {
    return this.#supply instanceof BytesSupply ? this.#supply.bytes : undefined;
  }

  pull(sink: BodySink): void {
    this.#supply.pull(sink);
  }

  /** Collects the body behind the steps so far. The callback comes at most once, never after end(). */
  collect(budget: CollectBudget, max: number, done: (bytes: Buffer | CollectFault) => void): void {
    const known = this.bytes;
    if (known !== undefined) {
      done(known.length > max ? 'too-large' : known);
      return;
    }
    this.#collector = new Collector(budget, max, (result) => {
      this.#collector = undefined;
      if (typeof result === 'string') {
        done(result);
        return;
      }
      this.#held?.release();
      this.#held = result;
      this.#supply = new BytesSupply(result.bytes);
      done(result.bytes);
    });
    this.#supply.pull(this.#collector);
  }

  /** A step has changed the collected body. Returns false if the budget has no room for the new one. */
  replace(budget: CollectBudget, bytes: Uint8Array): boolean {
    this.#held?.release();
    this.#held = countBytes(budget, asBuffer(bytes));
    if (this.#held === undefined) return false;
    this.#supply = new BytesSupply(this.#held.bytes);
    return true;
  }

  /** Adds a stage. `create` gets its output, and returns undefined for no stage. Returns whether there is one. */
  addStage(create: (out: StageOut) => BodyStage | undefined, owner: StageOwner): boolean {
    const link = new RequestLink(this.#supply, owner);
    const stage = create(link);
    if (stage === undefined) return false;
    link.attach(stage);
    this.#links.push(link);
    this.#supply = link;
    return true;
  }

  /** The exchange has ended: frees memory, aborts stages that have not ended. */
  end(cause: string): void {
    this.#collector?.cancel();
    this.#collector = undefined;
    const links = this.#links;
    this.#links = [];
    for (const link of links) link.abort(cause);
    this.#held?.release();
    this.#held = undefined;
  }
}

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
