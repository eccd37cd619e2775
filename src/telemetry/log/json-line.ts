/**
 * Writes a record as a line of JSON directly as bytes. Allocates only for values that differ from the previous line: a line
 * built as a string would need two dozen strings, joined, flattened and encoded.
 */
import type { AttemptRecord, CallRecord, RequestRecord } from '../snapshot.js';

/** Returns the offset after the line, or -1 if it may not fit into the buffer. */
export type LineWriter = (record: RequestRecord, bytes: Buffer, at: number) => number;

/** Bytes of a line without its texts: keys, punctuation, the time and five numbers of maximum length. */
const FRAME = 512;
/** A UTF-16 unit as JSON: `\u00XX` at most. */
const WORST = 6;

export function jsonLineWriter(): LineWriter {
  const putTime = isoTime();
  const partiesOf = partiesCache();
  const clientOf = clientCache();
  let view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0));
  return (record, bytes, start) => {
    const client = clientOf(record);
    const parties = partiesOf(record);
    const { id, url, error, cause, rule, upstreamMs } = record;
    const ends = (error === null ? 0 : error.length) + (cause === null ? 0 : cause.length);
    const texts = id.length + url.length + ends + (rule === undefined ? 0 : rule.length);
    // Few lines have attempts or calls, or are of a WebSocket or of gRPC, so these are built as text.
    let calls = record.attempts === undefined ? '' : attemptsText(record.attempts);
    if (record.calls !== undefined) calls += callsText(record.calls);
    if (record.grpc !== undefined) calls += `,"grpc":"${record.grpc}"`;
    if (record.webSocket !== undefined) calls += `,"webSocket":${JSON.stringify(record.webSocket)}`;
    if (bytes.length - start < FRAME + texts * WORST + calls.length * 3 + client.length + parties.length) return -1;
    if (view.buffer !== bytes.buffer || view.byteOffset !== bytes.byteOffset)
      view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = putText(bytes, putTime(bytes, start, record.at), id);
    bytes.set(client, at);
    at = putText(bytes, at + client.length, url);
    bytes.set(parties, at);
    at = putWhole(bytes, at + parties.length, record.bytesIn);
    at = putWhole(bytes, BYTES_OUT.put(view, at), record.bytesOut);
    at = putMs(bytes, DURATION.put(view, at), record.durationMs);
    at = upstreamMs === null ? NO_UPSTREAM.put(view, at) : putMs(bytes, UPSTREAM.put(view, at), upstreamMs);
    if (rule !== undefined) at = QUOTE.put(view, putText(bytes, RULE.put(view, at), rule));
    if (calls !== '') at += bytes.write(calls, at, 'utf8');
    if (error === null) return NO_ERROR.put(view, at);
    at = putText(bytes, ERROR.put(view, at), error);
    if (cause === null) return NO_CAUSE.put(view, at);
    return END.put(view, putText(bytes, CAUSE.put(view, at), cause));
  };
}

/** A member of the line with the attempts that others followed. */
function attemptsText(attempts: readonly AttemptRecord[]): string {
  const rounded = attempts.map((attempt) => ({ ...attempt, durationMs: roundedMs(attempt.durationMs) }));
  return `,"attempts":${JSON.stringify(rounded)}`;
}

/** A member of the line with the calls of the exchange. */
function callsText(calls: readonly CallRecord[]): string {
  const rounded = calls.map((call) => ({
    ...call,
    startMs: roundedMs(call.startMs),
    durationMs: roundedMs(call.durationMs),
  }));
  return `,"calls":${JSON.stringify(rounded)}`;
}

/** Constant text, written four bytes at a time. The next write overwrites the bytes beyond its end. */
class Fixed {
  readonly #words: readonly number[];
  readonly #length: number;

  /** `text` is ASCII. */
  constructor(text: string) {
    const padded = Buffer.alloc(Math.ceil(text.length / 4) * 4);
    padded.write(text, 'latin1');
    this.#words = Array.from({ length: padded.length / 4 }, (_, word) => padded.readInt32LE(word * 4));
    this.#length = text.length;
  }

  put(view: DataView, start: number): number {
    const words = this.#words;
    for (let word = 0; word < words.length; word++) view.setInt32(start + word * 4, words[word]!, true);
    return start + this.#length;
  }
}

