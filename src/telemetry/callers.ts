/** Counts of what callers did in a worker since the last report. */

/** What one consumer did; plain data, so that it can be sent between threads. */
export interface CallerCount {
  /** Name of the consumer; null: requests whose caller no policy identified. */
  readonly consumer: string | null;
  requests: number;
  /** Milliseconds since 1970. */
  lastSeen: number;
  /** Refusals by the slug of the error: `limit/exceeded`. */
  readonly refused: { [code: string]: number };
}

/** Consumers of one report. Further ones are counted together with callers that are not identified. */
const MOST = 4096;
/** Kinds of refusals of one caller; further ones count as `other`. */
export const MOST_REASONS = 32;

export class CallerCounts {
  #counts = new Map<string | null, CallerCount>();

  /** `error`: the slug if gw or a policy refused the request; null if it did not. `at`: monotonic milliseconds. */
  note(consumer: string | null, error: string | null, at: number): void {
    let count = this.#counts.get(consumer);
    if (count === undefined) {
      const known = this.#counts.size < MOST ? consumer : null;
      count = this.#counts.get(known) ?? { consumer: known, requests: 0, lastSeen: at, refused: {} };
      this.#counts.set(known, count);
    }
    count.requests++;
    count.lastSeen = at;
    if (error !== null) addReason(count.refused, error, 1);
  }

  /**
   * The counts since the last call; undefined for none. `offset`: milliseconds from the monotonic clock to that of the host; a
   * request does not read the clock for this.
   */
  take(offset: number): readonly CallerCount[] | undefined {
    if (this.#counts.size === 0) return undefined;
    const counts = [...this.#counts.values()];
    for (const count of counts) count.lastSeen = Math.round(offset + count.lastSeen);
    this.#counts = new Map();
    return counts;
  }
}

/** Adds to the count of a reason. */
export function addReason(refused: { [code: string]: number }, code: string, times: number): void {
  const known = Object.hasOwn(refused, code);
  const name = known || Object.keys(refused).length < MOST_REASONS ? code : 'other';
  refused[name] = (refused[name] ?? 0) + times;
}
