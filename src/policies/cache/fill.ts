/** Puts the body of a reply into the store while it passes, and gives it to the waiters of its flight. */
import type { BodyStage, ContentWriter, HeaderFields, StageOut } from '../contract.js';
import type { Flight } from './flight.js';

/** What is done with the body of one reply. */
export interface FillParts {
  /** Absent: it is only shared. */
  readonly writer: ContentWriter | undefined;
  readonly flight: Flight | undefined;
  /** The body has ended. `stored`: the reply is in the store now. Called once. */
  ended(stored: boolean): void;
}

export class Fill {
  #writer: ContentWriter | undefined;
  readonly #flight: Flight | undefined;
  readonly #ended: (stored: boolean) => void;
  #over = false;

  constructor({ writer, flight, ended }: FillParts) {
    this.#writer = writer;
    this.#flight = flight;
    this.#ended = ended;
  }

  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** Whether something besides the client needs the body. */
  get needed(): boolean {
    return this.#writer !== undefined || this.#flight?.read === true;
  }

  /** Returns false if the source must pause: readers of the flight are behind. */
  write(bytes: Uint8Array): boolean {
    if (this.#writer?.write(bytes) === false) this.#writer = undefined;
    return this.#flight?.write(bytes) ?? true;
  }

  end(trailers?: HeaderFields): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer?.commit();
    this.#flight?.end(trailers);
    this.#ended(this.#writer !== undefined);
    this.#flight?.land('again');
  }

  fail(cause: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer?.abort();
    this.#flight?.fail(cause);
    this.#ended(false);
  }
}

/** The stage in the leader's reply. */
export class FillStage implements BodyStage {
  readonly observes = true;
  readonly #fill: Fill;
  readonly #out: StageOut;
  /** The client of this exchange takes the body more slowly than other readers: it is one of them now. */
  #follows = false;
  /** The client is full, and the source waits for it. */
  #paused = false;
  readonly #prolong: (needed: boolean) => void;
  #needed = true;

  /** `prolong`: whether the body is needed without the client has changed. It is at first. */
  constructor(fill: Fill, out: StageOut, prolong: (needed: boolean) => void) {
    this.#fill = fill;
    this.#out = out;
    this.#prolong = prolong;
    fill.flight?.lead(
      () => {
        this.#noteNeed();
        if (this.#paused) this.#follow();
      },
      () => this.#out.resume(),
    );
  }

  write(bytes: Uint8Array): boolean {
    const room = this.#fill.write(bytes);
    this.#noteNeed();
    if (this.#follows) return room;
    this.#paused = !this.#out.write(bytes);
    if (!this.#paused) return room;
    if (this.#fill.flight?.read !== true) {
      this.#out.onWritable(() => {
        this.#paused = false;
        this.#out.resume();
      });
      return false;
    }
    this.#follow();
    return room;
  }

  #noteNeed(): void {
    const { needed } = this.#fill;
    if (needed === this.#needed) return;
    this.#needed = needed;
    this.#prolong(needed);
  }

  /** Others read too: the source goes at their pace. */
  #follow(): void {
    const reader = this.#fill.flight!.follow();
    this.#follows = true;
    this.#paused = false;
    this.#out.onWritable(() => reader.start(this.#out));
    this.#out.resume();
  }

  end(trailers: HeaderFields | undefined): void {
    this.#fill.end(trailers);
    // A reader ends the output itself.
    if (!this.#follows) this.#out.end(trailers);
  }

  abort(cause: string): void {
    this.#fill.fail(cause);
  }
}
