/**
 * A stage of a body that consists of units, such as lines or events: changes them one by one while they stream. It holds the unit that
 * is not complete, and what has come with the one that is being changed: then the source waits.
 */
import type { Awaitable, BodyStage, HeaderFields, Reply, StageOut } from '../../contract.js';
import type { UnitSplitter } from './splitter.js';
import type { Turns } from './turns.js';

/** What takes the place of a unit: the unit itself, a text, or undefined for nothing. */
export type MadeUnit = Uint8Array | string | undefined;

/** Why a unit cannot be read or changed. */
export class UnitFault extends Error {}

export interface UnitStageOptions {
  readonly splitter: UnitSplitter;
  readonly out: StageOut;
  readonly turns: Turns;
  /** The bytes stay valid. `first`: of the body. `complete`: false if the body has ended in it. Throws or rejects with a UnitFault. */
  change(unit: Buffer, first: boolean, complete: boolean): Awaitable<MadeUnit>;
  /** The reply to a body that cannot be read, while nothing of it was sent. `fault`: undefined for a unit that is too long. */
  refusal(cause: string, fault: UnitFault | undefined): Reply;
  /** Edits trailers. Absent: they stay. */
  trailers?(fields: HeaderFields): void;
}

/** Bytes or characters that are passed on at once. */
const BATCH = 64 * 1024;

export class UnitStage implements BodyStage {
  readonly #options: UnitStageOptions;
  readonly #splitter: UnitSplitter;
  readonly #out: StageOut;
  /** What is not passed on yet. */
  #made: (Uint8Array | string)[] = [];
  #size = 0;
  #running = false;
  /** More has come while it ran: passing something on may bring it. */
  #again = false;
  /** A unit is being changed, or others have their turn. */
  #busy = false;
  /** The output has no room. */
  #full = false;
  /** The source waits for resume(). */
  #paused = false;
  #end: { readonly trailers: HeaderFields | undefined } | undefined = undefined;
  #over = false;

  constructor(options: UnitStageOptions) {
    this.#options = options;
    this.#splitter = options.splitter;
    this.#out = options.out;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    this.#splitter.push(bytes);
    this.#run();
    this.#paused = this.#busy || this.#full;
    return !this.#paused && !this.#over;
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    this.#end = { trailers };
    this.#splitter.end();
    this.#run();
  }

  abort(): void {
    this.#over = true;
    this.#made = [];
    this.#splitter.clear();
  }

  /** Changes what has come, until a unit needs a promise, others get their turn, or the output is full. */
  #run(): void {
    this.#again = this.#running;
    if (this.#running) return;
    this.#running = true;
    const { turns } = this.#options;
    turns.begin();
    do {
      this.#again = false;
      while (this.#mayGoOn) if (!this.#next()) break;
      this.#flush();
    } while (this.#again && this.#mayGoOn);
    this.#running = false;
    if (!this.#busy) turns.stop();
    if (this.#over || this.#busy) return;
    const { tooLong, max, done } = this.#splitter;
    if (tooLong) this.#refuse(`a line or event has more than ${max} bytes`, undefined);
    else if (this.#end !== undefined && done) this.#finish(this.#end.trailers);
  }

  get #mayGoOn(): boolean {
    return !this.#over && !this.#busy && !this.#full;
  }

  /** Changes the next unit. Returns false if there is none. */
  #next(): boolean {
    const unit = this.#splitter.next();
    if (unit === undefined) return false;
    this.#add(this.#changed(unit));
    if (this.#size >= BATCH) this.#flush();
    const turn = this.#busy ? undefined : this.#options.turns.next();
    if (turn !== undefined) this.#wait(turn);
    return true;
  }

  #finish(trailers: HeaderFields | undefined): void {
    this.#over = true;
    if (trailers !== undefined) this.#options.trailers?.(trailers);
    this.#out.end(trailers);
  }

  #changed(unit: Buffer): MadeUnit {
    try {
      const made = this.#options.change(unit, this.#splitter.count === 1, !this.#splitter.incomplete);
      if (!(made instanceof Promise)) return made;
      this.#wait(made);
    } catch (error) {
      this.#failed(error);
    }
    return undefined;
  }

  #wait(pending: Promise<MadeUnit>): void {
    this.#busy = true;
    void this.#later(pending);
  }

  async #later(pending: Promise<MadeUnit>): Promise<void> {
    try {
      this.#add(await pending);
    } catch (error) {
      this.#failed(error);
    }
    await this.#options.turns.next();
    if (this.#over) return;
    this.#busy = false;
    this.#goOn();
  }

  #goOn(): void {
    this.#run();
    if (this.#over || this.#busy || this.#full || !this.#paused) return;
    this.#paused = false;
    this.#out.resume();
  }

  #add(made: MadeUnit): void {
    if (made === undefined || made.length === 0) return;
    const last = this.#made.length - 1;
    const before = this.#made[last];
    if (typeof made === 'string' && typeof before === 'string') this.#made[last] = before + made;
    else this.#made.push(made);
    this.#size += made.length;
  }

  #flush(): void {
    const made = this.#made;
    if (made.length === 0 || this.#over) return;
    this.#made = [];
    this.#size = 0;
    const bytes = made.map((one) => (typeof one === 'string' ? Buffer.from(one) : one));
    if (this.#out.write(bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes))) return;
    this.#full = true;
    this.#out.onWritable(() => {
      this.#full = false;
      if (!this.#over && !this.#busy) this.#goOn();
    });
  }

  #failed(error: unknown): void {
    if (this.#over) return;
    if (error instanceof UnitFault) this.#refuse(error.message, error);
    else {
      // Not the fault of the body.
      this.#flush();
      this.abort();
      this.#out.fail(error instanceof Error ? error.message : String(error));
    }
  }

  #refuse(cause: string, fault: UnitFault | undefined): void {
    this.#flush();
    if (this.#over) return;
    this.abort();
    this.#out.refuse(cause, this.#options.refusal(cause, fault));
  }
}
