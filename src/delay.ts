/** Waiting: a delay that can be interrupted, and how long to wait between attempts that fail. */

/** A delay that can be ended early. The waiting code checks afterwards why it ended. */
export class Delay {
  #end: (() => void) | undefined;

  /** Resolves after `ms` milliseconds or on interrupt(). One wait at a time. `unref`: the timer does not keep the process. */
  wait(ms: number, { unref = false }: { readonly unref?: boolean } = {}): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      if (unref) timer.unref();
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the current wait, if there is one. */
  interrupt(): void {
    this.#end?.();
  }
}

export interface BackoffOptions {
  /** Milliseconds: the first wait, and the longest one. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** What ran for this long before it failed starts over with the first wait. */
  readonly stableMs?: number;
  /** The first attempt follows at once, the second after `firstMs`. Default false. */
  readonly immediate?: boolean;
}

/** For processes and threads that gw restarts. */
export const RESTART_BACKOFF = { firstMs: 100, maxMs: 10_000, stableMs: 10_000 } as const satisfies BackoffOptions;

/** Exponential backoff: each failure in a row doubles the wait. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait after a failure. `ranMs`: how long the failed attempt had worked before. */
  next(ranMs = 0): number {
    const { firstMs, maxMs, stableMs = Number.POSITIVE_INFINITY, immediate = false } = this.#options;
    if (ranMs >= stableMs) this.#failures = 0;
    const doublings = this.#failures++ - (immediate ? 1 : 0);
    return doublings < 0 ? 0 : Math.min(firstMs * 2 ** doublings, maxMs);
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** The answer, or undefined after `ms` milliseconds; a later answer is ignored. */
export async function within<T>(answer: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  answer.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
