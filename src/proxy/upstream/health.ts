/** Whether a target rests: it failed too often in a row, and is asked again after a while. */
import type { TargetFailure } from '../../telemetry/snapshot.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { Target } from './target.js';
import type { TargetHost } from './target-host.js';

export class Health {
  readonly #target: Pick<Target, 'service' | 'url' | 'settings' | 'slot'>;
  readonly #host: Pick<TargetHost, 'stats' | 'now' | 'monotonic' | 'log' | 'failures'>;
  /** In a row, caused by the target. */
  #failures = 0;
  /** The last failure, of whatever cause. */
  #last: TargetFailure | undefined;
  /** Until then it gets no requests; monotonic milliseconds. */
  #ejectedUntil = 0;

  constructor(target: Pick<Target, 'service' | 'url' | 'settings' | 'slot'>, host: TargetHost) {
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
   * An attempt failed: `cause` is what the log and the dashboard say of it. Where the target is to `blame`, it counts towards
   * its ejection: it could not be reached, did not answer in time, or its reply was not valid.
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
