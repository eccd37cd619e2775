/**
 * The last exchanges that ended, for a client that starts to watch. Keeping one costs a few stores into preallocated
 * memory; records are built only when they are asked for.
 */
import type { AttemptRecord, CallRecord, RequestRecord, WebSocketRecord } from '../../telemetry/snapshot.js';
import { bounded } from '../errors/cause.js';
import { recordMasksOf, urlText } from './access-record.js';
import { maskedRecord, type RecordMask } from './chain/record-masks.js';
import type { GwExchange } from './exchange.js';

/** Exchanges that each worker keeps. */
export const MOST_RECENT = 200;
/** Longer URLs are cut. */
const MAX_URL = 2048;
/** Strings are slices of the text that the head came in. A longer text is not kept alive: they are copied out of it. */
const MAX_TEXT = 4096;

/** Numbers of a slot, by their place. */
const Word = { StartMs: 0, Status: 1, BytesIn: 2, BytesOut: 3, DurationMs: 4, UpstreamMs: 5 } as const;
const WORDS = 6;
/** Value of UpstreamMs without a reply head from a target. */
const NONE = -1;
const NO_PARAMS: readonly string[] = [];
const NO_MASKS: readonly RecordMask[] = [];

class Slot {
  id = '';
  remote = '';
  method = '';
  host = '';
  path = '';
  query = '';
  bareQuery = false;
  /** Query parameters with credentials, which records omit. */
  secretParams = NO_PARAMS;
  masks = NO_MASKS;
  route: string | null = null;
  service: string | null = null;
  target: string | null = null;
  consumer: string | null = null;
  error: string | null = null;
  cause: string | null = null;
  rule: string | undefined = undefined;
  calls: readonly CallRecord[] | undefined = undefined;
  webSocket: WebSocketRecord | undefined = undefined;
  grpc: GwExchange['grpc'] = undefined;
  attempts: readonly AttemptRecord[] | undefined = undefined;
}

export class RecentExchanges {
  readonly #slots = Array.from({ length: MOST_RECENT }, () => new Slot());
  readonly #numbers = new Float64Array(MOST_RECENT * WORDS);
  #next = 0;
  #kept = 0;

  /** Keeps an exchange that has ended. Milliseconds; `status` 0: aborted before a reply. */
  keep(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, durationMs: number): void {
    const { compiled, consumer, upstreamMs } = exchange;
    const slot = this.#take(exchange.startMs, status, bytesIn, bytesOut, durationMs, upstreamMs ?? NONE);
    slot.id = exchange.id;
    slot.remote = exchange.remoteAddress;
    slot.method = exchange.method;
    slot.host = exchange.host;
    slot.path = exchange.path;
    slot.query = exchange.shownQuery ?? exchange.query;
    slot.bareQuery = exchange.bareQuery;
    slot.secretParams = exchange.generation.secretParams;
    slot.masks = recordMasksOf(exchange);
    slot.route = compiled === undefined ? null : compiled.entry.name;
    slot.service = compiled?.service === undefined ? null : compiled.service.entry.name;
    slot.target = exchange.target;
    slot.consumer = consumer === undefined ? null : consumer.name;
    slot.error = exchange.error;
    slot.cause = exchange.cause;
    slot.rule = exchange.rule;
    slot.calls = exchange.calls;
    slot.webSocket = exchange.source?.webSocket;
    slot.grpc = exchange.grpc;
    slot.attempts = exchange.attempts;
    if (exchange.headers.text.length > MAX_TEXT) copyOut(slot);
  }

  /** Keeps the refusal of a malformed request at `startMs` (monotonic). */
  keepRefusal(error: string, cause: string, status: number, remote: string, id: string, startMs: number): void {
    const slot = this.#take(startMs, status, 0, 0, 0, NONE);
    slot.id = id;
    slot.remote = remote;
    slot.method = '-';
    slot.host = '';
    slot.path = '-';
    slot.query = '';
    slot.bareQuery = false;
    slot.secretParams = NO_PARAMS;
    slot.masks = NO_MASKS;
    slot.route = null;
    slot.service = null;
    slot.target = null;
    slot.consumer = null;
    slot.error = error;
    slot.cause = cause;
    slot.rule = undefined;
    slot.calls = undefined;
    slot.webSocket = undefined;
    slot.grpc = undefined;
    slot.attempts = undefined;
  }

  /** The kept records, oldest first. `now` and `monotonic`: the current time of both clocks, in milliseconds. */
  records(now: number, monotonic: number): RequestRecord[] {
    const first = this.#next - this.#kept + MOST_RECENT;
    return Array.from({ length: this.#kept }, (_, index) =>
      this.#record((first + index) % MOST_RECENT, now - monotonic),
    );
  }

  #take(
    startMs: number,
    status: number,
    bytesIn: number,
    bytesOut: number,
    durationMs: number,
    upstreamMs: number,
  ): Slot {
    const at = this.#next;
    const numbers = this.#numbers;
    const base = at * WORDS;
    numbers[base + Word.StartMs] = startMs;
    numbers[base + Word.Status] = status;
    numbers[base + Word.BytesIn] = bytesIn;
    numbers[base + Word.BytesOut] = bytesOut;
    numbers[base + Word.DurationMs] = durationMs;
    numbers[base + Word.UpstreamMs] = upstreamMs;
    this.#next = at + 1 === MOST_RECENT ? 0 : at + 1;
    if (this.#kept < MOST_RECENT) this.#kept++;
    return this.#slots[at]!;
  }

  /** `offset`: from the monotonic clock to that of the host. */
  #record(at: number, offset: number): RequestRecord {
    const slot = this.#slots[at]!;
    const number = (word: number): number => this.#numbers[at * WORDS + word]!;
    const upstreamMs = number(Word.UpstreamMs);
    const record: RequestRecord = {
      at: Math.round(offset + number(Word.StartMs)),
      id: slot.id,
      remote: slot.remote,
      method: slot.method,
      host: slot.host,
      url: urlText(slot.path, slot.query, slot.bareQuery, slot.secretParams),
      status: number(Word.Status),
      route: slot.route,
      service: slot.service,
      target: slot.target,
      consumer: slot.consumer,
      bytesIn: number(Word.BytesIn),
      bytesOut: number(Word.BytesOut),
      durationMs: number(Word.DurationMs),
      upstreamMs: upstreamMs === NONE ? null : upstreamMs,
      error: slot.error,
      cause: slot.cause === null ? null : bounded(slot.cause),
      ...(slot.rule === undefined ? {} : { rule: slot.rule }),
      ...(slot.attempts === undefined ? {} : { attempts: slot.attempts }),
      ...(slot.calls === undefined ? {} : { calls: slot.calls }),
      ...(slot.grpc === undefined ? {} : { grpc: slot.grpc.name }),
      ...(slot.webSocket === undefined ? {} : { webSocket: slot.webSocket }),
    };
    const shown = maskedRecord(record, slot.masks);
    const { url } = shown;
    return url.length > MAX_URL ? { ...shown, url: `${url.slice(0, MAX_URL)}...` } : shown;
  }
}

function copyOut(slot: Slot): void {
  slot.method = copyOf(slot.method);
  slot.host = copyOf(slot.host);
  slot.path = copyOf(slot.path.slice(0, MAX_URL + 1));
  slot.query = copyOf(slot.query);
}

const copyOf = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
