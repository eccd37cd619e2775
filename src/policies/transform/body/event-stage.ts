/**
 * Transforms a reply line by line, or event by event, while it streams. It holds the unit that is not complete, and what has come with
 * the one that is being transformed: then the source waits.
 */
import type { Awaitable, BodyStage, Exchange, HeaderFields, Reply, StageOut } from '../../contract.js';
import { BodyFault } from './edits.js';
import type { BodySide } from './side.js';
import type { Turns } from './turns.js';
import { type Unit, type Units, unitsOf } from './units.js';

/** Undefined: the unit is left out. */
type Made = string | undefined;

export class EventStage implements BodyStage {
  readonly #side: BodySide;
  readonly #exchange: Exchange;
  readonly #reply: Reply;
  readonly #out: StageOut;
  readonly #units: Units;
  readonly #turns: Turns;
  /** Units that have come; those from `#at` on wait. */
  #waiting: Unit[] = [];
  #at = 0;
  #busy = false;
  /** The source waits for a unit that is being transformed. */
  #paused = false;
  #end: { readonly trailers: HeaderFields | undefined } | undefined = undefined;
  #over = false;

  constructor(kind: 'lines' | 'events', side: BodySide, exchange: Exchange, reply: Reply, out: StageOut) {
    this.#side = side;
    this.#exchange = exchange;
    this.#reply = reply;
    this.#out = out;
    this.#turns = side.turns();
    this.#units = unitsOf(kind, side.max, (unit) => this.#waiting.push(unit));
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    if (!this.#busy) this.#turns.begin();
    const short = this.#units.write(bytes);
    const more = this.#run();
    if (!short) this.#tooLong();
    this.#paused = this.#busy;
    return more && !this.#busy && !this.#over;
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    const short = this.#units.end();
    this.#end = { trailers };
    this.#run();
    if (!short) this.#tooLong();
  }

  abort(): void {
    this.#over = true;
    this.#clear();
  }

  #clear(): void {
    this.#waiting = [];
    this.#at = 0;
  }

  /** Transforms what waits, until a unit needs a promise. Returns whether the output has room. */
  #run(): boolean {
    let made = '';
    while (!this.#over && !this.#busy && this.#at < this.#waiting.length) {
      const one = this.#transformed(this.#waiting[this.#at++]!);
      if (one instanceof Promise) {
        this.#busy = true;
        void this.#later(one);
      } else if (one !== undefined) made += one;
    }
    if (this.#over) return false;
    // Not after each unit: a part of the body may have very many.
    if (this.#at === this.#waiting.length) this.#clear();
    const more = made === '' || this.#out.write(Buffer.from(made));
    if (!this.#over && !this.#busy && this.#end !== undefined) {
      this.#over = true;
      this.#out.end(this.#end.trailers);
    }
    return more;
  }

  async #later(pending: Promise<Made>): Promise<void> {
    const made = await pending;
    await this.#turns.next();
    if (this.#over) return;
    this.#busy = false;
    let more = made === undefined || this.#out.write(Buffer.from(made));
    more = this.#run() && more;
    if (this.#over || this.#busy || !this.#paused) return;
    this.#paused = false;
    if (more) this.#out.resume();
    else this.#out.onWritable(() => this.#out.resume());
  }

  /** The text for the client. Never throws or rejects: what cannot be transformed passes unchanged, or ends the reply. */
  #transformed(unit: Unit): Awaitable<Made> {
    try {
      const { document } = unit;
      if (document === undefined) return unit.text();
      const text = this.#side.document(document, this.#exchange, this.#reply);
      if (!(text instanceof Promise)) return text === undefined ? undefined : unit.text(text);
      return text.then(
        (late) => (late === undefined ? undefined : unit.text(late)),
        (error: unknown) => this.#failed(unit, error),
      );
    } catch (error) {
      return this.#failed(unit, error);
    }
  }

  #failed(unit: Unit, error: unknown): Made {
    if (error instanceof BodyFault) {
      if (this.#side.passesInvalid) return unit.text();
      this.#refuse(error.message);
    } else if (!this.#over) {
      // Not the fault of the body.
      this.abort();
      this.#out.fail(messageOf(error));
    }
    return undefined;
  }

  #tooLong(): void {
    this.#refuse(`a line or event has more than ${this.#side.max} bytes`);
  }

  #refuse(cause: string): void {
    if (this.#over) return;
    this.abort();
    this.#out.refuse(cause);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
