/** The active checks of one endpoint: when they run, and what follows from their results. */
import type { HealthEntry } from '../../bundle/types.js';
import type { After } from '../../state/timers.js';
import type { CheckSnapshot } from '../../telemetry/check-snapshot.js';

/** The first check comes within this time, in milliseconds. */
const FIRST_WITHIN = 1000;

/** What the checks of an endpoint use. */
export interface CheckWorld {
  readonly after: After;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface CheckEvents {
  /** Runs one check, now or when fewer run. Resolves with undefined, or with why the endpoint is not healthy. Never rejects. */
  run(signal: AbortSignal): Promise<string | undefined>;
  /** It gets requests, or none any more; `cause`: of the failed check, null if no check has failed. */
  turned(down: boolean, cause: string | null): void;
}

export class EndpointCheck {
  /** It gets no requests. */
  down: boolean;
  readonly #world: CheckWorld;
  readonly #events: CheckEvents;
  #settings: HealthEntry;
  /** Results in a row, the last one included. */
  #successes = 0;
  #failures = 0;
  /** It had a result that decided. */
  #known = false;
  /** Successful checks that make it healthy: one, after an ejection by the workers. */
  #wanted: number;
  #counts = { succeeded: 0, failed: 0 };
  #lastAt: number | null = null;
  #cause: string | null = null;
  #cancel: () => void = () => {};
  #ending: AbortController | undefined = undefined;
  /** A check must run again at once, because something happened while one ran. */
  #again = false;
  #closed = false;

  constructor(settings: HealthEntry, world: CheckWorld, events: CheckEvents) {
    this.#settings = settings;
    this.#world = world;
    this.#events = events;
    this.down = settings.waits === true;
    this.#wanted = 1;
    this.#wait(this.down ? 0 : world.random() * Math.min(settings.interval, FIRST_WITHIN));
  }

  /** Takes over other settings; what is known of the endpoint stays. */
  use(settings: HealthEntry): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.checkSoon();
  }

  /** Workers have ejected the endpoint: it returns after a successful check only. */
  suspect(): void {
    if (!this.down) {
      this.#wanted = 1;
      this.#turn(true, null);
    }
    this.#successes = 0;
    this.checkSoon();
  }

  /** Checks it now. */
  checkSoon(): void {
    if (this.#ending === undefined) this.#wait(0);
    else this.#again = true;
  }

  get snapshot(): CheckSnapshot {
    const state = this.down ? 'unhealthy' : this.#known ? 'healthy' : 'unknown';
    return { state, ...this.#counts, lastAt: this.#lastAt, cause: this.#cause };
  }

  #wait(ms: number): void {
    this.#cancel();
    this.#cancel = this.#world.after(ms, () => void this.#run());
  }

  async #run(): Promise<void> {
    if (this.#closed) return;
    const ending = new AbortController();
    this.#ending = ending;
    const cause = await this.#events.run(ending.signal);
    this.#ending = undefined;
    if (this.#closed) return;
    this.#lastAt = this.#world.now();
    // The result of a check that began before an ejection says nothing.
    if (this.#again) {
      this.#again = false;
      this.#wait(0);
      return;
    }
    if (cause === undefined) this.#succeeded();
    else this.#failed(cause);
    const { interval, jitter } = this.#settings;
    this.#wait(interval * (1 + ((this.#world.random() * 2 - 1) * jitter) / 100));
  }

  #succeeded(): void {
    this.#counts.succeeded++;
    this.#successes++;
    this.#failures = 0;
    this.#known = true;
    if (this.down && this.#successes >= this.#wanted) this.#turn(false, null);
  }

  #failed(cause: string): void {
    this.#counts.failed++;
    this.#failures++;
    this.#successes = 0;
    this.#cause = cause;
    if (this.#failures < this.#settings.unhealthyAfter) return;
    this.#known = true;
    this.#wanted = this.#settings.healthyAfter;
    if (!this.down) this.#turn(true, cause);
  }

  #turn(down: boolean, cause: string | null): void {
    this.down = down;
    this.#events.turned(down, cause);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#ending?.abort();
  }
}
