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
/** Milliseconds for which calls with such a key do not wait for each other. */
const APART_MS = 30_000;

export class CallFlights {
  readonly #host: ActionHost;
  /** By key: what waits. As many as calls are in progress. */
  readonly #waiting = new Map<string, Set<(landing: Landing) => void>>();
  /** Until when, by key, in monotonic milliseconds; the oldest first. */
  readonly #apart = new Map<string, number>();

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

  #keepApart(key: string): void {
    this.#apart.delete(key);
    if (this.#apart.size >= MOST_APART) {
      const { value } = this.#apart.keys().next();
      if (value !== undefined) this.#apart.delete(value);
    }
    this.#apart.set(key, this.#host.clock.monotonic() + APART_MS);
  }
}
