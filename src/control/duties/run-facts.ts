/** What is known of the runs of a duty, for its snapshot. */
export class RunFacts {
  active = false;
  runs = 0;
  failures = 0;
  lastSuccess: number | null = null;
  nextRun: number | null = null;
  lastError: { at: number; cause: string } | null = null;
  failing = false;

  /** A run at `now` (milliseconds since 1970) succeeded. Returns whether the one before failed. */
  succeeded(now: number): boolean {
    const before = this.failing;
    this.failing = false;
    this.lastSuccess = now;
    return before;
  }

  /** A run at `now` failed. Returns whether the one before failed too. */
  failed(now: number, cause: string): boolean {
    const before = this.failing;
    this.failures++;
    this.failing = true;
    this.lastError = { at: now, cause };
    return before;
  }
}
