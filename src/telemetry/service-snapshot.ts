/** A service in the snapshot of the admin API and in the metrics. */
export interface ServiceSnapshot {
  readonly name: string;
  /** Workers that use all targets, because too few are available. */
  readonly panic: number;
  /** Requests to its targets that are in flight, and those that wait because it has none. */
  readonly inFlight: number;
  readonly waiting: number;
  /** How many targets it has now. */
  readonly targets: number;
  /** How many the requests in flight ask for. Absent: it is not known what one is meant to have. */
  readonly desired?: number;
  /** Only if gw runs its targets. */
  readonly instances?: InstancesSnapshot;
  /** Null: the service has neither a circuit breaker nor `max_requests`. */
  readonly guard: GuardSnapshot | null;
}

export const INSTANCE_STATES = ['starting', 'ready', 'backoff', 'draining'] as const;

/** The processes of a service. */
export interface InstancesSnapshot {
  readonly min: number;
  readonly max: number;
  /** How many are in each state. */
  readonly states: { readonly [state in (typeof INSTANCE_STATES)[number]]: number };
  /** Restarts of those that run. */
  readonly restarts: number;
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
