/** gRPC calls: their deadline, and errors of gw as their clients read them. An exchange of another kind has none of this. */

import { grpcStatusName } from '../../../grpc-statuses.js';
import type { Reply } from '../../../policies/contract.js';
import {
  GrpcCode,
  grpcCodeIn,
  grpcCodeOf,
  grpcErrorReply,
  grpcStatusFields,
  HeaderMap,
} from '../../../policies/run-kit.js';
import { ERRORS, type ErrorSlug } from '../../errors/errors.js';
import { isGrpcType } from '../../http/stream-types.js';
import { readTimeout, writeTimeout } from './timeout.js';

/** What a call uses of its exchange. */
interface Timed {
  readonly startMs: number;
  readonly route: { readonly timeout: number; readonly stream?: boolean };
  deadline: number;
  readonly headers: { received(name: string): string | undefined; set(name: string, value: string): void };
}

/**
 * The codes for a stream that the target has reset, by the error codes of HTTP/2: gRPC over HTTP/2, "Errors". Others are INTERNAL.
 */
const OF_RESETS = new Map<number, number>([
  [7, GrpcCode.Unavailable],
  [8, GrpcCode.Cancelled],
  [11, GrpcCode.ResourceExhausted],
  [12, GrpcCode.PermissionDenied],
]);

/** What clients take a reply with this HTTP status and without `grpc-status` for; 200 and others: UNKNOWN. */
const OF_HTTP = new Map<number, number>([
  [429, GrpcCode.Unavailable],
  [504, GrpcCode.Unavailable],
  [413, GrpcCode.Unknown],
]);

/** Statuses that say that the target is not well: UNKNOWN, which many servers answer for an exception, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const FAILURES = new Set<number>([GrpcCode.Unknown, GrpcCode.Internal, GrpcCode.Unavailable, 15]);

/** Errors after which the code of a reset says more. */
const BY_THE_TARGET = new Set<string | undefined>(['upstream/reset', 'upstream/aborted', 'upstream/invalid']);

export class GrpcCall {
  /** The status that the call has ended with; -1 before that. */
  status = -1;
  /** The client's `grpc-timeout` in milliseconds, if that is what limits the exchange; 0: it has none, or the route's is shorter. */
  timeout = 0;
  /** The error code with which the target has reset the stream of the present attempt. */
  resetCode: number | undefined = undefined;
  /** A policy translates: the client speaks another protocol, and errors are the affair of that policy. */
  readonly #translated: boolean;
  /** Its time is for its two ends to bound: both speak HTTP/2, or a policy translates for a target that does. */
  readonly lasts: boolean;
  /** The head of a target's reply of gRPC has left the chain: a status may follow in trailer fields. */
  #replying = false;

  constructor(lasts: boolean, translated = false) {
    this.lasts = lasts;
    this.#translated = translated;
  }

  /**
   * Sets the deadline of an exchange: its `grpc-timeout`, or the timeout of its route if that applies and is shorter. Returns false if the
   * client's is malformed.
   */
  begin(exchange: Timed): boolean {
    const value = exchange.headers.received('grpc-timeout');
    const timeout = value === undefined ? Number.POSITIVE_INFINITY : readTimeout(value);
    if (timeout === undefined) return false;
    const { stream, timeout: ofRoute } = exchange.route;
    exchange.deadline = 0;
    if (!(stream ?? this.lasts) && ofRoute > 0 && ofRoute < timeout) exchange.deadline = exchange.startMs + ofRoute;
    else if (timeout !== Number.POSITIVE_INFINITY) {
      exchange.deadline = exchange.startMs + timeout;
      this.timeout = timeout;
    }
    return true;
  }

  /** An attempt begins: tells the target how much time is left. `now`: monotonic milliseconds. */
  forward({ deadline, headers }: Timed, now: number): void {
    this.resetCode = undefined;
    this.status = -1;
    if (deadline !== 0) headers.set('grpc-timeout', writeTimeout(deadline - now));
  }

