/** The calls of an exchange, for its record. */
import type { BodySource, CallRequest, StoredCallFacts } from '../../../contract/index.js';
import type { CallRecord } from '../../../telemetry/snapshot.js';
import type { Call } from './call.js';

/** Records of an exchange; further calls are not in its record. */
const MOST_RECORDS = 100;
const MAX_PATH = 512;

/** The exchange of the calls. */
export interface RecordedParent {
  /** Monotonic milliseconds. */
  readonly startMs: number;
  /** Its calls that have ended; undefined: none has. */
  calls: CallRecord[] | undefined;
}

/** Who calls what. */
export interface RecordedCall {
  readonly caller: string;
  readonly service: string;
  readonly request: CallRequest;
}

/** The record of one call, which is made when it ends. */
export class PendingRecord {
  /** Present once it is open. */
  call: Call | undefined = undefined;
  readonly #parent: RecordedParent;
  readonly #of: RecordedCall;
  readonly #started: number;
  #over = false;

  /** `started`: monotonic milliseconds. */
  constructor(parent: RecordedParent, of: RecordedCall, started: number) {
    this.#parent = parent;
    this.#of = of;
    this.#started = started;
  }

  /** It has ended at `now`, with a reply or an error. Only the first end counts. */
  end(
    now: number,
    { bytes = 0, error = null, status = 0 }: Partial<Pick<CallRecord, 'status' | 'bytes' | 'error'>>,
  ): void {
    if (this.#over) return;
    this.#over = true;
    this.#parent.calls ??= [];
    const { calls, startMs } = this.#parent;
    if (calls.length >= MOST_RECORDS) return;
    const { caller, request, service } = this.#of;
    calls.push({
      name: request.label ?? caller,
      service,
      target: this.call?.targetUrl ?? null,
      method: request.method,
      path: shownPath(request.path),
      status,
      error,
      startMs: this.#started - startMs,
      durationMs: now - this.#started,
      bytes,
      ...(request.span === undefined ? {} : { span: request.span }),
    });
  }
}

/** A path without its query, which may hold credentials. */
function shownPath(target: string): string {
  const path = target.split('?', 1)[0]!;
  return path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}...` : path;
}

/** A call that was answered without a request, at `now` in monotonic milliseconds. */
export function recordStored(
  parent: RecordedParent,
  { bytes, label, method, path, service, startedAt, status }: StoredCallFacts,
  now: number,
): void {
  parent.calls ??= [];
  if (parent.calls.length >= MOST_RECORDS) return;
  parent.calls.push({
    name: label,
    service,
    target: null,
    method,
    path: shownPath(path),
    status,
    error: null,
    startMs: startedAt - parent.startMs,
    durationMs: now - startedAt,
    bytes,
    stored: true,
  });
}

/** Bytes of a body; 0 for a stream of unknown length. */
export const lengthOf = ({ body }: { readonly body: Uint8Array | BodySource }): number => Math.max(0, body.length);