const BYTES_OUT = new Fixed(',"bytesOut":');
const DURATION = new Fixed(',"durationMs":');
const UPSTREAM = new Fixed(',"upstreamMs":');
const NO_UPSTREAM = new Fixed(',"upstreamMs":null');
const RULE = new Fixed(',"rule":"');
const QUOTE = new Fixed('"');
const NO_ERROR = new Fixed(',"error":null,"cause":null}\n');
const ERROR = new Fixed(',"error":"');
const NO_CAUSE = new Fixed('","cause":null}\n');
const CAUSE = new Fixed('","cause":"');
const END = new Fixed('"}\n');

function putAscii(bytes: Uint8Array, start: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

/** Text between the quotes of JSON. Few texts need an escape. */
function putText(bytes: Buffer, start: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c)
      return start + bytes.write(JSON.stringify(text).slice(1, -1), start, 'utf8');
    bytes[start + i] = unit;
  }
  return start + text.length;
}

/** Fast for integers of 31 bits; other numbers use String(). */
function putWhole(bytes: Uint8Array, start: number, value: number): number {
  if (value !== (value | 0) || value < 0) return putAscii(bytes, start, String(value));
  let end = start + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++;
  for (let at = end, rest = value; at > start; rest = (rest / 10) | 0) bytes[--at] = 0x30 + (rest % 10);
  return end;
}

/** Milliseconds with microseconds as three decimals if not whole. JSON has no NaN or infinity. */
function putMs(bytes: Uint8Array, start: number, ms: number): number {
  const micros = Math.round(ms * 1000);
  if (!(micros >= 0 && micros < 2 ** 31)) return putAscii(bytes, start, String(roundedMs(ms)));
  const whole = (micros / 1000) | 0;
  const rest = micros - whole * 1000;
  const at = putWhole(bytes, start, whole);
  if (rest === 0) return at;
  bytes[at] = 0x2e;
  return putThree(bytes, at + 1, rest);
}

export const roundedMs = (ms: number): number => (Number.isFinite(ms) ? Math.round(ms * 1000) / 1000 : 0);

/** A number below 1000 in three digits. */
function putThree(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = 0x30 + ((value / 100) | 0);
  bytes[at + 1] = 0x30 + (((value / 10) | 0) % 10);
  bytes[at + 2] = 0x30 + (value % 10);
  return at + 3;
}

/** The start of a line up to the id: ISO 8601 with milliseconds, formatted once a second. */
function isoTime(): (bytes: Buffer, start: number, at: number) => number {
  let second = Number.NaN;
  let begin = Buffer.alloc(0);
  let millisAt = 0;
  return (bytes, start, time) => {
    const whole = Math.floor(time / 1000);
    if (whole !== second) {
      const date = new Date(whole * 1000);
      if (Number.isNaN(date.getTime())) return putAscii(bytes, start, '{"time":"","id":"');
      second = whole;
      begin = Buffer.from(`{"time":"${date.toISOString()}","id":"`);
      millisAt = begin.indexOf('.') + 1;
    }
    bytes.set(begin, start);
    putThree(bytes, start + millisAt, Math.floor(time - whole * 1000));
    return start + begin.length;
  };
}

const quoted = (text: string | null): string => (text === null ? 'null' : JSON.stringify(text));

/** Client, method and host are often those of the previous line. */
function clientCache(): (record: RequestRecord) => Uint8Array {
  let last = { remote: '', method: '', host: '', bytes: Buffer.alloc(0) };
  let filled = false;
  return ({ remote, method, host }) => {
    if (filled && last.host === host && last.remote === remote && last.method === method) return last.bytes;
    const text = `","remote":${quoted(remote)},"method":${quoted(method)},"host":${quoted(host)},"url":"`;
    last = { remote, method, host, bytes: Buffer.from(text) };
    filled = true;
    return last.bytes;
  };
}

interface Parties {
  readonly status: number;
  readonly service: string | null;
  readonly target: string | null;
  readonly consumer: string | null;
  readonly bytes: Buffer;
}

/** Maximum number of cached routes. */
const MAX_PARTIES = 4096;

/** Status, service, target and consumer are often those of the route's previous exchange. */
function partiesCache(): (record: RequestRecord) => Uint8Array {
  const known = new Map<string | null, Parties>();
  return ({ status, route, service, target, consumer }) => {
    const last = known.get(route);
    if (
      last &&
      last.status === status &&
      last.target === target &&
      last.consumer === consumer &&
      last.service === service
    )
      return last.bytes;
    const bytes = Buffer.from(
      `","status":${status},"route":${quoted(route)},"service":${quoted(service)},"target":${quoted(target)},"consumer":${quoted(consumer)},"bytesIn":`,
    );
    if (known.size >= MAX_PARTIES) known.clear();
    known.set(route, { status, service, target, consumer, bytes });
    return bytes;
  };
}
