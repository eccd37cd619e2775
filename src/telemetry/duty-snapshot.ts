/** What the admin API says of the work of the control thread. Times in milliseconds since 1970. */

/** The duty of a policy. */
export interface DutySnapshot {
  readonly policy: string;
  /** The kind of policy. */
  readonly use: string;
  /** It runs now. */
  readonly active: boolean;
  readonly runs: number;
  readonly failures: number;
  /** Null: none yet. */
  readonly lastSuccess: number | null;
  /** Null while it runs, or if only a question causes the next run. */
  readonly nextRun: number | null;
  readonly lastError: { readonly at: number; readonly cause: string } | null;
  /** The last run failed. */
  readonly failing: boolean;
  /** Of a certificate: when it ends; null: there is none yet. Absent: the duty keeps nothing that ends. */
  readonly expires?: number | null;
}
