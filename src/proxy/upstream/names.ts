/**
 * Addresses of targets' names, from the system's resolver. It runs on few threads that all names share, so a name is
 * asked for once at a time, however many connections wait for it; and one that was found is used on while it is asked
 * for anew: a resolver that hangs or fails stops no connection to a name that it once knew.
 */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Milliseconds after which a name is asked for anew, by the next connection that needs it. */
const FRESH_FOR = 5000;
/** Names that are remembered: more than a spec has targets, fewer than many reloads can bring. */
const MOST_KNOWN = 4096;

type Failure = NodeJS.ErrnoException | null;
type Waiting = (error: Failure, addresses: readonly LookupAddress[]) => void;
/** As node:dns has it: all addresses of a name, in the order in which they are to be tried. */
export type Resolver = (name: string, done: (error: Failure, addresses: LookupAddress[]) => void) => void;

interface Known {
  addresses: readonly LookupAddress[];
  /** Monotonic time of the last answer, right or wrong. */
  askedAt: number;
  /** Callers of the question that is under way. */
  waiting: Waiting[] | undefined;
}

const system: Resolver = (name, done) =>
  lookup(name, { all: true }, (error, addresses) => done(error, error === null ? addresses : []));

export class Names {
  readonly #known = new Map<string, Known>();
  readonly #resolve: Resolver;
  readonly #now: () => number;

  constructor(now: () => number, resolve: Resolver = system) {
    this.#now = now;
    this.#resolve = resolve;
  }

  /** For net.connect(). */
  readonly lookup: LookupFunction = (name, { all }, done) => {
    this.#ask(name, (error, addresses) => {
      const first = addresses[0];
      if (error !== null || first === undefined) done(error ?? new Error(`No address: ${name}`), []);
      else if (all === true) done(null, [...addresses]);
      else done(null, first.address, first.family);
    });
  };

  /** Whether the address of `name` is not known yet, and is being asked for. */
  resolving(name: string): boolean {
    const known = this.#known.get(name);
    return known !== undefined && known.addresses.length === 0 && known.waiting !== undefined;
  }

  #ask(name: string, done: Waiting): void {
    let known = this.#known.get(name);
    if (known === undefined) {
      this.#makeRoom();
      known = { addresses: [], askedAt: Number.NEGATIVE_INFINITY, waiting: undefined };
      this.#known.set(name, known);
    }
    const { addresses } = known;
    if (addresses.length > 0) {
      process.nextTick(done, null, addresses);
      if (known.waiting === undefined && this.#now() - known.askedAt >= FRESH_FOR) this.#resolveNow(name, known, []);
    } else if (known.waiting !== undefined) known.waiting.push(done);
    else this.#resolveNow(name, known, [done]);
  }

  /** Of as many as there may be, the one that was found first is forgotten; nobody who waits is. */
  #makeRoom(): void {
    if (this.#known.size < MOST_KNOWN) return;
    for (const [name, { waiting }] of this.#known) {
      if (waiting !== undefined) continue;
      this.#known.delete(name);
      return;
    }
  }

  #resolveNow(name: string, known: Known, waiting: Waiting[]): void {
    known.waiting = waiting;
    this.#resolve(name, (error, addresses) => {
      known.waiting = undefined;
      known.askedAt = this.#now();
      if (error === null && addresses.length > 0) known.addresses = addresses;
      // A name that nobody knows, or knew, is nothing to keep.
      else if (known.addresses.length === 0) this.#known.delete(name);
      for (const done of waiting) done(error, addresses);
    });
  }
}
