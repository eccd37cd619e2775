/** Requests that a policy or an action sends itself. */
import type { BodySource } from './body.js';
import type { Exchange } from './exchange.js';
import type { HeaderFields } from './fields.js';

export interface CallRequest {
  readonly method: string;
  /** Path and query: `/introspect?x=1`. */
  readonly path: string;
  /** Without Host: that of the target. Framing and hop-by-hop fields, Via and x-request-id are those of gw. */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  readonly body?: Uint8Array | string;
  /**
   * Milliseconds for the whole call, including its reply's body. Default: the service's `response_timeout`, which for
   * callStream() ends when the body is started; then it is the longest wait between two parts of the body.
   */
  readonly timeout?: number;
  /** Largest reply body in bytes that is collected. Default: 1 MiB. */
  readonly maxReply?: number;
  /** The call is cancelled when this exchange ends, and has its id. Absent: detached. */
  readonly exchange?: Exchange;
  /** What it is for, in records of the exchange: `product`. Default: the name of the policy or action. */
  readonly label?: string;
  /** Id of its span in the trace of the exchange, for records: 16 hexadecimal digits. */
  readonly span?: string;
  /** Other requests use the reply too: policies of the service that sign the call do not see `exchange`. */
  readonly shared?: boolean;
}

export interface CallReply {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
}

export interface StreamedReply {
  readonly status: number;
  readonly headers: HeaderFields;
  /** Must be started or discarded. */
  readonly body: BodySource;
}

/** A further request of an exchange to its own gateway, for host.subrequest(). */
export interface SubRequest {
  readonly method: string;
  /** Path and query, as a client sends them. */
  readonly path: string;
  /** Host is that of the exchange. Framing, hop-by-hop and forwarding fields are those of gw. */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  readonly body?: Uint8Array | string;
}

/** Why a call has no reply. `error` is a slug as in docs/errors.md (`upstream/timeout`); `cause` is for the log. */
export interface CallFailure extends Error {
  readonly error: string;
  readonly cause: string;
}
