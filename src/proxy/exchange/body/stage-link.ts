/** What a stage of a policy is to both bodies: its life from the first part to its end, failure or abort. */
import type { BodyStage, HeaderFields, Reply, StageOut } from '../../../policies/contract.js';

/** What a stage reports to. */
export interface StageOwner {
  /** The stage has failed: ends the exchange. */
  failed(cause: string, error: unknown): void;
  /** The stage cannot read its input: ends the exchange, with this reply if it names one. */
  refused(cause: string, reply: Reply | undefined): void;
  /** The stage threw when it was aborted: the exchange goes on, or has ended. */
  abortFailed(error: unknown): void;
}

const EARLY = 'a stage wrote before it got the body';

/** The output of a stage. A subclass knows where the body comes from and where the output goes. */
export abstract class StageLink implements StageOut {
  protected stage: BodyStage | undefined = undefined;
  /** The stage waits: its last write() returned false. */
  protected paused = false;
  protected over = false;
  readonly #owner: StageOwner;
  /** For the cause of a failure: `request`, `reply`. */
  readonly #what: string;
  #onWritable: (() => void) | undefined = undefined;
  /** A write() of the stage has found the output full. */
  #full = false;
  /** The stage has got a part of the body. */
  #begun = false;
  #inputEnded = false;

  constructor(owner: StageOwner, what: string) {
    this.#owner = owner;
    this.#what = what;
  }

  /** Passes bytes to where the output goes. Returns false if it is full. */
  protected abstract put(bytes: Uint8Array): boolean;
  /** The output is complete. */
  protected abstract finish(trailers: HeaderFields | undefined): void;
  /** Asks the source for more. */
  protected abstract ask(): void;

  /** The stage that writes to this link. */
  attach(stage: BodyStage): void {
    this.stage = stage;
    if (this.over) this.#abortStage('failed');
  }

  /** The stage failed before it got the body. */
  get failed(): boolean {
    return this.over;
  }

  /** Gives the stage a part of the body. */
  protected take(bytes: Uint8Array, last: boolean, trailers: HeaderFields | undefined): void {
    const { stage } = this;
    if (this.over || stage === undefined) return;
    this.#begun = true;
    this.#guard(() => {
      if (bytes.length > 0 && !stage.write(bytes)) this.paused = true;
      if (!last) return;
      this.#inputEnded = true;
      stage.end(trailers);
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.over || !this.#hasBegun()) return false;
    const more = this.put(bytes);
    // An empty write says nothing about the room.
    if (!more) this.#full = true;
    return more;
  }

  /** The output has a place only once the body comes: a stage that writes before is refused. */
  #hasBegun(): boolean {
    if (!this.#begun) this.#break(EARLY, undefined);
    return this.#begun;
  }

  end(trailers?: HeaderFields): void {
    if (this.over || !this.#hasBegun()) return;
    this.over = true;
    this.finish(trailers);
  }

  fail(cause: string): void {
    if (this.over) return;
    this.over = true;
    this.#owner.failed(cause, undefined);
  }

  refuse(cause: string, reply?: Reply): void {
    if (this.over) return;
    this.over = true;
    this.#owner.refused(cause, reply);
  }

  onWritable(callback: () => void): void {
    this.#onWritable = callback;
  }

  resume(): void {
    this.paused = false;
    if (!this.over && !this.#inputEnded) this.ask();
  }

  /**
   * The receiver of the output has room again. A stage that waits for something else, such as a thread that compresses, asks
   * for more itself: otherwise each event of the client's socket would add to what it holds.
   */
  protected onRoom(): void {
    const callback = this.#onWritable;
    const full = this.#full;
    this.#onWritable = undefined;
    this.#full = false;
    if (callback !== undefined) this.#guard(callback);
    else if (full || !this.paused) this.resume();
  }

  /** The exchange has ended. Idempotent. */
  abort(cause: string): void {
    if (this.over) return;
    this.over = true;
    this.#onWritable = undefined;
    this.#abortStage(cause);
  }

  /** A stage that throws even then is reported, and is over. */
  #abortStage(cause: string): void {
    try {
      this.stage?.abort(cause);
    } catch (error) {
      this.#owner.abortFailed(error);
    }
  }

  /** A stage that throws ends the exchange: policies fail closed. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!this.over) this.#break(`a stage of the ${this.#what} body failed`, error);
    }
  }

  #break(cause: string, error: unknown): void {
    this.over = true;
    this.#abortStage('failed');
    this.#owner.failed(cause, error);
  }
}
