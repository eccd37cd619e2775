/** The calls of an exchange, for its record. */
import type { BodySource, CallRequest } from '../../../contract/index.js';
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
    const path = request.path.split('?', 1)[0]!;
    calls.push({
      name: request.label ?? caller,
      service,
      target: this.call?.targetUrl ?? null,
      method: request.method,
      path: path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}...` : path,
      status,
      error,
      startMs: this.#started - startMs,
      durationMs: now - this.#started,
      bytes,
      ...(request.span === undefined ? {} : { span: request.span }),
    });
  }
}

/** Bytes of a body; 0 for a stream of unknown length. */
export const lengthOf = ({ body }: { readonly body: Uint8Array | BodySource }): number => Math.max(0, body.length);
