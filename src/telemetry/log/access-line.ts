/** The text of an access log line. */

import type { AttemptRecord, CallRecord, RequestRecord, WebSocketRecord } from '../snapshot.js';
import { jsonLineWriter, type LineWriter, roundedMs } from './json-line.js';

export type LineFormat = 'json' | 'pretty';

/** Writes the line of a record, with its newline, as bytes. */
export function lineWriter(format: LineFormat, color: boolean): LineWriter {
  if (format === 'json') return jsonLineWriter();
  const lineOf = prettyLine(color);
  return (record, bytes, at) => {
    const line = lineOf(record);
    // UTF-8 takes three bytes for a UTF-16 unit at most.
    return line.length * 3 > bytes.length - at ? -1 : at + bytes.write(line, at, 'utf8');
  };
}

/** The time of day in UTC, with milliseconds. */
function timeOfDay(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(11, -1);
}

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
const STATUS_COLORS: { readonly [first: string]: string } = {
  2: '\x1b[32m',
  3: '\x1b[36m',
  4: '\x1b[33m',
  5: '\x1b[31m',
};

function prettyLine(color: boolean): (record: RequestRecord) => string {
  const paint = (code: string | undefined, text: string): string => (color && code ? `${code}${text}${RESET}` : text);
  return (record) => {
    const status = record.status === 0 ? '---' : String(record.status);
    const words = [
      paint(DIM, timeOfDay(record.at)),
      paint(STATUS_COLORS[status[0] ?? ''], status),
      printable(record.method).padEnd(4),
      printable(record.url),
      paint(DIM, printable(record.route ?? 'no route')),
    ];
    if (record.grpc !== undefined) words.push(paint(STATUS_COLORS[record.grpc === 'OK' ? 2 : 5], record.grpc));
    if (record.target !== null) words.push(paint(DIM, `-> ${printable(record.target)}`));
    if (record.consumer !== null) words.push(paint(DIM, `as ${printable(record.consumer)}`));
    if (record.rule !== undefined) words.push(paint(DIM, `by ${printable(record.rule)}`));
    words.push(`${roundedMs(record.durationMs)}ms`);
    if (record.attempts !== undefined) words.push(paint(DIM, `after ${attemptWords(record.attempts)}`));
    if (record.calls !== undefined) words.push(paint(DIM, `[${callWords(record.calls)}]`));
    if (record.webSocket !== undefined) words.push(paint(DIM, `[${webSocketWords(record.webSocket)}]`));
    if (record.error !== null) words.push(paint(STATUS_COLORS[5], printable(record.error)));
    if (record.cause !== null) words.push(paint(DIM, `(${printable(record.cause)})`));
    return `${words.join(' ')}\n`;
  };
}

/** `12 messages in, 3 out, 1000 by client`. */
const webSocketWords = ({ messagesIn, messagesOut, closeCode, closedBy }: WebSocketRecord): string =>
  `${messagesIn} messages in, ${messagesOut} out, ${closeCode === null ? 'no close' : `${closeCode} by ${closedBy}`}`;
/** `http://127.0.0.1:4003 connection refused 1ms, http://127.0.0.1:4004 status 503 12ms`. */
const attemptWords = (attempts: readonly AttemptRecord[]): string =>
  attempts
    .map(({ durationMs, target, why }) => `${printable(target)} ${printable(why)} ${roundedMs(durationMs)}ms`)
    .join(', ');

/** Calls that a line names. */
const MOST_CALLS = 8;

/** `product 200 12ms, stock upstream/timeout 300ms`. */
function callWords(calls: readonly CallRecord[]): string {
  const words = calls
    .slice(0, MOST_CALLS)
    .map(
      ({ durationMs, error, name, status, stored }) =>
        `${printable(name)} ${error ?? status}${stored === true ? ' stored' : ''} ${roundedMs(durationMs)}ms`,
    );
  return calls.length > MOST_CALLS ? `${words.join(', ')}, ${calls.length - MOST_CALLS} more` : words.join(', ');
}

const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/**
 * Escapes control characters: text from clients and child processes must not control a terminal. `kept`: characters that
 * stay as they are.
 */
export const printable = (text: string, kept = ''): string =>
  text.replace(CONTROL, (char) =>
    kept.includes(char) ? char : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
