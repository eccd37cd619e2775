/** Circuit breaker of a service: when it opens, for how long, and what closes it. */
export interface BreakerEntry {
  /** Percentage of failed requests from which it opens, if there were `requests` within the window; absent: never for this. */
  readonly errors?: number;
  readonly requests: number;
  /** Failed requests in a row from which it opens; absent: never for this. */
  readonly consecutive?: number;
  /** Milliseconds. */
  readonly window: number;
  readonly openFor: number;
  /** Requests that pass after this time; if all succeed, it closes. */
  readonly probes: number;
}
