/** What control and a worker thread say to each other over their MessagePort: WorkerApi as messages. */
import type { MessagePort } from 'node:worker_threads';
import type { Json } from '../../bundle/types.js';
import type {
  BoundListener,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  SuppliedCertificates,
  TargetsUpdate,
  WatchLevel,
  WorkerReports,
} from '../../proxy/types.js';
import { errnoCode } from '../../reason.js';
import type { ConsumerMemory } from '../../state/consumers/layers.js';
import type { RequestRecord } from '../../telemetry/snapshot.js';
import type { LogLevel } from '../log.js';

/** Calls that are answered, with a message of the same `id`. */
export type WorkerQuestion =
  | { readonly call: 'prepare'; readonly id: number; readonly input: GenerationInput }
  | { readonly call: 'commit'; readonly id: number }
  | { readonly call: 'consumers'; readonly id: number; readonly memory: ConsumerMemory }
  | { readonly call: 'targets'; readonly id: number; readonly update: TargetsUpdate }
  | { readonly call: 'certificates'; readonly id: number; readonly supplied: SuppliedCertificates }
  | { readonly call: 'report'; readonly id: number }
  | { readonly call: 'drain'; readonly id: number; readonly timeoutMs: number }
  | { readonly call: 'close'; readonly id: number };

export type WorkerCall =
  | WorkerQuestion
  | { readonly call: 'abort' }
  | { readonly call: 'reopen' }
  | { readonly call: 'publish'; readonly identity: string; readonly value: Json }
  /** The answer to an `ask` with this id. */
  | { readonly call: 'answer'; readonly id: number; readonly answer: Json }
  | { readonly call: 'unanswered'; readonly id: number; readonly error: WireError }
  /** A port to the store of contents on disk. */
  | { readonly call: 'disk'; readonly port: MessagePort }
  | { readonly call: 'watch'; readonly level: WatchLevel }
  /** Answered by `pong` in the next turn of the thread's event loop, which shows that it is not stuck. */
  | { readonly call: 'ping' };

/** An Error as plain data: a structured clone would lose its code. */
export interface WireError {
  readonly message: string;
  readonly code?: string;
}

export type WorkerAnswer =
  | { readonly type: 'prepared'; readonly id: number; readonly listeners: readonly BoundListener[] }
  | { readonly type: 'committed'; readonly id: number }
  | { readonly type: 'used'; readonly id: number }
  | { readonly type: 'reported'; readonly id: number }
  | { readonly type: 'drained'; readonly id: number; readonly report: DrainReport }
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError };

export type WorkerMessage =
  | WorkerAnswer
  | { readonly type: 'pong' }
  /** A question to the duty of a policy. */
  | { readonly type: 'ask'; readonly id: number; readonly identity: string; readonly question: Json }
  /** It keeps contents on disk. */
  | { readonly type: 'disk'; readonly unapplied: SharedArrayBuffer }
  /** A request waits for a target of the service. */
  | { readonly type: 'demand'; readonly service: string }
  | { readonly type: 'reports'; readonly reports: WorkerReports }
  | { readonly type: 'recent'; readonly records: readonly RequestRecord[] }
  | { readonly type: 'requests'; readonly records: readonly RequestRecord[]; readonly dropped: number }
  /** Whole lines of an access log on standard output, and their number. */
  | { readonly type: 'lines'; readonly lines: Uint8Array; readonly count: number }
  | {
      readonly type: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly fields?: Record<string, unknown>;
    };

export interface WorkerSetup {
  readonly options: DataPlaneOptions;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = errnoCode(error);
  return { message: error.message, ...(code === undefined ? {} : { code }) };
}

export function fromWire(wire: WireError): Error {
  const error = new Error(wire.message);
  return wire.code === undefined ? error : Object.assign(error, { code: wire.code });
}
