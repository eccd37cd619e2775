/** What the active checks of a target have found. */
export interface CheckSnapshot {
  /** `unknown`: no check has decided yet. */
  readonly state: 'healthy' | 'unhealthy' | 'unknown';
  /** Checks since gw knows the target. */
  readonly succeeded: number;
  readonly failed: number;
  /** Milliseconds since 1970; null before the first check. */
  readonly lastAt: number | null;
  /** Why the last failed check failed; null for none. */
  readonly cause: string | null;
}
