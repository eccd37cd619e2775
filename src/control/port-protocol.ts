/** What control and a worker thread say to each other over their MessagePort: DataPlaneApi as messages. */
import type { BoundListener, DataPlaneOptions, DrainReport, GenerationInput, WatchLevel } from '../proxy/types.js';
import type { RequestRecord } from '../telemetry/snapshot.js';
import type { LogLevel } from './log.js';

export type WorkerCall =
  | { readonly call: 'load'; readonly id: number; readonly input: GenerationInput }
  | { readonly call: 'drain'; readonly id: number; readonly timeoutMs: number }
  | { readonly call: 'close'; readonly id: number }
  | { readonly call: 'watch'; readonly level: WatchLevel };

/** An Error as plain data: a structured clone would lose its code. */
export interface WireError {
  readonly message: string;
  readonly code?: string;
}

export type WorkerMessage =
  | { readonly tell: 'loaded'; readonly id: number; readonly listeners: readonly BoundListener[] }
  | { readonly tell: 'drained'; readonly id: number; readonly report: DrainReport }
  | { readonly tell: 'closed'; readonly id: number }
  | { readonly tell: 'failed'; readonly id: number; readonly error: WireError }
  | { readonly tell: 'requests'; readonly records: readonly RequestRecord[]; readonly dropped: number }
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
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { message: error.message, ...(code === undefined ? {} : { code }) };
}

export function fromWire(wire: WireError): Error {
  const error = new Error(wire.message);
  return wire.code === undefined ? error : Object.assign(error, { code: wire.code });
}
