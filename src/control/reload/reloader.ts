/** Live reload as a state machine: idle -> building -> warming -> swapping -> draining, or rejected. */
import type { ReloadChange } from '../../telemetry/changes.js';
import type { ReloadSnapshot } from '../../telemetry/snapshot.js';

export type ReloadPhase = 'idle' | 'building' | 'warming' | 'swapping' | 'draining';

/** The trigger of a reload. Only `watch` may end without a reload. */
export type ReloadTrigger = 'start' | 'watch' | 'signal' | 'admin' | 'api' | 'secrets' | RefreshTrigger;
/** Only the files of consumers are read again; the generation stays. Undefined results as for `watch`. */
export type RefreshTrigger = 'consumers' | 'consumers-watch';

/** The result of a rejected attempt. */
export interface Rejection {
  readonly summary: string;
  /** Rendered, without colour. */
  readonly diagnostics: string;
  readonly errors: number;
  readonly warnings: number;
}

/** Thrown by a step to end the attempt; the old generation stays unchanged. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  constructor(readonly rejection: Rejection) {
    super(rejection.summary);
  }
}

/** What a swap returns: the generation that is live now. */
export interface SwapResult {
  readonly generation: number;
  readonly summary: string;
  readonly changes: readonly ReloadChange[];
  readonly diagnostics: string;
  readonly warnings: number;
  /** Stops what only the old generation used. Runs concurrently with later reloads. */
  drain(): Promise<void>;
}

/** The work of each state. Each may throw Rejected. */
export interface ReloadSteps<Built, Warm> {
  /** Undefined: nothing has changed, and the trigger is `watch`. */
  build(trigger: ReloadTrigger): Promise<Built | undefined>;
  warm(built: Built): Promise<Warm>;
  swap(warm: Warm): Promise<SwapResult>;
  /** Reads the files of consumers alone. Undefined: nothing has changed. */
  refresh(trigger: RefreshTrigger): Promise<Omit<SwapResult, 'drain'> | undefined>;
  /** Turns any error other than Rejected, a bug in gw, into a rejection. */
  unexpected(error: unknown): Rejection;
}

/** A finished reload. */
export type SettledReload = ReloadSnapshot & { readonly outcome: 'live' | 'rejected' };

interface Queued {
  trigger: ReloadTrigger;
  readonly since: number;
  readonly done: Promise<ReloadSnapshot | undefined>;
}

export const KEPT_RELOADS = 50;

const isRefresh = (trigger: ReloadTrigger): trigger is RefreshTrigger =>
  trigger === 'consumers' || trigger === 'consumers-watch';

/**
 * Requests of one kind are merged. `secrets`: only the value of a secret has changed. `consumers`: only files of consumers. None of
 * these reads the spec.
 */
const kindOf = (trigger: ReloadTrigger): 'secrets' | 'consumers' | 'spec' => {
  if (isRefresh(trigger)) return 'consumers';
  return trigger === 'secrets' ? trigger : 'spec';
};

export class Reloader<Built, Warm> {
  readonly #steps: ReloadSteps<Built, Warm>;
  readonly #now: () => number;
  readonly #settled: (reload: SettledReload) => void;
  readonly #history: ReloadSnapshot[] = [];
  #activity: 'building' | 'warming' | 'swapping' | undefined;
  #running: Promise<ReloadSnapshot | undefined> | undefined;
  /** At most one of each kind. */
  readonly #queue: Queued[] = [];
  #draining: Promise<void> = Promise.resolve();
  #drains = 0;

  constructor(steps: ReloadSteps<Built, Warm>, now: () => number, settled: (reload: SettledReload) => void) {
    this.#steps = steps;
    this.#now = now;
    this.#settled = settled;
  }

  get phase(): ReloadPhase {
    return this.#activity ?? (this.#drains > 0 ? 'draining' : 'idle');
  }

  /** Newest first. */
  get history(): readonly ReloadSnapshot[] {
    return this.#history;
  }

  /**
   * Requests a reload. One runs at a time; requests that arrive meanwhile are merged into one more, which reads the newest
   * spec. Resolves with its result, or undefined if there was nothing to do. Never rejects.
   */
  request(trigger: ReloadTrigger): Promise<ReloadSnapshot | undefined> {
    const since = this.#now();
    const same = this.#queue.find((queued) => kindOf(queued.trigger) === kindOf(trigger));
    if (same) {
      if (same.trigger === 'watch' || same.trigger === 'consumers-watch') same.trigger = trigger;
      return same.done;
    }
    const last = this.#queue.at(-1)?.done ?? this.#running;
    if (!last) return this.#begin(trigger, since);
    const queued: Queued = { trigger, since, done: last.then(() => this.#next(queued)) };
    this.#queue.push(queued);
    return queued.done;
  }

  /** Resolves when no attempt and no drain is running. */
  async settle(): Promise<void> {
    while (this.#running || this.#queue.length > 0 || this.#drains > 0) {
      await (this.#queue.at(-1)?.done ?? this.#running);
      await this.#draining;
    }
  }

  #next(queued: Queued): Promise<ReloadSnapshot | undefined> {
    this.#queue.splice(this.#queue.indexOf(queued), 1);
    return this.#begin(queued.trigger, queued.since);
  }

  #begin(trigger: ReloadTrigger, since: number): Promise<ReloadSnapshot | undefined> {
    const running = this.#attempt(trigger, since).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #attempt(trigger: ReloadTrigger, since: number): Promise<ReloadSnapshot | undefined> {
    try {
      if (isRefresh(trigger)) return await this.#refresh(trigger, since);
      this.#activity = 'building';
      const built = await this.#steps.build(trigger);
      if (built === undefined) {
        return undefined;
      }
      this.#activity = 'warming';
      const warm = await this.#steps.warm(built);
      this.#activity = 'swapping';
      const live = await this.#steps.swap(warm);
      this.#drain(live);
      const { generation, summary, changes, diagnostics, warnings } = live;
      return this.#record({ outcome: 'live', generation, summary, changes, diagnostics, errors: 0, warnings }, since);
    } catch (error) {
      const rejection = error instanceof Rejected ? error.rejection : this.#steps.unexpected(error);
      return this.#record({ outcome: 'rejected', generation: null, ...rejection }, since);
    } finally {
      this.#activity = undefined;
    }
  }

  async #refresh(trigger: RefreshTrigger, since: number): Promise<ReloadSnapshot | undefined> {
    const found = await this.#steps.refresh(trigger);
    return found && this.#record({ outcome: 'live', ...found, errors: 0, refreshed: true }, since);
  }

  #drain(live: SwapResult): void {
    this.#drains++;
    const done = live.drain().finally(() => {
      this.#drains--;
    });
    this.#draining = Promise.allSettled([this.#draining, done]).then(() => {});
  }

  #record(outcome: Omit<SettledReload, 'at' | 'tookMs'>, since: number): ReloadSnapshot {
    const at = this.#now();
    const reload: SettledReload = { at, tookMs: Math.max(0, at - since), ...outcome };
    this.#history.unshift(reload);
    if (this.#history.length > KEPT_RELOADS) this.#history.pop();
    this.#settled(reload);
    return reload;
  }
}
