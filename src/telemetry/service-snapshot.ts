/** A service in the snapshot of the admin API and in the metrics. */
export interface ServiceSnapshot {
  readonly name: string;
  /** Workers that use all targets, because too few are available. */
  readonly panic: number;
  /** Null: the service has neither a circuit breaker nor `max_requests`. */
  readonly guard: GuardSnapshot | null;
}

export interface GuardSnapshot {
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Requests in flight; counted with `max_requests` only. */
  readonly inFlight: number;
  /** How often the breaker has opened, and what it and `max_requests` have refused. */
  readonly openings: number;
  readonly refusedOpen: number;
  readonly refusedFull: number;
}
