/** When and how failed attempts are repeated, beyond their number. */
export interface RetryEntry {
  /** Kinds of failures: no connection, one that ended before the reply, no reply in time. */
  readonly on: readonly ('connect' | 'reset' | 'timeout')[];
  /** Statuses of replies that are not passed on while another attempt is allowed; absent: none. */
  readonly statuses?: readonly number[];
  /** Values of grpc-status in a reply without messages, likewise. */
  readonly grpc?: readonly number[];
  /** Methods of requests that may be sent again; absent: the idempotent ones. */
  readonly methods?: readonly string[];
  /** Milliseconds from the begin of an attempt until the head of its reply; absent: only the timeouts of the service. */
  readonly attemptTimeout?: number;
  /** Bytes of a body that are kept for another attempt; absent: none. */
  readonly maxBody?: number;
  /** Milliseconds before the first repeat at most; doubled for each further one, up to `backoffMax`. */
  readonly backoff: number;
  readonly backoffMax: number;
  /** Repeats as a percentage of requests, and each second in any case. */
  readonly budget: number;
  readonly budgetMin: number;
  /** Longest Retry-After in milliseconds that is waited for; 0: none is. */
  readonly retryAfterMax: number;
  readonly hedge?: HedgeEntry;
}

/** Another attempt beside one that has no reply after a time: the first reply is used. */
export interface HedgeEntry {
  /** After this percentile of the latencies of the service, but at least `after`; absent: after `after`. */
  readonly percentile?: number;
  /** Milliseconds. */
  readonly after: number;
  /** Most attempts of a request that begin beside others. */
  readonly attempts: number;
}