  /** The reply as it is sent: an error of gw in the form of gRPC; those of targets (`ofTarget`) are for the client to read. */
  outgoing(reply: Reply, ofTarget: boolean): Reply {
    if (ofTarget) {
      this.#replying = !this.#translated && reply.status === 200 && isGrpcType(reply.headers.get('content-type'));
      return reply;
    }
    if (this.#translated) this.status = grpcCodeIn(reply.headers.get('grpc-status'));
    if (reply.status < 300 || this.#translated) return reply;
    this.status = this.#codeOf(reply.code, reply.status);
    return grpcErrorReply(reply, this.status);
  }

  /** The exchange has ended, with this error of gw and this HTTP status: a call that has got no status has one for the log. */
  close(error: string | null, http: number): void {
    if (this.status >= 0) return;
    if (error?.startsWith('downstream/') === true) this.status = GrpcCode.Cancelled;
    else if (isSlug(error)) this.status = this.#codeOf(error, ERRORS[error].status || 503);
    else if (http === 0) this.status = GrpcCode.Unavailable;
    else this.status = OF_HTTP.get(http) ?? grpcCodeOf(http);
  }

  /** Its status, for people. */
  get name(): string {
    return grpcStatusName(this.status);
  }

  /**
   * The HTTP status that a reply counts as for the health of its target and for the breaker: 500 for statuses of a failure. 0: only the
   * trailers will say.
   */
  counts(http: number): number {
    if (http !== 200) return http;
    if (this.status < 0) return 0;
    return FAILURES.has(this.status) ? 500 : 200;
  }

  /** `grpc-status` in the head or the trailer fields of the target's reply. */
  ended(value: string | undefined): void {
    this.status = grpcCodeIn(value);
  }

  /** The trailer fields that tell the client that its reply ends early; undefined if the reply has no place for them. */
  cutBy(error: ErrorSlug): HeaderMap | undefined {
    if (!this.#replying || error.startsWith('downstream/')) return undefined;
    const { status, title } = ERRORS[error];
    this.status = this.#codeOf(error, status === 0 ? 503 : status);
    return new HeaderMap(grpcStatusFields(this.status, title));
  }

  #codeOf(error: string | undefined, status: number): number {
    const { resetCode } = this;
    if (resetCode === undefined || !BY_THE_TARGET.has(error)) return grpcCodeOf(status);
    return OF_RESETS.get(resetCode) ?? GrpcCode.Internal;
  }
}

const isSlug = (error: string | null): error is ErrorSlug => error !== null && Object.hasOwn(ERRORS, error);

/** Where a call comes from and goes to. */
interface Ends {
  readonly peer: { readonly http2: boolean };
  readonly compiled: { readonly service: { readonly entry: { readonly http2?: object } } | undefined } | undefined;
}

const toHttp2 = ({ compiled }: Pick<Ends, 'compiled'>): boolean => compiled?.service?.entry.http2 !== undefined;

/**
 * The call of a request whose client says that it is one of gRPC. Undefined if neither side speaks HTTP/2, which gRPC needs: then anybody may
 * have said so, and it is a request like any other.
 */
export function receivedCall(ends: Ends): GrpcCall | undefined {
  const { http2 } = ends.peer;
  const target = toHttp2(ends);
  return http2 || target ? new GrpcCall(http2 && target) : undefined;
}

/** The call of a request that a policy has made one of gRPC; undefined if it is none. */
export function translatedCall(
  exchange: Pick<Ends, 'compiled'> & { readonly headers: { get(name: string): string | undefined } },
): GrpcCall | undefined {
  const type = exchange.headers.get('content-type');
  if (!isGrpcType(type) || /^application\/grpc-web/i.test(type ?? '')) return undefined;
  return new GrpcCall(toHttp2(exchange), true);
}
