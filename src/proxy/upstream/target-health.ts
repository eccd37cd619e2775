/** Passive health of a target: repeated failures eject it for a while. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { TargetFailure } from '../../telemetry/snapshot.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { TargetHost } from './target-host.js';

/** The target whose health it is. */
export interface HealthTarget {
  readonly service: string;
  readonly url: string;
  readonly slot: number;
  readonly settings: Pick<ServiceEntry, 'ejectAfter' | 'ejectFor'>;
}

export class Health {
  readonly #target: HealthTarget;
  readonly #host: Pick<TargetHost, 'stats' | 'now' | 'monotonic' | 'log' | 'failures'>;
  /** In a row, caused by the target. */
  #failures = 0;
  /** The last failure, of any cause. */
  #last: TargetFailure | undefined;
  /** It gets no requests before this time; monotonic milliseconds. */
  #ejectedUntil = 0;

  constructor(target: HealthTarget, host: Pick<TargetHost, 'stats' | 'now' | 'monotonic' | 'log' | 'failures'>) {
    this.#target = target;
    this.#host = host;
  }

  get ejected(): boolean {
    return this.#ejectedUntil !== 0 && this.#ejectedUntil > this.#host.monotonic();
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (this.#last !== undefined) this.#note({ ...this.#last, since: null });
    if (this.#ejectedUntil === 0) return;
    this.#ejectedUntil = 0;
    const { service, url, slot } = this.#target;
    this.#host.stats.set(slot, Counter.EjectedUntil, 0);
    this.#host.log('info', 'target back after its ejection', { service, target: url });
  }

  /**
   * An attempt failed; `cause` is for the log and the dashboard. The failure counts towards an ejection if the target is to
   * `blame`: it was unreachable, too late, or its reply was invalid.
   */
  failed(error: string, cause: string, blame: boolean): void {
    const { service, url, slot, settings } = this.#target;
    const at = this.#host.now();
    if (blame) this.#failures++;
    const since = this.#failures === 0 ? null : (this.#last?.since ?? at);
    this.#note({ service, url, at, error, cause, since });
    if (!blame) return;
    const { ejectAfter, ejectFor } = settings;
    if (ejectAfter === 0 || this.#failures < ejectAfter || this.ejected) return;
    this.#ejectedUntil = this.#host.monotonic() + ejectFor;
    this.#host.stats.set(slot, Counter.EjectedUntil, this.#ejectedUntil);
    this.#host.log('warn', `target ejected after ${this.#failures} consecutive failures`, {
      service,
      target: url,
      failures: this.#failures,
      ejectedForMs: ejectFor,
      error,
      cause,
    });
  }

  #note(failure: TargetFailure): void {
    this.#last = failure;
    this.#host.failures.note(failure);
  }
}
