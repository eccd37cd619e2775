/** What a record says about the requests of an exchange to targets. */

/** An attempt at a target whose outcome was not that of the request. */
export interface AttemptRecord {
  readonly target: string;
  /** How it ended: the cause of its failure, or the status of its reply. */
  readonly why: string;
  readonly durationMs: number;
}

/** A call of an exchange. */
export interface CallRecord {
  /** What it is for: the name of the call of an aggregate, or of the policy. */
  readonly name: string;
  readonly service: string;
  readonly target: string | null;
  readonly method: string;
  /** Without the query, which may hold credentials. */
  readonly path: string;
  /** 0: no reply. */
  readonly status: number;
  /** As in a RequestRecord; `call/abandoned`: the exchange has ended without it. */
  readonly error: string | null;
  /** Milliseconds from the start of the exchange. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Of the reply's body. */
  readonly bytes: number;
  /** The reply is one that was stored: nothing was sent. Absent: it was sent. */
  readonly stored?: true;
  /** Its id in the trace of the request: the parent id that the service got. Absent: the request has no trace. */
  readonly span?: string;
}
