/**
 * Transforms a reply line by line, or event by event, while it streams. It holds the unit that is not complete, and what has come with
 * the one that is being transformed: then the source waits.
 */
import type { Awaitable, BodyStage, Exchange, HeaderFields, Reply, StageOut } from '../../contract.js';
import { BodyFault } from './edits.js';
import type { BodySide } from './side.js';
import { EventUnits, LineUnits, type Units } from './units.js';

/** Undefined: the unit is left out. */
type Made = Uint8Array | undefined;

export class EventStage implements BodyStage {
  readonly #side: BodySide;
  readonly #exchange: Exchange;
  readonly #reply: Reply;
  readonly #out: StageOut;
  readonly #units: Units;
  /** Units that wait for the one that is being transformed. */
  #waiting: Uint8Array[] = [];
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
    this.#units = kind === 'lines' ? new LineUnits(side.max) : new EventUnits(side.max);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    const units = this.#units.add(bytes);
    if (units === undefined) {
      this.#refuse(`a line or event has more than ${this.#side.max} bytes`);
      return false;
    }
    this.#waiting.push(...units);
    const more = this.#run();
    this.#paused = this.#busy;
    return more && !this.#busy && !this.#over;
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    const rest = this.#units.rest();
    if (rest !== undefined) this.#waiting.push(rest);
    this.#end = { trailers };
    this.#run();
  }

  abort(): void {
    this.#over = true;
    this.#waiting = [];
    this.#units.clear();
  }

  /** Transforms what waits, until a unit needs a promise. Returns whether the output has room. */
  #run(): boolean {
    const made: Uint8Array[] = [];
    let at = 0;
    while (!this.#over && !this.#busy && at < this.#waiting.length) {
      const one = this.#transformed(this.#waiting[at++]!);
      if (one instanceof Promise) {
        this.#busy = true;
        void this.#later(one);
      } else if (one !== undefined) made.push(one);
    }
    if (this.#over) return false;
    this.#waiting = this.#waiting.slice(at);
    const more = made.length === 0 || this.#out.write(made.length === 1 ? made[0]! : Buffer.concat(made));
    if (!this.#over && !this.#busy && this.#end !== undefined) {
      this.#over = true;
      this.#out.end(this.#end.trailers);
    }
    return more;
  }

  async #later(pending: Promise<Made>): Promise<void> {
    const made = await pending;
    if (this.#over) return;
    this.#busy = false;
    let more = made === undefined || this.#out.write(made);
    more = this.#run() && more;
    if (this.#over || this.#busy || !this.#paused) return;
    this.#paused = false;
    if (more) this.#out.resume();
    else this.#out.onWritable(() => this.#out.resume());
  }

  /** The bytes for the client. Never throws or rejects: what cannot be transformed passes unchanged, or ends the reply. */
  #transformed(unit: Uint8Array): Awaitable<Made> {
    try {
      const document = this.#units.document(unit);
      if (document === undefined) return unit;
      const text = this.#side.document(document, this.#exchange, this.#reply);
      if (!(text instanceof Promise)) return this.#written(unit, text);
      return text.then(
        (late) => this.#written(unit, late),
        (error: unknown) => this.#failed(unit, error),
      );
    } catch (error) {
      return this.#failed(unit, error);
    }
  }

  #written(unit: Uint8Array, text: string | undefined): Made {
    return text === undefined ? undefined : this.#units.written(unit, text);
  }

  #failed(unit: Uint8Array, error: unknown): Made {
    if (error instanceof BodyFault && this.#side.passesInvalid) return unit;
    this.#refuse(error instanceof Error ? error.message : String(error));
    return undefined;
  }

  #refuse(cause: string): void {
    if (this.#over) return;
    this.abort();
    this.#out.refuse(cause);
  }
}
