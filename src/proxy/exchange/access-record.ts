/** Records of finished exchanges, for the access log and for watching clients. */

import { takeQueryParam } from '../../policies/run-kit.js';
import type { AccessLog } from '../../telemetry/log/access-log.js';
import type { RequestRecord } from '../../telemetry/snapshot.js';
import { bounded } from '../errors/cause.js';
import { maskedRecord, type RecordMask } from './chain/record-masks.js';
import type { GwExchange } from './exchange.js';

const MAX_WAITING = 512;

/** The records that clients watch. */
export type WatchLevel = 'off' | 'records' | 'decisions';

/** Takes batches of records, with the number of records that were dropped. */
export interface RecordEvents {
  requests(records: readonly RequestRecord[], dropped: number): void;
}

export class RecordSink {
  readonly #events: RecordEvents;
  #log: AccessLog | undefined;
  #level: WatchLevel = 'off';
  #waiting: RequestRecord[] = [];
  #dropped = 0;

  constructor(events: RecordEvents) {
    this.#events = events;
  }

  /** Whether any records are read. */
  active = false;

  get level(): WatchLevel {
    return this.#level;
  }

  set level(level: WatchLevel) {
    this.#level = level;
    if (level === 'off') {
      this.#waiting = [];
      this.#dropped = 0;
    }
    this.active = this.#log !== undefined || level !== 'off';
  }

  get accessLog(): AccessLog | undefined {
    return this.#log;
  }

  set accessLog(log: AccessLog | undefined) {
    this.#log = log;
    this.active = log !== undefined || this.#level !== 'off';
  }

  write(record: RequestRecord): void {
    this.#log?.write(record);
    if (this.#level === 'off') return;
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(record);
    else this.#dropped++;
  }

  /** Delivers pending records; called a few times a second. */
  handOver(): void {
    if (this.#waiting.length === 0) return;
    const records = this.#waiting;
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#dropped = 0;
    this.#events.requests(records, dropped);
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Requests without a route have the masks of all policies: they may be misspelt ones of any route. */
export const recordMasksOf = ({ compiled, generation }: GwExchange): readonly RecordMask[] =>
  compiled === undefined ? generation.recordMasks : compiled.chain.recordMasks;

/** The record of a finished exchange. `status` 0: aborted before a reply. Durations in milliseconds. */
export function recordOf(
  exchange: GwExchange,
  status: number,
  bytesIn: number,
  bytesOut: number,
  durationMs: number,
): RequestRecord {
  const { compiled } = exchange;
  const record: Writable<RequestRecord> = {
    at: exchange.startedAt,
    id: exchange.id,
    remote: exchange.remoteAddress,
    method: exchange.method,
    host: exchange.host,
    url: urlText(
      exchange.path,
      exchange.shownQuery ?? exchange.query,
      exchange.bareQuery,
      exchange.generation.secretParams,
    ),
    status,
    route: compiled === undefined ? null : compiled.entry.name,
    service: compiled?.service === undefined ? null : compiled.service.entry.name,
    target: exchange.target,
    consumer: exchange.consumer === undefined ? null : exchange.consumer.name,
    bytesIn,
    bytesOut,
    durationMs,
    upstreamMs: exchange.upstreamMs,
    error: exchange.error,
    cause: exchange.cause === null ? null : bounded(exchange.cause),
  };
  if (exchange.rule !== undefined) record.rule = exchange.rule;
  if (exchange.attempts !== undefined) record.attempts = exchange.attempts;
  if (exchange.calls !== undefined) record.calls = exchange.calls;
  if (exchange.grpc !== undefined) record.grpc = exchange.grpc.name;
  const webSocket = exchange.source?.webSocket;
  if (webSocket !== undefined) record.webSocket = webSocket;
  if (exchange.decisions !== undefined)
    record.decisions = exchange.decisions.map(({ step, use, outcome, why }) => ({ step, use, outcome, why }));
  return maskedRecord(record, recordMasksOf(exchange));
}

/** The URL without credentials: an exchange that did not reach the policy that removes them still contains them. */
export function urlText(path: string, query: string, bareQuery: boolean, secretParams: readonly string[]): string {
  let shown = query;
  for (const name of secretParams) shown = takeQueryParam(shown, name).rest;
  return shown === '' && !bareQuery ? path : `${path}?${shown}`;
}

/** The record of a malformed request. */
export function recordOfRefusal(
  error: string,
  cause: string,
  status: number,
  remote: string,
  id: string,
  at: number,
): RequestRecord {
  return {
    at,
    id,
    remote,
    method: '-',
    host: '',
    url: '-',
    status,
    route: null,
    service: null,
    target: null,
    consumer: null,
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 0,
    upstreamMs: null,
    error,
    cause: bounded(cause),
  };
}
