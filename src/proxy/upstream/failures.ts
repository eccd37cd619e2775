/** The last failure of each target, until it is sent to control. */
import type { TargetFailure } from '../../telemetry/snapshot.js';

export class FailureNotes {
  /** By service and URL: as many as there are targets. */
  readonly #noted = new Map<string, TargetFailure>();

  note(failure: TargetFailure): void {
    this.#noted.set(`${failure.service}|${failure.url}`, failure);
  }

  /** What was noted since the last call; undefined for nothing. */
  take(): readonly TargetFailure[] | undefined {
    if (this.#noted.size === 0) return undefined;
    const noted = [...this.#noted.values()];
    this.#noted.clear();
    return noted;
  }
}
