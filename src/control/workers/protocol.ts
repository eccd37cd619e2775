/** What control and a worker thread say to each other over their MessagePort: WorkerApi as messages. */
import type { BoundListener, DataPlaneOptions, DrainReport, GenerationInput, WatchLevel } from '../../proxy/types.js';
import { codeOf } from '../../reason.js';
import type { RequestRecord, TargetFailure } from '../../telemetry/snapshot.js';
import type { LogLevel } from '../log.js';

/** Calls that are answered, with a message of the same `id`. */
export type WorkerQuestion =
  | { readonly call: 'prepare'; readonly id: number; readonly input: GenerationInput }
  | { readonly call: 'commit'; readonly id: number }
  | { readonly call: 'drain'; readonly id: number; readonly timeoutMs: number }
  | { readonly call: 'close'; readonly id: number };

export type WorkerCall =
  | WorkerQuestion
  | { readonly call: 'abort' }
  | { readonly call: 'reopen' }
  | { readonly call: 'watch'; readonly level: WatchLevel }
  /** Answered by `pong` as soon as the thread's loop comes round: it is not stuck. */
  | { readonly call: 'ping' };

/** An Error as plain data: a structured clone would lose its code. */
export interface WireError {
  readonly message: string;
  readonly code?: string;
}

export type WorkerAnswer =
  | { readonly tell: 'prepared'; readonly id: number; readonly listeners: readonly BoundListener[] }
  | { readonly tell: 'committed'; readonly id: number }
  | { readonly tell: 'drained'; readonly id: number; readonly report: DrainReport }
  | { readonly tell: 'closed'; readonly id: number }
  | { readonly tell: 'failed'; readonly id: number; readonly error: WireError };

export type WorkerMessage =
  | WorkerAnswer
  | { readonly tell: 'pong' }
  | { readonly tell: 'failures'; readonly failures: readonly TargetFailure[] }
  | { readonly tell: 'requests'; readonly records: readonly RequestRecord[]; readonly dropped: number }
  /** Whole lines of an access log that goes to standard output, and how many they are. */
  | { readonly tell: 'lines'; readonly lines: Uint8Array; readonly count: number }
  | {
      readonly tell: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly fields?: Record<string, unknown>;
    };

export interface WorkerSetup {
  readonly options: DataPlaneOptions;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = codeOf(error);
  return { message: error.message, ...(code === undefined ? {} : { code }) };
}

export function fromWire(wire: WireError): Error {
  const error = new Error(wire.message);
  return wire.code === undefined ? error : Object.assign(error, { code: wire.code });
}
