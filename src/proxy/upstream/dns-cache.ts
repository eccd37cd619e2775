/**
 * A cache of DNS answers for the names of targets. The system's resolver runs on few threads that all names share. So there
 * is one query per name at a time, however many connections wait for it, and a known address stays in use while it is queried
 * again: a resolver that hangs or fails does not stop connections to known names.
 */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Age in milliseconds from which the next connection queries a name again. */
const FRESH_FOR = 5000;
/** Names in the cache: more than a spec has targets, fewer than many reloads can bring. */
const MOST_KNOWN = 4096;

type Failure = NodeJS.ErrnoException | null;
type Callback = (error: Failure, addresses: readonly LookupAddress[]) => void;
/** Like node:dns: all addresses of a name, in the order in which to try them. */
export type Resolver = (name: string, done: (error: Failure, addresses: LookupAddress[]) => void) => void;

interface Entry {
  addresses: readonly LookupAddress[];
  /** Monotonic time of the last answer or failure. */
  askedAt: number;
  /** Callers that wait for the query in progress. */
  waiting: Callback[] | undefined;
}

const system: Resolver = (name, done) =>
  lookup(name, { all: true }, (error, addresses) => done(error, error === null ? addresses : []));

export class DnsCache {
  readonly #known = new Map<string, Entry>();
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

  /** Whether `name` has no known address yet and its first query is in progress. */
  resolving(name: string): boolean {
    const known = this.#known.get(name);
    return known !== undefined && known.addresses.length === 0 && known.waiting !== undefined;
  }

  #ask(name: string, done: Callback): void {
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

  /** Evicts the oldest entry of a full cache, except entries with callers that wait. */
  #makeRoom(): void {
    if (this.#known.size < MOST_KNOWN) return;
    for (const [name, { waiting }] of this.#known) {
      if (waiting !== undefined) continue;
      this.#known.delete(name);
      return;
    }
  }

  #resolveNow(name: string, known: Entry, waiting: Callback[]): void {
    known.waiting = waiting;
    this.#resolve(name, (error, addresses) => {
      known.waiting = undefined;
      known.askedAt = this.#now();
      if (error === null && addresses.length > 0) known.addresses = addresses;
      // A name that never resolved is not worth an entry.
      else if (known.addresses.length === 0) this.#known.delete(name);
      for (const done of waiting) done(error, addresses);
    });
  }
}
