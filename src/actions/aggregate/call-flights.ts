/** Equal calls of a worker at the same time: one asks the service, the others wait until its reply is stored. */
import type { ActionHost } from '../../policies/contract.js';

/** What a call does that has waited. */
export type Landing =
  /** Look into the store again. */
  | 'again'
  /** Ask the service itself. */
  | 'alone';

/** Keys whose replies are known not to be of use for others. */
const MOST_APART = 1000;
/** URLs that are known to have changed of late. */
const MOST_CHANGED = 1000;
/** Milliseconds for which calls with such a key do not wait for each other. */
const APART_MS = 30_000;

export class CallFlights {
  readonly #host: ActionHost;
  /** By key: what waits. As many as calls are in progress. */
  readonly #waiting = new Map<string, Set<(landing: Landing) => void>>();
  /** Until when, by key, in monotonic milliseconds; the oldest first. */
  readonly #apart = new Map<string, number>();

  /** The number of the last change of a URL by a call with effects; the oldest first. */
  readonly #changed = new Map<string, number>();
  #changes = 0;
  /** The number of the last change that was forgotten. */
  #forgotten = 0;

  constructor(host: ActionHost) {
    this.#host = host;
  }

  /**
   * True: the caller asks the service, and must land(). False: another call does, wait for it. Undefined: replies for the key were
   * not of use for others of late, the caller asks without land().
   */
  lead(key: string): boolean | undefined {
    const until = this.#apart.get(key);
    if (until !== undefined && until > this.#host.clock.monotonic()) return undefined;
    if (this.#waiting.has(key)) return false;
    this.#waiting.set(key, new Set());
    return true;
  }

  /** Resolves when the call that leads has landed; with `alone` after `ms` milliseconds. */
  wait(key: string, ms: number): Promise<Landing> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return Promise.resolve('again');
    return new Promise((resolve) => {
      const landed = (landing: Landing): void => {
        cancel();
        waiting.delete(landed);
        resolve(landing);
      };
      const cancel = this.#host.after(Math.max(0, ms), () => landed('alone'));
      waiting.add(landed);
    });
  }

  /** `apart`: the reply is of no use for others. */
  land(key: string, landing: Landing, apart: boolean): void {
    if (apart) this.#keepApart(key);
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const landed of [...waiting]) landed(landing);
  }

  /** A call with effects has changed what `url` is, as far as this worker knows. */
  change(url: string): void {
    this.#changed.delete(url);
    const [oldest] = this.#changed;
    if (oldest !== undefined && this.#changed.size >= MOST_CHANGED) {
      this.#changed.delete(oldest[0]);
      this.#forgotten = oldest[1];
    }
    this.#changed.set(url, ++this.#changes);
  }

  /** For hasChanged(): how many changes there were. */
  get moment(): number {
    return this.#changes;
  }

  /** Whether the reply to a request of that moment may be an old one: `url` has changed since. */
  hasChanged(url: string, moment: number): boolean {
    return moment < this.#forgotten || moment < (this.#changed.get(url) ?? 0);
  }

  #keepApart(key: string): void {
    this.#apart.delete(key);
    if (this.#apart.size >= MOST_APART) {
      const { value } = this.#apart.keys().next();
      if (value !== undefined) this.#apart.delete(value);
    }
    this.#apart.set(key, this.#host.clock.monotonic() + APART_MS);
  }
}
